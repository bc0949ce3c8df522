"""Changes to the configuration: asked for on `gateway.commands`, answered when this process has read them back."""

from typing import Any

import msgspec

from contract import codec, refusals, topics
from contract.records import Command, ReplyFinished
from contract.refusals import Refusal
from ingress.edge import Call
from ingress.ports import Boot, Publish, State
from ingress.waiting import Silence, Waiters
from ingress.wire import Answer

READ_BACK_SECONDS = 5.0
GRACE_SECONDS = 1.0


class Commands:
    """Publishes commands and waits for what the single writer says."""

    def __init__(self, *, waiters: Waiters, publish: Publish, state: State, boot: Boot, seconds: float) -> None:
        self._waiters = waiters
        self._publish = publish
        self._state = state
        self._boot = boot
        self._seconds = seconds

    async def ask(
        self, call: Call, action: str, body: Any, target: str = "", seconds: float | None = None
    ) -> Answer | Refusal:
        """The writer's answer, once the own view holds the change; 503 broker down, 504 no writer in time.

        `call`: who asks; the command has the id of their request, so that what the writer says names it.
        `body`: anything that JSON can say, with nothing secret in it. `seconds`: other than usual.
        """
        within_s = self._seconds if seconds is None else seconds
        received_at_ms = self._boot.now()
        command = Command(
            command_id=call.request_id,
            action=action,
            requester=call.requester,
            received_at_ms=received_at_ms,
            deadline_ms=received_at_ms + int(within_s * 1000),
            reply_slot=self._boot.slot,
            boot_id=self._boot.boot_id,
            body=msgspec.Raw(msgspec.json.encode(body)),
            target=target,
        )
        reply = await self._exchange(command, within_s)
        return await self._read_back(reply) if isinstance(reply, ReplyFinished) else reply

    async def _exchange(self, command: Command, within_s: float) -> ReplyFinished | Refusal:
        waiter = self._waiters.open(command.command_id)
        if waiter is None:
            return refusals.unavailable("Too many callers wait at the moment.")
        try:
            key = f"{command.action.partition('.')[0]}/{command.target}"
            if not await self._publish(topics.COMMANDS.name, key, codec.encode(command)):
                return refusals.unavailable("The gateway cannot reach its broker.")
            reply = await waiter.take(within_s + GRACE_SECONDS)
        finally:
            self._waiters.close(waiter)
        if isinstance(reply, Silence):
            return refusals.too_late()
        return reply if isinstance(reply, ReplyFinished) else refusals.stream_interrupted()

    async def _read_back(self, reply: ReplyFinished) -> Answer:
        if reply.state_offset >= 0:
            # late or not, the change is made: an error now would make the caller ask for it twice
            await self._state.reached(reply.state_offset, READ_BACK_SECONDS)
        return Answer(status=reply.status, body=bytes(reply.body))
