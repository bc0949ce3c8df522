"""The grid of guardrails in docs/guardrails.md says what the tests of the stack hold."""

from tests.support.conformance import COMMAND, GUARDS, PAGE, WORDS, page, written
from tests.support.surfaces import SURFACES


def test_the_page_is_as_the_table_is_now() -> None:
    text = PAGE.read_text()
    assert written(text, page(SURFACES)) == text, f"docs/guardrails.md is stale: run {COMMAND}"


def test_every_cell_has_a_word_that_the_page_explains() -> None:
    assert {word for one in SURFACES for word in one.expected} == WORDS.keys()
    assert all(
        (word == "-") == (one.side not in guard.sides)
        for one in SURFACES
        for guard, word in zip(GUARDS.values(), one.expected, strict=True)
    )


def test_no_surface_is_there_twice() -> None:
    rows = [(one.name, one.side, one.streams) for one in SURFACES]
    assert len(rows) == len(set(rows))
