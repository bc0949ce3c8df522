"""`gateway.submissions` read in a consumer group, and the producer for answers and dead letters."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError

from contract import logs, topics
from contract.access import OPEN
from ingress.reading import for_ever, started
from ingress.submissions import Submission

LOG = logging.getLogger(__name__)
GROUP = "headgate-submissions"
BATCH = 100
POLL_MS = 1_000
RETRY_SECONDS = 0.3
REQUEST_TIMEOUT_MS = 1_500
SEND_SECONDS = 10.0


def submission(record: ConsumerRecord) -> Submission:
    """A record as it was read; of two headers with one name the first counts."""
    headers = {name.lower(): value or b"" for name, value in reversed(record.headers)}
    return Submission(
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=headers,
    )


class SubmissionReader:
    """Reads in batches; a batch is committed when each of its submissions has been accepted."""

    def __init__(
        self,
        brokers: str,
        client_id: str,
        accept: Callable[[Submission], Awaitable[None]],
        patience_ms: int,
        security: Mapping[str, Any] = OPEN,
    ) -> None:
        self._brokers = brokers
        self._security = security
        self._client_id = client_id
        self._accept = accept
        self._patience_ms = patience_ms
        self._closing = False
        self._left = asyncio.Event()

    async def run(self) -> None:
        """Read for ever, until cancelled; an outage is waited out."""
        await for_ever(self._read, "submissions interrupted")

    async def close(self, seconds: float) -> None:
        """Take no more. What is being accepted is committed first and the group is left; at most `seconds`."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._left.wait(), seconds)

    async def _read(self) -> None:
        if not self._closing:
            await self._take()
        self._left.set()
        await asyncio.Event().wait()  # for ever, until cancelled

    async def _take(self) -> None:
        consumer = AIOKafkaConsumer(
            topics.SUBMISSIONS.name,
            bootstrap_servers=self._brokers,
            client_id=self._client_id,
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=self._patience_ms,
            **self._security,
        )
        async with started(consumer):
            while not self._closing:
                await self._batch(consumer)

    async def _batch(self, consumer: AIOKafkaConsumer) -> None:
        found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
        if not found:
            return
        await asyncio.gather(*(self._accept(submission(one)) for records in found.values() for one in records))
        # a partition that has moved meanwhile makes this fail: its new owner reads it again, under the same ids
        await consumer.commit({partition: records[-1].offset + 1 for partition, records in found.items()})


class KafkaOutbox:
    """The real `ingress.submissions.Outbox`."""

    def __init__(self, brokers: str, client_id: str, security: Mapping[str, Any] = OPEN) -> None:
        self._brokers = brokers
        self._security = security
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Connect, and stay so until cancelled."""
        try:
            while self._producer is None:
                await self._connect()
            await asyncio.Event().wait()
        finally:
            if self._producer is not None:
                await self._producer.stop()

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers,
            client_id=self._client_id,
            acks="all",
            linger_ms=0,
            max_request_size=topics.MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            **self._security,
        )
        try:
            await producer.start()
        except KafkaError:
            await producer.stop()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            self._producer = producer
            self._connected.set()

    async def _ready(self) -> AIOKafkaProducer:
        await self._connected.wait()
        assert self._producer is not None  # noqa: S101 - connected
        return self._producer

    async def knows(self, topic: str, partition: int | None) -> bool:
        """Whether the broker has that topic, with that partition; an outage is waited out."""
        producer = await self._ready()
        while True:
            try:
                partitions = await producer.partitions_for(topic)
            except KafkaError:
                if await producer.client.force_metadata_update():
                    return False  # the broker has answered, and does not know it
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return partition is None or partition in partitions

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        partition: int | None,
    ) -> bool:
        """True once the broker has acknowledged the record; False, within ten seconds, when it has not."""
        producer = await self._ready()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await producer.send_and_wait(topic, value, key=key, headers=list(headers), partition=partition)
        except (KafkaError, TimeoutError) as error:
            logs.event(LOG, logging.WARNING, "answer not delivered", topic=topic, error=type(error).__name__)
            return False
        return True
