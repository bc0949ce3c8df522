"""The agent `manage`: the single writer of `gateway.state`. One command at a time, in order."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from contract import codec, logs, refusals
from contract.codec import Unreadable
from contract.records import Command, ReplyFinished
from contract.refusals import Refusal
from contract.state import View
from contract.topics import RECORD_BYTES, STATE
from processors.agents.settle import Publish
from processors.control import replay
from processors.control.base import Decision, Facts
from processors.control.decide import decide
from processors.gate import Gate, Load

log = logging.getLogger(__name__)
WEIGHTLESS = Load("", 0)


class Managing(NamedTuple):
    """What managing takes. `caught_up`: waits until the view holds everything on `gateway.state` as of now.

    `fresh`: does the event still belong to us.
    """

    view: View
    caught_up: Callable[[], Awaitable[None]]
    facts: Callable[[], Facts]
    publish: Publish
    reply: Callable[[int, ReplyFinished], Awaitable[None]]
    bury: Callable[[Any, str], Awaitable[None]]
    gate: Gate
    fresh: Callable[[Any], bool]


def managing(tools: Managing) -> Callable[[AsyncIterator[Any]], Awaitable[None]]:
    """Build the agent. An event is acked when its change and its reply are delivered; a hand-over waits for that.

    When they cannot be delivered the gate ends the worker, and the next one completes what was begun.
    """

    async def manage(events: AsyncIterator[Any]) -> None:
        async for event in events:
            if tools.fresh(event):
                await tools.gate.delivered([tools.gate.start(event, WEIGHTLESS, _handled(event, tools))])

    return manage


async def _handled(event: Any, tools: Managing) -> None:
    command = codec.read(Command, event.message.value)
    if isinstance(command, Unreadable):
        await tools.bury(event, command.why)
    else:
        await carry_out(command, event.message.offset, tools)


async def carry_out(command: Command, at: int, tools: Managing) -> None:
    """Decide the command at offset `at`, write what it changes, answer.

    One whose worker died is completed, and answered as it would have been then, or has its answer already.
    """
    await tools.caught_up()
    last = tools.view.last_decision
    if replay.is_answered(command, at, last):
        logs.event(log, logging.INFO, "command_again", request_id=command.command_id, action=command.action)
        return
    decision = replay.decided(command, last) or await _newly_decided(command, at, tools)
    offset = -1
    if isinstance(decision, Decision):
        for key, value in decision.changes:
            offset = await tools.publish(STATE.name, key, value)
        await tools.caught_up()
    await tools.reply(command.reply_slot, _reply(command, decision, offset))
    name = decision.name if isinstance(decision, Refusal) else "done"
    logs.event(log, logging.INFO, "command", request_id=command.command_id, action=command.action, outcome=name)


async def _newly_decided(command: Command, at: int, tools: Managing) -> Decision | Refusal:
    """A decision that is on the topic before anything of what it changes."""
    facts = tools.facts()
    late = facts.now_ms >= command.deadline_ms
    decision = refusals.too_late() if late else _decided(command, tools.view, facts)
    if isinstance(decision, Decision) and decision.changes:
        said = codec.encode(replay.kept(command, at, decision, facts.now_ms))
        if len(said) > RECORD_BYTES:  # Kafka would not take it, and this agent would try for ever
            return refusals.quota(f"This would come to {len(said)} bytes; a change may have at most {RECORD_BYTES}.")
        await tools.publish(STATE.name, replay.KEY, said)
    return decision


def _decided(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    try:
        return decide(command, view, facts)
    except Exception as error:  # noqa: BLE001 - the agent's edge: a defect refuses one command, not all that follow
        logs.event(log, logging.ERROR, "defect", request_id=command.command_id, error=type(error).__name__)
        return refusals.internal(command.command_id)


def _reply(command: Command, decision: Decision | Refusal, offset: int) -> ReplyFinished:
    body = refusals.body(decision, command.command_id) if isinstance(decision, Refusal) else decision.body
    return ReplyFinished(
        request_id=command.command_id,
        boot_id=command.boot_id,
        status=decision.status,
        body=msgspec.Raw(body),
        state_offset=offset,
    )
