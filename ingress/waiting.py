"""Who waits for which answer, and in what order a streamed one is let through. No I/O, no clock but the loop's."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from enum import Enum

import msgspec

from contract import logs, refusals
from contract.records import Reply, ReplyChunk, ReplyFinished, ReplyStarted
from ingress.ports import Cancel

LOG = logging.getLogger(__name__)
Opened = Callable[[Reply], Reply | None]
"""A sealed reply as the worker meant it; None when it cannot be opened."""


class Silence(Enum):
    """Why there is no reply: the time is over, the caller has gone, the caller reads too slowly."""

    LATE = "late"
    GONE = "gone"
    OVERFLOW = "overflow"


class Waiter:
    """One caller's place: the pieces of its answer in order of arrival, until they are taken."""

    __slots__ = ("_bytes", "_end", "_finished", "_limit_bytes", "_pieces", "_wake", "request_id")

    def __init__(self, request_id: str, limit_bytes: int) -> None:
        self.request_id = request_id
        self._limit_bytes = limit_bytes
        self._pieces: deque[Reply] = deque()
        self._bytes = 0
        self._finished = False
        self._end: Silence | None = None
        self._wake: asyncio.Future[None] | None = None

    def offer(self, reply: Reply) -> bool:
        """Take a piece; False when the caller has fallen too far behind, and then all that waits is dropped."""
        if self._finished or self._end is not None:
            return True  # the first end wins
        self._finished = isinstance(reply, ReplyFinished)
        self._bytes += weight(reply)
        self._pieces.append(reply)
        # a lone piece always fits: an answer may be larger than what may pile up
        if self._bytes > self._limit_bytes and len(self._pieces) > 1:
            self._stop(Silence.OVERFLOW)
            return False
        self._rouse()
        return True

    def hang_up(self) -> None:
        """The caller has gone."""
        self._stop(Silence.GONE)

    def _stop(self, why: Silence) -> None:
        self._end = why
        self._pieces.clear()
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def take(self, seconds: float) -> Reply | Silence:
        """The next piece, or why there is none; waits at most `seconds`."""
        if not self._pieces and self._end is None:
            loop = asyncio.get_running_loop()
            self._wake = loop.create_future()
            timer = loop.call_later(seconds, self._rouse)
            try:
                await self._wake
            finally:
                timer.cancel()
                self._wake = None
        if self._end is not None:
            return self._end
        if not self._pieces:
            return Silence.LATE
        reply = self._pieces.popleft()
        self._bytes -= weight(reply)
        return reply


def weight(reply: Reply) -> int:
    """Bytes a piece holds, roughly: characters of its events, bytes of its body."""
    size = len(reply.data)
    return size + len(reply.body) if isinstance(reply, ReplyFinished) else size


class Waiters:
    """Every caller that waits, by request id, and never more than `limit` of them.

    `cancel` is called for a request whose caller has fallen too far behind, or whose answer cannot be opened.
    """

    def __init__(self, *, boot_id: str, limit: int, stream_bytes: int, cancel: Cancel, opened: Opened) -> None:
        self._boot_id = boot_id
        self._limit = limit
        self._stream_bytes = stream_bytes
        self._cancel = cancel
        self._opened = opened
        self._by_id: dict[str, Waiter] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def open(self, request_id: str) -> Waiter | None:
        """A place for one request; None when all are taken."""
        if len(self._by_id) >= self._limit:
            return None
        waiter = self._by_id[request_id] = Waiter(request_id, self._stream_bytes)
        return waiter

    def close(self, waiter: Waiter) -> None:
        """Give the place back; what still arrives for it is dropped."""
        self._by_id.pop(waiter.request_id, None)

    def deliver(self, reply: Reply) -> None:
        """Bring a reply to whoever waits for it; those of other boots and of nobody are dropped."""
        if reply.boot_id != self._boot_id:
            return
        waiter = self._by_id.get(reply.request_id)
        if waiter is None:
            return
        if reply.sealed:
            reply = self._opened(reply) or self._unopened(reply)
        if not waiter.offer(reply):
            self._cancel(reply.request_id)

    def _unopened(self, reply: Reply) -> Reply:
        """The end of an answer of which a part cannot be opened: its status, or, of no attempt, a broken stream."""
        logs.event(LOG, logging.ERROR, "unopened reply", request_id=reply.request_id)
        self._cancel(reply.request_id)
        refusal = refusals.unopened("answer")
        body = msgspec.Raw(refusals.body(refusal, reply.request_id))
        return ReplyFinished(request_id=reply.request_id, boot_id=reply.boot_id, status=refusal.status, body=body)


class Budget:
    """Bytes of bodies held at once."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.taken = 0

    def take(self, size: int) -> bool:
        """Take `size` bytes; False, and nothing taken, when they are not there."""
        if self.taken + size > self._limit_bytes:
            return False
        self.taken += size
        return True

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        self.taken -= size


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """What a reply adds to a stream. `last`: it is complete; `broken`: it never will be."""

    data: str = ""
    last: bool = False
    broken: bool = False


NOTHING = Piece()
BROKEN = Piece(broken=True)


class Stream:
    """Lets one attempt's pieces through, in order: the attempt that started it (stream.md 10, item 5).

    A piece seen before is dropped; a gap or another attempt breaks the stream, because its first pieces are gone.
    """

    def __init__(self, started: ReplyStarted) -> None:
        self._attempt = started.attempt
        self._next_seq = 1

    def piece(self, reply: Reply) -> Piece:
        """What `reply` adds."""
        if reply.attempt != self._attempt:
            return BROKEN
        match reply:
            case ReplyStarted():
                return NOTHING
            case ReplyChunk():
                return self._chunk(reply)
            case ReplyFinished():
                return Piece(data=reply.data, last=True) if reply.seq == self._next_seq else BROKEN

    def _chunk(self, chunk: ReplyChunk) -> Piece:
        if chunk.seq > self._next_seq:
            return BROKEN
        if chunk.seq < self._next_seq:
            return NOTHING
        self._next_seq += 1
        return Piece(data=chunk.data)
