"""A streamed answer on its way to the ingress: the first piece at once, then what came within ten milliseconds."""

import asyncio
from collections.abc import Awaitable, Callable

from contract import codec
from contract.records import ReplyChunk, ReplyStarted, RequestReceived
from processors.sealing import Transit

COALESCE_S = 0.010
MOST_WAITING = 256 * 1024  # characters: what waits goes into one record, at the end with the last one
Send = Callable[[int, str, bytes], Awaitable[None]]  # slot, request id, record


class Relay:
    """Pieces of one stream, numbered without gaps. A lost piece shows as a gap, which the ingress ends loudly."""

    def __init__(self, request: RequestReceived, attempt: str, entity: str, version: int, send: Send) -> None:
        self._request = request
        self.attempt = attempt
        self._entity = entity
        self._version = version
        self._send = send
        self._waiting: list[str] = []
        self._size = 0  # of what is waiting
        self._timer: asyncio.TimerHandle | None = None
        self._tail: asyncio.Task[None] | None = None
        self.transit: Transit | None = None  # seals the pieces, where values are put back into them
        self.seq = 0

    def write(self, events: str, at_once: bool) -> None:
        """Send server-sent events in order: at once, or with what else comes within ten milliseconds."""
        if at_once and not self._waiting:
            self._emit(events)
            return
        self._waiting.append(events)
        self._size += len(events)
        if self._size > MOST_WAITING:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COALESCE_S, self._flush)

    def _flush(self) -> None:
        events = self._waited()
        if events:
            self._emit(events)

    def _waited(self) -> str:
        """What is waiting, which is nothing then."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events = "".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return events

    def _emit(self, events: str) -> None:
        request = self._request
        record: ReplyStarted | ReplyChunk
        if self.seq == 0:
            record = ReplyStarted(
                request_id=request.request_id,
                boot_id=request.boot_id,
                attempt=self.attempt,
                data=events,
                served_entity_name=self._entity,
                config_version=self._version,
            )
        else:
            record = ReplyChunk(
                request_id=request.request_id,
                boot_id=request.boot_id,
                attempt=self.attempt,
                seq=self.seq,
                data=events,
            )
        self.seq += 1
        if self.transit is not None:
            record = self.transit.reply(record)
        self._tail = asyncio.create_task(self._after(self._tail, codec.encode(record)))

    async def _after(self, before: asyncio.Task[None] | None, record: bytes) -> None:
        if before is not None and not before.done():
            await before
        await self._send(self._request.reply_slot, self._request.request_id, record)

    async def close(self) -> str:
        """Stop sending; returns the events not sent yet, which go with the stream's last record."""
        rest = self._waited()
        if self._tail is not None:
            await self._tail
        return rest
