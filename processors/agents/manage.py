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
from processors.control.base import Decision, Facts
from processors.control.decide import decide

log = logging.getLogger(__name__)


class Managing(NamedTuple):
    """What managing takes. `caught_up`: waits until the view holds everything on `gateway.state` as of now."""

    view: View
    caught_up: Callable[[], Awaitable[None]]
    facts: Callable[[], Facts]
    publish: Publish
    reply: Callable[[int, ReplyFinished], Awaitable[None]]
    bury: Callable[[Any, str], Awaitable[None]]


def managing(tools: Managing) -> Callable[[AsyncIterator[Any]], Awaitable[None]]:
    """Build the agent. An event is acked when its change and its reply are delivered."""

    async def manage(events: AsyncIterator[Any]) -> None:
        async for event in events:
            command = codec.read(Command, event.message.value)
            if isinstance(command, Unreadable):
                await tools.bury(event, command.why)
            else:
                await carry_out(command, tools)
            event.ack()

    return manage


async def carry_out(command: Command, tools: Managing) -> None:
    """Decide one command, write what it changes, answer."""
    await tools.caught_up()
    facts = tools.facts()
    late = facts.now_ms >= command.deadline_ms
    decision = refusals.too_late() if late else _decided(command, tools.view, facts)
    offset = -1
    if isinstance(decision, Decision):
        for key, value in decision.changes:
            offset = await tools.publish(STATE.name, key, value)
        await tools.caught_up()
    await tools.reply(command.reply_slot, _reply(command, decision, offset))
    name = decision.name if isinstance(decision, Refusal) else "done"
    logs.event(log, logging.INFO, "command", request_id=command.command_id, action=command.action, outcome=name)


def _decided(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    try:
        return _fitting(decide(command, view, facts))
    except Exception as error:  # noqa: BLE001 - the agent's edge: a defect refuses one command, not all that follow
        logs.event(log, logging.ERROR, "defect", request_id=command.command_id, error=type(error).__name__)
        return refusals.internal(command.command_id)


def _fitting(decision: Decision | Refusal) -> Decision | Refusal:
    """The decision; 400 when it makes a record that Kafka does not take, which this agent would try for ever."""
    if isinstance(decision, Refusal):
        return decision
    biggest = max(len(decision.body), *(len(value or b"") for _, value in decision.changes), 0)
    if biggest <= RECORD_BYTES:
        return decision
    return refusals.quota(f"This would come to {biggest} bytes; a resource may have at most {RECORD_BYTES}.")


def _reply(command: Command, decision: Decision | Refusal, offset: int) -> ReplyFinished:
    body = refusals.body(decision, command.command_id) if isinstance(decision, Refusal) else decision.body
    return ReplyFinished(
        request_id=command.command_id,
        boot_id=command.boot_id,
        status=decision.status,
        body=msgspec.Raw(body),
        state_offset=offset,
    )
