"""The ack gate: bounded tasks, acks in offset order from the head.

Faust commits past a message still in flight (docs/decisions/0001). So events are taken without acking, one task works
each, and an offset is released only when every offset before it on its partition is done and, where rate limits
need it, covered by a published snapshot. The gate outlives an agent that Faust restarts.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple, Protocol

from contract import logs

log = logging.getLogger(__name__)


class Message(Protocol):
    """What the gate needs of a Kafka message."""

    topic: str
    partition: int
    offset: int


class Event(Protocol):
    """What the gate needs of a Faust event."""

    @property
    def message(self) -> Message:
        """Where the event comes from."""
        ...

    def ack(self) -> bool:
        """Mark the event's offset as safe to commit."""
        ...


Lane = tuple[str, int]  # topic, partition


class Load(NamedTuple):
    """What an event weighs while it is in flight: its endpoint's name and its size in bytes."""

    endpoint: str
    size: int


class Bounds(NamedTuple):
    """How much may be in flight at once, and the share of both that one endpoint may hold."""

    requests: int
    size: int
    share: float


class Entry:
    """One event in flight. `work` is what its owner can finish after a hand-over; None: it has to be done before."""

    __slots__ = ("done", "event", "handed_over", "load", "needs_cover", "task", "work")

    def __init__(self, event: Event, load: Load, work: Any, needs_cover: bool) -> None:
        self.task: asyncio.Task[None] | None = None
        self.event = event
        self.load = load
        self.work = work
        self.needs_cover = needs_cover
        self.done = False
        self.handed_over = False


class Gate:
    """Starts one task per event and releases offsets in order, in O(1) per completion."""

    def __init__(self, bounds: Bounds, crash: Callable[[BaseException], None]) -> None:
        self._bounds = bounds
        self._crash = crash
        self._lanes: dict[Lane, deque[Entry]] = {}
        self._covered: dict[Lane, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()
        self.open = False
        self.requests = 0
        self.size = 0
        self._requests_of: Counter[str] = Counter()
        self._size_of: Counter[str] = Counter()

    async def room(self) -> None:
        """Wait until the worker may take one more event; until then the backlog stays in Kafka."""
        while self.requests >= self._bounds.requests or self.size >= self._bounds.size:
            self._room.clear()
            await self._room.wait()

    def share_is_full(self, load: Load) -> bool:
        """Whether the endpoint already holds its share of requests or bytes."""
        share = self._bounds.share
        return (
            self._requests_of[load.endpoint] >= self._bounds.requests * share
            or self._size_of[load.endpoint] + load.size > self._bounds.size * share
        )

    def start(
        self,
        event: Event,
        load: Load,
        finish: Coroutine[Any, Any, None],
        *,
        work: Any = None,
        needs_cover: bool = False,
    ) -> Entry:
        """Enter `event` and run `finish` as its task. `finish` must not raise: if it does, that is a defect."""
        entry = Entry(event, load, work, needs_cover)
        message = event.message
        self._lanes.setdefault((message.topic, message.partition), deque()).append(entry)
        self._count(load, 1)
        task = entry.task = asyncio.create_task(finish)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, entry))
        return entry

    def _count(self, load: Load, one: int) -> None:
        self.requests += one
        self.size += one * load.size
        self._requests_of[load.endpoint] += one
        self._size_of[load.endpoint] += one * load.size
        if one < 0:
            self._room.set()
            if not self._requests_of[load.endpoint]:
                del self._requests_of[load.endpoint], self._size_of[load.endpoint]

    def _ended(self, task: asyncio.Task[None], entry: Entry) -> None:
        self._tasks.discard(task)
        self._count(entry.load, -1)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            # Not acked: the event is replayed by whoever owns the partition next.
            logs.event(log, logging.ERROR, "task_failed", error=repr(error))
            self.open = False  # and nothing is begun any more
            self._crash(error or asyncio.CancelledError())
            return
        entry.done = True
        if not entry.handed_over:
            message = entry.event.message
            self._release((message.topic, message.partition))

    def _release(self, lane: Lane) -> None:
        entries = self._lanes.get(lane)
        covered = self._covered.get(lane, -1)
        while entries and entries[0].done:
            head = entries[0]
            if head.needs_cover and head.event.message.offset > covered:
                return
            entries.popleft()
            head.event.ack()

    def cover(self, lane: Lane, offset: int) -> None:
        """A snapshot up to `offset` is on its topic: what waited for it may go."""
        self._covered[lane] = max(offset, self._covered.get(lane, -1))
        self._release(lane)

    def close_lanes(self) -> list[Entry]:
        """Begin a hand-over: no event is taken until `open_lanes`; returns those still at work or unacked."""
        self.open = False
        entries = [entry for lane in self._lanes.values() for entry in lane]
        self._lanes.clear()
        self._covered.clear()
        for entry in entries:
            entry.handed_over = True
        return entries

    def open_lanes(self) -> None:
        """Partitions have been assigned: events may be taken."""
        self.open = True

    @staticmethod
    async def delivered(entries: Iterable[Entry]) -> None:
        """Wait for what must not be left to anybody: dead letters, records published once more, commands."""
        tasks = {entry.task for entry in entries if entry.work is None and entry.task and not entry.done}
        if tasks:
            await asyncio.wait(tasks)

    @staticmethod
    def ack_all(entries: Iterable[Entry]) -> None:
        """End a hand-over: the offsets may be committed, whether their tasks are done or not.

        Save those of a partition from the first one on that had to be done and has failed: they are replayed.
        """
        failed: set[Lane] = set()
        for entry in entries:
            lane = (entry.event.message.topic, entry.event.message.partition)
            if entry.work is None and not entry.done:
                failed.add(lane)
            if lane not in failed:
                entry.event.ack()

    async def drained(self, timeout_s: float) -> bool:
        """Wait for every task; False when some are still running after `timeout_s`."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        return not self._tasks
