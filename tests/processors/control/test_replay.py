"""What the last decision says about a command that is read again."""

import msgspec
import pytest

from contract import codec
from contract.records import Command, Requester
from contract.state import LastDecision
from processors.control import replay
from processors.control.base import Decision
from tests.processors.control.world import T0

COMMAND = Command(
    command_id="c1",
    action="endpoint.delete",
    requester=Requester(name="ann"),
    received_at_ms=T0,
    deadline_ms=T0 + 1_000,
    reply_slot=0,
    boot_id="b",
    body=msgspec.Raw(b"{}"),
)
DECISION = Decision(changes=(("endpoint/chat", None), ("group/a", b'{"id":"1"}')), body=b'{"id":"7"}', status=201)


def last(offset: int = 7) -> LastDecision:
    """The decision as it is read back from the topic."""
    read = codec.read(LastDecision, codec.encode(replay.kept(COMMAND, offset, DECISION, T0)))
    assert isinstance(read, LastDecision)
    return read


def test_a_decision_comes_back_from_the_topic_as_it_was_made() -> None:
    assert replay.decided(COMMAND, last()) == DECISION


def test_another_command_and_the_first_of_all_are_new() -> None:
    other = msgspec.structs.replace(COMMAND, command_id="c2")
    assert replay.decided(other, last()) is None
    assert replay.decided(COMMAND, None) is None
    assert not replay.is_answered(COMMAND, 0, None)


@pytest.mark.parametrize(("offset", "answered"), [(6, True), (7, False), (8, False)])
def test_what_lies_before_the_last_one_has_its_answer(offset: int, answered: bool) -> None:
    assert replay.is_answered(COMMAND, offset, last()) is answered


@pytest.mark.parametrize(("younger_ms", "answered"), [(59_999, True), (60_000, False)])
def test_one_much_younger_than_the_decision_lies_on_a_topic_made_anew(younger_ms: int, answered: bool) -> None:
    younger = msgspec.structs.replace(COMMAND, received_at_ms=T0 + younger_ms)
    assert replay.is_answered(younger, 0, last()) is answered
