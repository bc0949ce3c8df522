"""What a child's line becomes on the console."""

import json

from hypothesis import given
from hypothesis import strategies as st

from launcher import lines


def said(**line: object) -> bytes:
    return json.dumps({"at": "2026-11-25T10:20:30.123", "part": "worker"} | line).encode() + b"\n"


def test_a_warning_is_shown_with_its_facts() -> None:
    line = lines.read(said(level="WARNING", event="provider slow", request_id="r1", ms=900))
    assert lines.shown("worker-0", line) == "10:20:30 worker-0 WARNING provider slow request_id=r1 ms=900"


def test_ready_is_shown_though_it_is_only_information() -> None:
    assert lines.shown("sinks", lines.read(said(level="INFO", event="ready"))) == "10:20:30 sinks ready"


def test_other_information_is_for_the_log_file() -> None:
    assert lines.shown("sinks", lines.read(said(level="INFO", event="request settled"))) is None


def test_an_exception_is_shown_by_its_last_line() -> None:
    line = lines.read(said(level="ERROR", event="failed", exception="Traceback\n  File x\nValueError: no"))
    assert lines.shown("lake", line) == "10:20:30 lake ERROR failed ValueError: no"


def test_what_is_not_json_is_plain_and_for_the_log_file() -> None:
    line = lines.read(b"Traceback (most recent call last):\n")
    assert (line.plain, line.event) == (True, "Traceback (most recent call last):")
    assert lines.shown("lake", line) is None


@given(st.binary())
def test_every_line_can_be_read(raw: bytes) -> None:
    lines.shown("worker-0", lines.read(raw))


@given(
    st.dictionaries(st.sampled_from(["event", "level", "at", "exception", "x"]), st.none() | st.integers() | st.text())
)
def test_every_json_object_can_be_read(line: dict[str, object]) -> None:
    lines.shown("worker-0", lines.read(json.dumps(line).encode()))
