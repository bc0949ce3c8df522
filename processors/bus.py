"""Publishing: one shared aiokafka producer, every delivery awaited by whoever must not lose it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import DefaultPartitioner

from contract import codec, logs
from contract.access import OPEN, Access
from contract.records import Reply
from contract.topics import DEAD_LETTERS, MESSAGE_BYTES, REPLIES

log = logging.getLogger(__name__)
RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SEND_TIMEOUT_MS = 10_000


def secured(access: Access) -> dict[str, Any]:
    """The options of every client here besides the brokers' addresses; OSError for a file that is of no use."""
    return access.client(create_ssl_context)


class BrokerLost(Exception):
    """A record that must not be lost could not be delivered for so long that the worker has to start anew."""


class Bus:
    """`publish` returns when the record is acknowledged by all replicas, with its offset."""

    def __init__(self, brokers: str, give_up_s: float = 120.0, security: Mapping[str, Any] = OPEN) -> None:
        self._brokers = brokers
        self._security = security
        self._give_up_s = give_up_s
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            acks="all",
            linger_ms=0,
            max_request_size=MESSAGE_BYTES,
            request_timeout_ms=SEND_TIMEOUT_MS,
            **self._security,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Flush and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> Awaitable[Any]:
        """Hand a record to the producer; the delivery is what is returned, for who wants to await it."""
        assert self._producer is not None, "the bus is not started"  # noqa: S101 - a defect, not a condition
        return await self._producer.send(topic, value, key=key.encode(), partition=partition)  # type: ignore[no-any-return]

    async def publish(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> int:
        """Deliver a record that must not be lost, through broker outages; its offset. BrokerLost after `give_up_s`."""
        return await self._delivered(topic, lambda: self.send(topic, key, value, partition))

    async def _delivered(self, topic: str, send: Callable[[], Awaitable[Awaitable[Any]]]) -> int:
        started = asyncio.get_running_loop().time()
        attempt = 0
        while True:
            try:
                return int((await (await send())).offset)
            except KafkaError as error:
                waited = asyncio.get_running_loop().time() - started
                logs.event(log, logging.WARNING, "delivery_failed", topic=topic, error=type(error).__name__)
                if waited > self._give_up_s:
                    raise BrokerLost(topic) from error
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1

    async def reply(self, slot: int, record: Reply) -> None:
        """Deliver a reply to an ingress's slot."""
        await self.publish(REPLIES.name, record.request_id, codec.encode(record), slot)

    async def forward(self, slot: int, request_id: str, record: bytes) -> None:
        """Send a stream's piece. One that is lost shows as a gap in its numbers, so its delivery is not awaited."""
        try:
            delivery = await self.send(REPLIES.name, request_id, record, slot)
        except KafkaError as error:
            logs.event(log, logging.WARNING, "piece_lost", request_id=request_id, error=type(error).__name__)
        else:
            asyncio.ensure_future(delivery).add_done_callback(_heard)

    async def bury(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        """Keep an unreadable record, byte for byte, with the reason in its headers; as `publish` through outages."""
        producer = self._producer
        assert producer is not None, "the bus is not started"  # noqa: S101 - a defect, not a condition
        topic = DEAD_LETTERS.name
        await self._delivered(topic, lambda: producer.send(topic, value, key=key, headers=list(headers)))


def _heard(delivery: "asyncio.Future[Any]") -> None:
    if not delivery.cancelled() and delivery.exception() is not None:
        logs.event(log, logging.WARNING, "piece_lost", error=type(delivery.exception()).__name__)


_PARTITIONER = DefaultPartitioner()


def partition_of(key: str, partitions: int) -> int:
    """The partition every Kafka client with the standard partitioner sends `key` to."""
    numbers = list(range(partitions))
    return int(_PARTITIONER(key.encode(), numbers, numbers))
