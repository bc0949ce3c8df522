"""Records out and replies in. With reading.py, views.py and submission_bus.py, the only place that knows aiokafka."""

import asyncio
import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import DefaultPartitioner

from contract import codec, logs, topics
from contract.access import OPEN, Access
from contract.codec import Unreadable
from contract.records import Cancelled, Reply
from ingress.reading import for_ever, started
from ingress.waiting import Waiters

LOG = logging.getLogger(__name__)
PUBLISH_SECONDS = 1.9  # 503 within 2 s (design 4)
REQUEST_TIMEOUT_MS = 1_500
RETRY_SECONDS = 0.3
FETCH_WAIT_MS = 500  # one partition per consumer: data is answered at once, only idleness waits
BATCH_BYTES = 256 * 1024
FETCH_BYTES = 4 * 1024 * 1024
SPREAD = {topic.name: topic.partitions for topic in topics.ALL}
BY_KEY = DefaultPartitioner()
REFUSALS = ("Authentication", "SSL:")


def secured(access: Access) -> dict[str, Any]:
    """The options of every client here besides the brokers' addresses; OSError for a file that is of no use."""
    return access.client(create_ssl_context)


class RefusedOnce(logging.Filter):
    """Of what aiokafka says lets through why a broker will not have us, each text once.

    While the broker is away it says so a hundred times a second; "broker lost" and "broker reached" are ours.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be seen."""
        if record.name.partition(".")[0] != "aiokafka":
            return True
        text = record.getMessage()
        if text in self._said or not any(word in text for word in REFUSALS):
            return False
        self._said.add(text)
        return True


def slot_of(boot_id: str) -> int:
    """The partition of `gateway.replies` that this boot reads; boots may share one."""
    return crc32(boot_id.encode()) % topics.REPLIES.partitions


@lru_cache(maxsize=4_096)
def _place(key: bytes, partitions: tuple[int, ...]) -> int:
    """Kafka's own partition of a key; its hash, in Python, costs 19 us, and limited endpoints come again and again."""
    place: int = BY_KEY(key, list(partitions), list(partitions))
    return place


def _partitioner(key: bytes, all_partitions: list[int], _available: list[int]) -> int:
    return _place(key, tuple(all_partitions))


class Bus:
    """The producer. After a failure it refuses at once and probes until the broker answers again."""

    def __init__(self, brokers: str, client_id: str, security: Mapping[str, Any] = OPEN) -> None:
        self._brokers = brokers
        self._security = security
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._lost = asyncio.Event()
        self._lost.set()
        self._in_background: set[asyncio.Task[bool]] = set()

    @property
    def ready(self) -> bool:
        """Whether the last record reached the broker."""
        return not self._lost.is_set()

    async def publish(self, topic: str, key: str, value: bytes, *, spread: bool = False) -> bool:
        """True once the broker has acknowledged the record; False, within two seconds, when it has not.

        `spread`: any partition will do, so the key is not hashed as Kafka does.
        """
        if self._lost.is_set() or self._producer is None:
            return False
        failure = await self._send(self._producer, topic, key.encode(), value, spread=spread)
        if failure is None:
            return True
        if not self._lost.is_set():
            self._lost.set()
            logs.event(LOG, logging.WARNING, "broker lost", topic=topic, error=type(failure).__name__)
        return False

    @staticmethod
    async def _send(
        producer: AIOKafkaProducer, topic: str, key: bytes, value: bytes, *, spread: bool
    ) -> KafkaError | TimeoutError | None:
        """Why the record was not delivered; None when it was."""
        partition = crc32(key) % SPREAD[topic] if spread else None
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await (await producer.send(topic, value, key=key, partition=partition))
        except (KafkaError, TimeoutError) as error:
            return error
        return None

    def cancel(self, request_id: str) -> None:
        """Tell the workers, without waiting, that nobody waits for this request any more."""
        record = codec.encode(Cancelled(request_id=request_id))
        task = asyncio.create_task(self.publish(topics.CANCELS.name, request_id, record))
        self._in_background.add(task)
        task.add_done_callback(self._in_background.discard)

    async def run(self) -> None:
        """Connect, and after each loss probe until the broker is back; for ever, until cancelled."""
        try:
            self._producer = await self._connected()
            while True:
                if await self._probe(self._producer):
                    self._lost.clear()
                    logs.event(LOG, logging.INFO, "broker reached")
                    await self._lost.wait()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._lost.set()
            if self._producer is not None:
                await self._producer.stop()

    async def _connected(self) -> AIOKafkaProducer:
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._brokers,
                client_id=self._client_id,
                acks="all",
                linger_ms=0,
                max_batch_size=BATCH_BYTES,
                max_request_size=topics.MESSAGE_BYTES,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                partitioner=_partitioner,
                **self._security,
            )
            try:
                await producer.start()
            except KafkaError:
                await producer.stop()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return producer

    async def _probe(self, producer: AIOKafkaProducer) -> bool:
        """Whether a record gets through: a cancel of nobody, which the workers pass over."""
        record = codec.encode(Cancelled(request_id=""))
        return await self._send(producer, topics.CANCELS.name, b"", record, spread=False) is None


def read_reply(value: bytes) -> Reply | Unreadable:
    """A record of `gateway.replies`."""
    kind: Any = Reply  # a union is no type to mypy, but the decoder takes it
    found: Reply | Unreadable = codec.read(kind, value)
    return found


class Replies:
    """Reads this boot's slot of `gateway.replies` from its end as of the start; brings each reply to its waiter."""

    def __init__(
        self, brokers: str, client_id: str, slot: int, waiters: Waiters, security: Mapping[str, Any] = OPEN
    ) -> None:
        self._brokers = brokers
        self._security = security
        self._client_id = client_id
        self._partition = TopicPartition(topics.REPLIES.name, slot)
        self._waiters = waiters
        self._position: int | None = None
        self.ready = False

    async def run(self) -> None:
        """Read for ever, until cancelled; an outage is waited out, and nothing in between is passed over."""
        await for_ever(self._read, "replies interrupted")

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._brokers,
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            check_crcs=False,
            **self._security,
        )
        async with started(consumer):
            await self._follow(consumer)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._partition])
        if self._position is None:
            await consumer.seek_to_end(self._partition)
            self._position = await consumer.position(self._partition)
        consumer.seek(self._partition, self._position)
        self.ready = True
        while True:
            for records in (await consumer.getmany(timeout_ms=FETCH_WAIT_MS * 2)).values():
                for record in records:
                    self._deliver(record.value)
                    self._position = record.offset + 1

    def _deliver(self, value: bytes) -> None:
        reply = read_reply(value)
        if isinstance(reply, Unreadable):
            logs.event(LOG, logging.ERROR, "unreadable reply", why=reply.why)
        else:
            self._waiters.deliver(reply)
