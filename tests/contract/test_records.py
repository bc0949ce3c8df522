"""Golden records: what lies on a topic today must be read for ever.

An example is `examples/<topic>/<kind>-<variant>.json`; once committed it is never changed, only joined by others.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract import codec, endpoint, records, state, topics

EXAMPLES = Path(__file__).parent / "examples"
WITHOUT_RECORDS = {topics.SUBMISSIONS.name, topics.DEAD_LETTERS.name}  # reserved; and whatever bytes there were
ON_TOPIC: dict[str, dict[str, Any]] = {
    topics.REQUESTS.name: {"request_received": records.RequestReceived},
    topics.REPLIES.name: {"reply": records.Reply},
    topics.LOG.name: {"request_logged": records.RequestLogged},
    topics.COMMANDS.name: {"command": records.Command},
    topics.STATE.name: dict(state.KINDS),
    topics.WINDOWS.name: {"window_snapshot": records.WindowSnapshot},
    topics.HANDOVERS.name: {"handed_over": records.HandedOver},
    topics.CANCELS.name: {"cancelled": records.Cancelled},
}
KINDS = {name: kind for kinds in ON_TOPIC.values() for name, kind in kinds.items()}
FILES = sorted(EXAMPLES.glob("*/*.json"))
IDS = [f"{path.parent.name}/{path.stem}" for path in FILES]
each_example = pytest.mark.parametrize("path", FILES, ids=IDS)


def kind_of(path: Path) -> Any:
    return ON_TOPIC[path.parent.name][path.stem.partition("-")[0]]


def read(path: Path) -> Any:
    record = codec.read(kind_of(path), path.read_bytes())
    assert not isinstance(record, codec.Unreadable), record.why
    return record


def test_every_topic_with_records_has_examples_of_every_kind() -> None:
    assert set(ON_TOPIC) | WITHOUT_RECORDS == {topic.name for topic in topics.ALL}
    there = {(path.parent.name, path.stem.partition("-")[0]) for path in FILES}
    assert there == {(topic, name) for topic, kinds in ON_TOPIC.items() for name in kinds}


def test_every_shape_of_a_reply_has_an_example() -> None:
    assert {type(read(path)) for path in FILES if path.parent.name == topics.REPLIES.name} == {
        records.ReplyStarted,
        records.ReplyChunk,
        records.ReplyFinished,
    }


@pytest.mark.parametrize("topic", sorted(set(ON_TOPIC) - {topics.STATE.name}))
def test_the_records_of_a_topic_are_those_its_row_names(topic: str) -> None:
    row = next(row for row in topics.ALL if row.name == topic)
    named = set(re.findall(r"[A-Z]\w+", row.value))
    assert named == {type(read(path)).__name__ for path in FILES if path.parent.name == topic}


@each_example
def test_an_example_decodes_and_encodes_to_an_equal_value(path: Path) -> None:
    record = read(path)
    assert codec.read(kind_of(path), codec.encode(record)) == record


@each_example
def test_no_field_of_an_example_is_dropped(path: Path) -> None:
    assert not lost(msgspec.json.decode(path.read_bytes()), msgspec.json.decode(codec.encode(read(path))))


def lost(before: Any, after: Any, at: str = "$") -> list[str]:
    """Where `after` lacks or changes something that `before` has; a default may go unwritten."""
    match before, after:
        case dict(), dict():
            gone = [f"{at}.{key}" for key, value in before.items() if key not in after and value not in (None, [], {})]
            return gone + [
                hole for key in before.keys() & after.keys() for hole in lost(before[key], after[key], f"{at}.{key}")
            ]
        case list(), list() if len(before) == len(after):
            return [
                hole for n, pair in enumerate(zip(before, after, strict=True)) for hole in lost(*pair, f"{at}[{n}]")
            ]
        case _:
            return [] if before == after else [at]


@each_example
def test_an_unknown_field_is_ignored(path: Path) -> None:
    later = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    later["of_a_later_version"] = msgspec.Raw(b'{"any":["thing",1,null]}')
    assert equal_but_for_spaces(codec.read(kind_of(path), codec.encode(later)), read(path))


def equal_but_for_spaces(one: Any, other: Any) -> bool:
    return bool(msgspec.json.decode(codec.encode(one)) == msgspec.json.decode(codec.encode(other)))


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem.endswith("-least")], ids=lambda path: path.parent.name
)
def test_fields_that_came_later_have_defaults(path: Path) -> None:
    given = msgspec.json.decode(path.read_bytes()).keys()
    required = {field.name for field in msgspec.structs.fields(type(read(path))) if field.required}
    assert required == given - {"kind"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_record_is_frozen_and_carries_its_version(name: str) -> None:
    shapes = KINDS[name].__args__ if name == "reply" else (KINDS[name],)
    for shape in shapes:
        assert shape.__struct_config__.frozen
        version = next(field for field in msgspec.structs.fields(shape) if field.name == "v")
        assert version.default >= 1


def key_of(kind: str, resource: Any) -> str:
    """The key under which a resource lies on `gateway.state`."""
    match resource:
        case state.Token():
            return state.key(kind, resource.hash)
        case state.Secret():
            return state.key(kind, resource.scope, resource.key)
        case state.ServedEntityRow():
            return state.key(kind, resource.served_entity_id)
        case state.Permission():
            return state.key(kind, resource.endpoint_id)
        case state.LastDecision():
            return state.key(kind, "last")
    return state.key(kind, resource.name)


def test_the_examples_of_the_state_fold_into_a_view_and_out_of_it() -> None:
    view = state.View()
    paths = [path for path in FILES if path.parent.name == topics.STATE.name]
    keys = [key_of(path.stem.partition("-")[0], read(path)) for path in paths]
    for offset, (path, key) in enumerate(zip(paths, keys, strict=True)):
        view.fold(key, path.read_bytes(), offset)
    assert view.unreadable == 0
    assert view.last_decision is not None and view.last_decision.offset == 17
    assert view.groups_of["hanako.sato@example.com"] == ("analysts",)
    one = view.endpoints["chat-ja"]
    assert isinstance(one, endpoint.Endpoint)
    assert view.level(one, "b3f1c2a4-5d6e-4f70-8192-a3b4c5d6e7f8") == state.LEVELS["CAN_QUERY"]
    for key in keys:
        view.fold(key, None, len(keys))
    assert not (view.endpoints or view.tokens or view.secrets or view.permissions or view.served_entities)


@pytest.mark.parametrize("name", sorted(KINDS))
@given(value=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@example(value=b"")
@example(value=b"null")
@example(value=b"\xff\xfe")
@example(value=b'{"request_id":"\xff"}')
@example(value=b'{"request_id":"\\ud800"}')
@example(value=b'{"v":1e999}')
@example(value=b'{"v":' + b"9" * 5_000 + b"}")
def test_any_bytes_are_a_record_or_unreadable(name: str, value: bytes) -> None:
    read = codec.read(KINDS[name], value)
    assert isinstance(read, codec.Unreadable | KINDS[name])


def test_a_value_nested_beyond_reason_is_unreadable() -> None:
    value = b'{"body":' + b"[" * 100_000
    raised = []
    for name, kind in KINDS.items():
        try:
            assert isinstance(codec.read(kind, value), codec.Unreadable)
        except RecursionError:
            raised.append(name)
    assert not raised


@pytest.mark.parametrize("name", sorted(KINDS))
def test_no_value_is_unreadable_and_says_so(name: str) -> None:
    assert codec.read(KINDS[name], None) == codec.Unreadable(why="empty value")


def damaged(path: Path) -> st.SearchStrategy[bytes]:
    whole = path.read_bytes()
    position = st.integers(min_value=0, max_value=len(whole))
    cut = position.map(lambda at: whole[:at])
    hit = st.tuples(position, st.binary(min_size=1, max_size=4)).map(
        lambda hit: whole[: hit[0]] + hit[1] + whole[hit[0] :]
    )
    return cut | hit


@given(st.sampled_from(FILES).flatmap(lambda path: st.tuples(st.just(path), damaged(path))))
def test_a_damaged_example_is_a_record_or_unreadable(pair: tuple[Path, bytes]) -> None:
    path, value = pair
    assert isinstance(codec.read(kind_of(path), value), codec.Unreadable | kind_of(path))


def test_why_a_value_is_unreadable_never_quotes_it() -> None:
    secret = "hunter2-hunter2"
    for value in (
        f'"{secret}"',
        f'{{"request_id":1,"{secret}":"{secret}"',
        f'{{"request_id":{{"{secret}":1}}}}',
        secret,
    ):
        for kind in KINDS.values():
            read = codec.read(kind, value.encode())
            assert isinstance(read, codec.Unreadable)
            assert secret not in read.why
