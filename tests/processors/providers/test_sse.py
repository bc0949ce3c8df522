import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.providers import sse
from processors.providers.sse import Events, TooLong

STREAM = (
    b': hello\r\nevent: x\ndata: {"a": 1}\r\n\r\ndata:{"b":"\xc3\xa9"}\n\ndata:\nid: 7\n\ndata: [DONE]\n\ndata: rest'
)
DATA = [b'{"a": 1}', b'{"b":"\xc3\xa9"}', b"[DONE]", b"rest"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_are_the_same_however_the_bytes_come(places: list[int]) -> None:
    places = sorted(places)
    events = Events()
    found: list[bytes] = []
    for start, end in zip([0, *places], [*places, len(STREAM)], strict=True):
        found += events.feed(STREAM[start:end])
    assert found + events.rest() == DATA


def test_a_byte_at_a_time_is_enough() -> None:
    events = Events()
    found = [data for byte in STREAM for data in events.feed(bytes([byte]))]
    assert found + events.rest() == DATA
    assert events.rest() == []


def test_a_line_that_does_not_end_is_given_up() -> None:
    events = Events()
    events.feed(b"x" * sse.LINE_BYTES)
    with pytest.raises(TooLong):
        events.feed(b"x")
