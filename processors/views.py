"""Topics every worker reads whole and without a group: configuration, windows, cancels, hand-overs.

One consumer for all of them; each has a handler. `caught_up` is the barrier: everything that was on the topic
when it was asked for has been handled.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from contract import logs
from contract.access import OPEN
from contract.topics import MESSAGE_BYTES, Topic

log = logging.getLogger(__name__)
FETCH_WAIT_MS = 500
Handler = Callable[[ConsumerRecord], None]


class Followed(NamedTuple):
    """How a topic is followed: `handle` each record, from its start or only what comes."""

    handle: Handler
    from_start: bool = True


class Follower:
    """Reads `followed` topics for ever, surviving broker outages."""

    def __init__(self, brokers: str, followed: Mapping[Topic, Followed], security: Mapping[str, Any] = OPEN) -> None:
        self._followed = {topic.name: how for topic, how in followed.items()}
        self._partitions = [TopicPartition(t.name, p) for t in followed for p in range(t.partitions)]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=brokers,
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=MESSAGE_BYTES,
            **security,
        )
        # A consumer that fetches answers other questions only between fetches, half a second late.
        self._asker = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, **security)
        self._position: dict[TopicPartition, int] = {}
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start reading; returns when all that was there has been handled."""
        await self._consumer.start()
        await self._asker.start()
        self._consumer.assign(self._partitions)
        fresh = [tp for tp in self._partitions if not self._followed[tp.topic].from_start]
        old = [tp for tp in self._partitions if self._followed[tp.topic].from_start]
        if old:  # to seek no partition means to seek all of them
            await self._consumer.seek_to_beginning(*old)
        if fresh:
            await self._consumer.seek_to_end(*fresh)
        for tp in self._partitions:
            self._position[tp] = await self._consumer.position(tp)
        self._task = asyncio.create_task(self._read(), name="follower")
        for name in self._followed:
            await self.caught_up(name)

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
        await self._consumer.stop()
        await self._asker.stop()

    async def _read(self) -> None:
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=1_000)
            except KafkaError as error:
                logs.event(log, logging.WARNING, "follower_waits", error=type(error).__name__)
                await asyncio.sleep(0.5)
                continue
            if batches:
                await self._handle(batches)

    async def _handle(self, batches: Mapping[TopicPartition, list[ConsumerRecord]]) -> None:
        for tp, records in batches.items():
            handle = self._followed[tp.topic].handle
            for count, record in enumerate(records, 1):
                try:
                    handle(record)
                except Exception as error:  # noqa: BLE001 - the edge of one record: the next ones must still be read
                    where = f"{tp.topic}/{tp.partition}/{record.offset}"
                    logs.event(log, logging.ERROR, "record_left_out", where=where, error=type(error).__name__)
                if count % 200 == 0:
                    await asyncio.sleep(0)
            self._position[tp] = records[-1].offset + 1
        async with self._moved:
            self._moved.notify_all()

    async def caught_up(self, topic: str) -> None:
        """Wait until everything on the topic as of now has been handled."""
        asked = [tp for tp in self._partitions if tp.topic == topic]
        ends = await self._ends(asked)
        async with self._moved:
            await self._moved.wait_for(lambda: all(self._position[tp] >= end for tp, end in ends.items()))

    async def _ends(self, asked: list[TopicPartition]) -> dict[TopicPartition, int]:
        while True:
            try:
                return dict(await self._asker.end_offsets(asked))
            except KafkaError as error:
                logs.event(log, logging.WARNING, "follower_waits", error=type(error).__name__)
                await asyncio.sleep(0.5)

    async def reached(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `condition` holds after some record; False when the time is over."""
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(condition)
        except TimeoutError:
            return False
        return True
