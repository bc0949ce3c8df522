"""The configuration, read from `gateway.state` from its beginning and followed for ever."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contract import topics
from contract.access import OPEN
from contract.state import View
from ingress.reading import for_ever, started

LOOK_SECONDS = 2.0
FETCH_WAIT_MS = 500
STATE = TopicPartition(topics.STATE.name, 0)


class Progress:
    """How far a reader has come, and who waits for it to come further."""

    def __init__(self) -> None:
        self.position = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def moved(self, position: int) -> None:
        """The reader has taken everything before `position`."""
        self.position = position
        still = []
        for wanted, future in self._waiting:
            if wanted > position:
                still.append((wanted, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still

    async def reached(self, position: int, seconds: float) -> bool:
        """Wait until everything before `position` is taken; False after `seconds`."""
        if self.position >= position:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (position, future)
        self._waiting.append(entry)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            self._waiting = [other for other in self._waiting if other is not entry]
            return False
        return True


class StateReader:
    """Keeps a `View`; see `ingress.ports.State` for what it promises."""

    def __init__(self, brokers: str, client_id: str, security: Mapping[str, Any] = OPEN) -> None:
        self._brokers = brokers
        self._security = security
        self._client_id = client_id
        self._progress = Progress()
        self._started_at_end: int | None = None
        self._ends: AIOKafkaConsumer | None = None
        self._look: asyncio.Task[bool] | None = None
        self._next_look: asyncio.Task[bool] | None = None
        self.view = View()

    @property
    def ready(self) -> bool:
        """Whether the view has reached the end that the topic had at start."""
        return self._started_at_end is not None and self._progress.position >= self._started_at_end

    async def reached(self, offset: int, seconds: float) -> bool:
        """Wait until the view holds `offset`; False after `seconds`."""
        return await self._progress.reached(offset + 1, seconds)

    async def caught_up(self, seconds: float) -> bool:
        """Wait until the view holds what the topic holds now; False after `seconds`.

        However many ask, the broker is asked once at a time: who comes while it is asked shares the next look.
        """
        if self._next_look is None:
            self._next_look = asyncio.create_task(self._look_once(self._look))
        try:
            return await asyncio.wait_for(asyncio.shield(self._next_look), seconds)
        except TimeoutError:
            return False

    async def _look_once(self, before: asyncio.Task[bool] | None) -> bool:
        if before is not None:
            await asyncio.wait([before])
        self._look, self._next_look = self._next_look, None
        if self._ends is None:
            return False
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                end = await self._end(self._ends)
        except (KafkaError, TimeoutError):
            return False
        return await self._progress.reached(end, LOOK_SECONDS)

    @staticmethod
    async def _end(ends: AIOKafkaConsumer) -> int:
        found: int = (await ends.end_offsets([STATE]))[STATE]
        return found

    async def run(self) -> None:
        """Read for ever, until cancelled; an outage is waited out."""
        await for_ever(self._read, "state interrupted")

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._brokers,
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            **self._security,
        )

    async def _read(self) -> None:
        # two consumers: on one connection the question for the end would queue behind a fetch that waits for data
        async with started(self._consumer()) as consumer, started(self._consumer()) as ends:
            self._ends = ends
            try:
                await self._follow(consumer, ends)
            finally:
                self._ends = None

    async def _follow(self, consumer: AIOKafkaConsumer, ends: AIOKafkaConsumer) -> None:
        if self._started_at_end is None:
            self._started_at_end = await self._end(ends)
        consumer.assign([STATE])
        if self._progress.position:
            consumer.seek(STATE, self._progress.position)
        else:
            await consumer.seek_to_beginning(STATE)
        while True:
            for records in (await consumer.getmany(timeout_ms=FETCH_WAIT_MS * 2)).values():
                for record in records:
                    self.view.fold(record.key.decode(), record.value, record.offset)
            self._progress.moved(await consumer.position(STATE))
