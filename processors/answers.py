"""Answers to Kafka producers, on topics of their own: by a producer that harms nobody else when such a topic is bad."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from contract import codec, logs
from contract.access import OPEN
from contract.records import RequestReceived, SubmissionAnswered, Submitted
from contract.topics import MESSAGE_BYTES, SUBMISSIONS
from processors.bus import BrokerLost

log = logging.getLogger(__name__)
TRIES = 5
RETRY_S = 0.3
SEND_TIMEOUT_MS = 1_500
REASON = "reply-topic: the answer could not be delivered"
Headers = Sequence[tuple[str, bytes]]
Bury = Callable[[bytes | None, bytes | None, Headers], Awaitable[None]]


class Answers:
    """Connects with the first answer: where nobody submits, nothing is held for it."""

    def __init__(self, brokers: str, bury: Bury, give_up_s: float = 120.0, security: Mapping[str, Any] = OPEN) -> None:
        self._brokers = brokers
        self._security = security
        self._bury = bury
        self._give_up_s = give_up_s
        self._producer: AIOKafkaProducer | None = None
        self._one_at_a_time = asyncio.Lock()

    async def send(self, request: RequestReceived, status: int, body: bytes) -> None:
        """Deliver an answer where its producer wants one; one that its topic does not take becomes a dead letter.

        An outage of the broker is waited out, BrokerLost after `give_up_s`.
        """
        to = request.submitted
        if to is None or to.reply_topic is None:
            return
        value = codec.encode(
            SubmissionAnswered(
                request_id=request.request_id,
                client_request_id=request.client_request_id,
                status=status,
                body=msgspec.Raw(body),
            )
        )
        if not await self._delivered(to.reply_topic, to, value):
            logs.event(log, logging.WARNING, "answer_aside", request_id=request.request_id)
            await self._bury(to.key, value, _origin(to))

    async def stop(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def _delivered(self, topic: str, to: Submitted, value: bytes) -> bool:
        now = asyncio.get_running_loop().time
        give_up_at = now() + self._give_up_s
        tries = 0
        while tries < TRIES:
            failure = await self._failure(topic, to, value)
            if failure is None:
                return True
            logs.event(log, logging.WARNING, "answer_not_delivered", topic=topic, error=type(failure).__name__)
            if await self._reachable():
                tries += 1  # the broker is there, so it is the topic
            elif now() > give_up_at:
                raise BrokerLost(topic) from failure
            await asyncio.sleep(RETRY_S)
        return False

    async def _failure(self, topic: str, to: Submitted, value: bytes) -> KafkaError | None:
        header = to.client_request_id
        headers = [] if header is None else [("client-request-id", header.encode())]
        try:
            producer = await self._connected()
            if to.reply_partition is not None and to.reply_partition not in await producer.partitions_for(topic):
                return UnknownTopicOrPartitionError(topic)
            await producer.send_and_wait(topic, value, key=to.key, headers=headers, partition=to.reply_partition)
        except KafkaError as error:
            return error
        return None

    async def _connected(self) -> AIOKafkaProducer:
        async with self._one_at_a_time:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._brokers,
                    acks="all",
                    linger_ms=0,
                    max_request_size=MESSAGE_BYTES,
                    request_timeout_ms=SEND_TIMEOUT_MS,
                    **self._security,
                )
                try:
                    await producer.start()
                except KafkaError:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def _reachable(self) -> bool:
        return self._producer is not None and bool(await self._producer.client.force_metadata_update())


def _origin(to: Submitted) -> Headers:
    """A dead letter's headers: where the submission came from, as for all dead letters."""
    said = {"reason": REASON, "topic": SUBMISSIONS.name, "partition": to.partition, "offset": to.offset}
    return [(name, str(one).encode()) for name, one in said.items()]
