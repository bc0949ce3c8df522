"""A feed's promise: when it commits, and what an outage does."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from sinks import bus
from sinks.bus import Feed, take_batch
from sinks.record import Record
from tests.sinks.rows import Row

FIRST, SECOND = TopicPartition("gateway.log", 0), TopicPartition("gateway.log", 1)


class Consumer:
    """What `take_batch` uses of aiokafka's consumer; notes the order of what is done to it."""

    def __init__(self, batches: dict[TopicPartition, list[Row]], refuse: Exception | None = None) -> None:
        self.batches, self.refuse = batches, refuse
        self.done: list[Any] = []

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Row]]:
        assert timeout_ms >= 500
        assert max_records == bus.BATCH
        return self.batches

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refuse:
            raise self.refuse
        self.done.append(offsets)


def feed(consumer: Consumer, commit: Literal["before", "after"], fails: Exception | None = None) -> Feed:
    async def take(records: Sequence[Record]) -> None:
        if fails:
            raise fails
        consumer.done.append([record.offset for record in records])

    return Feed(topic="gateway.log", group="g", commit=commit, take=take)


def some() -> dict[TopicPartition, list[Row]]:
    return {FIRST: [Row(offset=4), Row(offset=5)], SECOND: [Row(offset=9)]}


def take(consumer: Consumer, one: Feed) -> int:
    return asyncio.run(take_batch(consumer, one))


def test_a_feed_that_commits_before_takes_only_what_is_committed() -> None:
    consumer = Consumer(some())
    assert take(consumer, feed(consumer, "before")) == 3
    assert consumer.done == [{FIRST: 6, SECOND: 10}, [4, 5, 9]]


def test_a_refused_commit_leaves_the_batch_uncounted() -> None:
    consumer = Consumer(some(), refuse=CommitFailedError())
    with pytest.raises(CommitFailedError):
        take(consumer, feed(consumer, "before"))
    assert consumer.done == []


def test_a_feed_that_commits_after_has_taken_everything_first() -> None:
    consumer = Consumer(some())
    take(consumer, feed(consumer, "after"))
    assert consumer.done == [[4, 5, 9], {FIRST: 6, SECOND: 10}]


def test_a_batch_that_could_not_be_taken_is_not_committed() -> None:
    consumer = Consumer(some())
    with pytest.raises(OSError, match="disk"):
        take(consumer, feed(consumer, "after", fails=OSError("disk")))
    assert consumer.done == []


def test_an_empty_batch_commits_nothing() -> None:
    consumer = Consumer({})
    assert take(consumer, feed(consumer, "before")) == 0
    assert consumer.done == []


def test_a_pause_ends_when_it_is_told_to_stop() -> None:
    async def pause() -> None:
        stop = asyncio.Event()
        waiting = asyncio.create_task(bus.pause(stop, 3_600))
        await asyncio.sleep(0)
        stop.set()
        await waiting

    asyncio.run(pause())
