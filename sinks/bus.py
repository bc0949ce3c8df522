"""All of aiokafka in this house: feeds that follow a topic, and how far groups lag behind.

A feed commits by hand, once per batch. Whether before or after the batch is taken is its promise:
before, a crash loses at most that batch and never repeats one; after, a crash repeats that batch and
never loses one.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from contract import logs
from contract.access import OPEN, Access
from sinks.record import Take

FETCH_WAIT_MS = 1_000
BATCH = 1_000
PAUSE_S = 1.0  # one batch a second at most, unless batches come full: a scrape sees no difference
RETRY_S = 5.0
SESSION_MS = 6_000  # the broker's least: how long a killed process keeps its partitions from the next one
METADATA_AGE_MS = 30_000  # a topic created after the sinks have started is found this soon
LOG = logging.getLogger(__name__)


Reads = Mapping[str, Sequence[str]]  # group -> the topics it reads


def secured(access: Access) -> dict[str, Any]:
    """The options of every client here besides the brokers' addresses; OSError for a file that is of no use."""
    return access.client(create_ssl_context)


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A topic, the group that reads it, and what takes its records."""

    topic: str
    group: str
    commit: Literal["before", "after"]
    take: Take


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Records of a partition that a group has not committed yet."""

    group: str
    topic: str
    partition: int
    records: int


async def follow(
    feed: Feed, brokers: str, stop: asyncio.Event, started: Callable[[], None], security: Mapping[str, Any] = OPEN
) -> None:
    """Hand over every batch of the feed until `stop` is set; an outage is logged and tried again.

    After an outage the consumer is made anew, so that it goes on from what is committed.
    `started` is called each time the group has been joined.
    """
    while not stop.is_set():
        try:
            await _join_and_take(feed, brokers, stop, started, security)
        except (KafkaError, OSError) as outage:
            logs.event(LOG, logging.WARNING, "feed interrupted", topic=feed.topic, why=repr(outage))
            await pause(stop, RETRY_S)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait until `stop` is set, `seconds` at most."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _join_and_take(
    feed: Feed, brokers: str, stop: asyncio.Event, started: Callable[[], None], security: Mapping[str, Any]
) -> None:
    consumer = AIOKafkaConsumer(
        feed.topic,
        bootstrap_servers=brokers,
        group_id=feed.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=SESSION_MS // 3,
        metadata_max_age_ms=METADATA_AGE_MS,
        **security,
    )
    try:
        await consumer.start()
        started()
        while not stop.is_set():
            if await take_batch(consumer, feed) < BATCH:
                await pause(stop, PAUSE_S)
    finally:
        await consumer.stop()


async def take_batch(consumer: AIOKafkaConsumer, feed: Feed) -> int:
    """Take what has come, in the feed's order of commit and take; the number of records."""
    batches = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=BATCH)
    records = [record for batch in batches.values() for record in batch]
    if not records:
        return 0
    ends = {partition: batch[-1].offset + 1 for partition, batch in batches.items()}
    if feed.commit == "before":
        await consumer.commit(ends)
        await feed.take(records)
    else:
        await feed.take(records)
        await consumer.commit(ends)
    return len(records)


async def watch_lag(
    reads: Reads,
    brokers: str,
    every_s: float,
    stop: asyncio.Event,
    show: Callable[[Sequence[Lag]], None],
    security: Mapping[str, Any] = OPEN,
) -> None:
    """Call `show` with the lag of every group each `every_s` seconds until `stop` is set; with none in an outage."""
    while not stop.is_set():
        try:
            await _look_and_show(reads, brokers, every_s, stop, show, security)
        except (KafkaError, OSError) as outage:
            show(())
            logs.event(LOG, logging.WARNING, "lag unknown", why=repr(outage))
            await pause(stop, every_s)


async def _look_and_show(
    reads: Reads,
    brokers: str,
    every_s: float,
    stop: asyncio.Event,
    show: Callable[[Sequence[Lag]], None],
    security: Mapping[str, Any],
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, **security)
    offsets = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, **security)
    try:
        await admin.start()
        await offsets.start()
        while not stop.is_set():
            show([lag for group, topics in reads.items() for lag in await lags(admin, offsets, group, topics)])
            await pause(stop, every_s)
    finally:
        await offsets.stop()
        await admin.close()


async def lags(admin: AIOKafkaAdminClient, offsets: AIOKafkaConsumer, group: str, topics: Sequence[str]) -> list[Lag]:
    """How far `group` is behind on every partition of `topics` that exists.

    Where it has never committed, everything that still lies there is behind.
    """
    described = await admin.describe_topics(list(topics))
    there = [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
    if not there:
        return []
    committed = await admin.list_consumer_group_offsets(group, partitions=there)
    firsts, ends = await offsets.beginning_offsets(there), await offsets.end_offsets(there)
    done = {at: max(firsts[at], committed[at].offset if at in committed else -1) for at in there}
    return [
        Lag(group=group, topic=at.topic, partition=at.partition, records=max(0, ends[at] - done[at]))
        for at in sorted(there)
    ]
