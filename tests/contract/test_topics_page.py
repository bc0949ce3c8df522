"""docs/topics.md says what the contract says."""

from contract import records, state, topics
from tests.support import topics_page


def test_the_page_is_as_the_contract_is_now() -> None:
    written = topics_page.PAGE.read_text() if topics_page.PAGE.is_file() else ""
    assert written == topics_page.page(), f"docs/topics.md is stale: run {topics_page.COMMAND}"


def test_every_topic_and_every_record_has_its_heading() -> None:
    headings = [line.lstrip("# ") for line in topics_page.page().splitlines() if line.startswith("#")]
    assert len(headings) == len(set(headings))
    assert {topic.name for topic in topics.ALL} <= set(headings)
    assert {kind.__name__ for kind in state.KINDS.values()} <= set(headings)
    shapes = {name for name, kind in vars(records).items() if hasattr(kind, "__struct_fields__")}
    assert shapes <= set(headings)


def test_a_retention_is_told_in_its_largest_whole_unit() -> None:
    assert topics_page.kept(topics.LOG) == "7 days"
    assert topics_page.kept(topics.REQUESTS) == "1 hour"
    assert topics_page.kept(topics.STATE) == "the newest per key"


def test_types_are_told_in_words() -> None:
    assert topics_page.type_name(tuple[records.Attempt, ...]) == "list of Attempt"
    assert topics_page.type_name(dict[str, str] | None) == "dict[str, str] or null"
    assert topics_page.type_name(int) == "int"
