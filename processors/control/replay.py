"""A command that is read again because its worker died: what the state's last decision says about it.

The writer decides one command at a time, and says what it has decided before it changes anything. So the newest of
these records is about the only command that can be half done, and every command before that one has its answer.
"""

import msgspec

from contract import state
from contract.records import Command
from contract.state import LastDecision
from processors.control.base import Decision

KEY = state.key("decision", "last")
NULL = b"null"
CLOCKS_MS = 60_000  # how far the clocks of an ingress and a worker may be apart


def is_answered(command: Command, offset: int, last: LastDecision | None) -> bool:
    """Whether the command had its answer before the last decision was made: it lies before that one's command.

    One that is younger than the decision is not: then the topic has been made anew, and counts from 0 again.
    """
    return last is not None and offset < last.offset and command.received_at_ms < last.decided_at_ms + CLOCKS_MS


def decided(command: Command, last: LastDecision | None) -> Decision | None:
    """What was decided about the command, when it is the last one: to be written and answered as the first time."""
    if last is None or last.command_id != command.command_id:
        return None
    changes = tuple((key, None if bytes(value) == NULL else bytes(value)) for key, value in last.changes)
    return Decision(changes=changes, body=bytes(last.body), status=last.status)


def kept(command: Command, offset: int, decision: Decision, now_ms: int) -> LastDecision:
    """What the state keeps of a decision. `offset`: the command's."""
    return LastDecision(
        command_id=command.command_id,
        offset=offset,
        decided_at_ms=now_ms,
        status=decision.status,
        body=msgspec.Raw(decision.body),
        changes=tuple((key, msgspec.Raw(NULL if value is None else value)) for key, value in decision.changes),
    )
