"""Queries from Kafka producers: from a record of `gateway.submissions` to one of `gateway.requests`, and its answer.

The same checks, limits, guardrails and rows as over HTTP; docs/kafka.md says what a producer writes and reads.
"""

import asyncio
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import msgspec

from contract import codec, logs, refusals, topics
from contract.records import RequestReceived, SubmissionAnswered, Submitted
from contract.refusals import Refusal
from ingress import wire
from ingress.identity import Identity
from ingress.intake import Asked, Intake, Query
from ingress.ports import Boot, Publish
from ingress.waiting import Waiter, Waiters

LOG = logging.getLogger(__name__)
NAMES = uuid.UUID("9d9c1f52-6c0b-4d0e-8a4e-3c1f2f3e7a10")
TOPIC_PATTERN = r"[A-Za-z0-9._-]{1,249}"  # Kafka's own
OURS = ("gateway.", "__")  # an answer must never be taken for a record of ours, nor for one of Kafka's
IN_FLIGHT = 1_000
ANSWER_TRIES = 5
RETRY_SECONDS = 0.3
GRACE_SECONDS = 2.0
STREAMED = refusals.invalid("stream: a submission is answered by one record; leave it out")


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A record as a producer wrote it; header names in lower case."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @property
    def request_id(self) -> str:
        """Its request's id: the same whenever and by whomever it is read, so a second reading makes no second row."""
        place = f"{self.partition}/{self.offset}/{self.timestamp_ms}"
        return str(uuid.uuid5(NAMES, place))


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers say."""

    token: str
    reply_topic: str | None = None
    reply_partition: int | None = None
    client_request_id: str | None = None


class Poison(msgspec.Struct, frozen=True, kw_only=True):
    """Why nobody can be answered."""

    reason: str


class Outbox(Protocol):
    """Where refusals and dead letters go; not the bus of the requests, so that a bad reply topic harms only itself."""

    async def knows(self, topic: str, partition: int | None) -> bool:
        """Whether the broker has that topic, with that partition; an outage is waited out."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        partition: int | None,
    ) -> bool:
        """True once the broker has acknowledged the record."""


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """The ways out and back: requests by `publish`, refusals by `outbox`; by `waiters`, that a request has ended."""

    waiters: Waiters
    publish: Publish
    outbox: Outbox


def envelope(headers: Mapping[str, bytes]) -> Envelope | Poison:
    """Read the headers; their values are text in UTF-8.

    >>> envelope({"authorization": b"Bearer dapi1", "reply-topic": b"answers"}).reply_topic
    'answers'
    >>> envelope({}).reason
    'authorization: no bearer token'
    """
    text = {name: value.decode(errors="replace") for name, value in headers.items()}
    token = wire.bearer([(b"authorization", headers.get("authorization", b""))])
    topic, partition = text.get("reply-topic"), text.get("reply-partition")
    if token is None:
        return Poison(reason="authorization: no bearer token")
    if topic is not None and (not re.fullmatch(TOPIC_PATTERN, topic) or topic.startswith(OURS)):
        return Poison(reason="reply-topic: no topic of this name may be answered on")
    if partition is not None and not re.fullmatch(r"[0-9]{1,9}", partition):
        return Poison(reason="reply-partition: must be a whole number")
    return Envelope(
        token=token,
        reply_topic=topic,
        reply_partition=None if partition is None else int(partition),
        client_request_id=text.get("client-request-id"),
    )


class Submissions:
    """Takes submissions in. The workers answer them, whatever becomes of this process; it waits for their ends alone.

    At most `IN_FLIGHT` are on their way at once: a flood waits where it was written, its time not begun.
    """

    def __init__(self, *, identity: Identity, intake: Intake, boot: Boot, ways: Ways, body_bytes: int) -> None:
        self._identity = identity
        self._intake = intake
        self._boot = boot
        self._ways = ways
        self._body_bytes = body_bytes
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def accept(self, submission: Submission) -> None:
        """Bring one so far that its offset may be committed: on `gateway.requests`, refused, or among the dead letters.

        An outage is waited out: nothing is lost but what the broker has lost.
        """
        try:
            await self._accept(submission)
        except Exception as error:  # noqa: BLE001 - the task's edge: one bad record must not stop all behind it
            logs.event(LOG, logging.ERROR, "defect", request_id=submission.request_id, error=type(error).__name__)
            await self._bury(submission, f"defect: {type(error).__name__}")

    async def _accept(self, submission: Submission) -> None:
        head = envelope(submission.headers)
        if isinstance(head, Poison):
            await self._bury(submission, head.reason)
            return
        if head.reply_topic is not None and not await self._ways.outbox.knows(head.reply_topic, head.reply_partition):
            await self._bury(submission, "reply-topic: the broker has no such topic or partition")
            return
        query = await self._query(submission, head)
        if isinstance(query, Refusal):
            await self._refuse(submission, head, query)
        else:
            await self._send(query)

    async def _query(self, submission: Submission, head: Envelope) -> Query | Refusal:
        body = submission.value or b""
        if len(body) > self._body_bytes:
            return refusals.too_large(self._body_bytes)
        while isinstance(requester := await self._identity.requester(head.token), Refusal):
            if requester.status != 503:
                return requester
            await asyncio.sleep(RETRY_SECONDS)
        query = await self._intake.query(
            Asked(
                request_id=submission.request_id,
                requester=requester,
                received_at_ms=self._boot.now(),
                body=body,
            )
        )
        if isinstance(query, Refusal):
            return query
        if query.record.stream:
            return STREAMED
        return _submitted(query, submission, head)

    async def _refuse(self, submission: Submission, head: Envelope, refusal: Refusal) -> None:
        """A "no" goes to who asked; where nobody listens, or nothing could be read, it is a dead letter, too."""
        if head.reply_topic is None or refusal.name == "malformed_json":
            await self._bury(submission, f"{refusal.name}: {refusal.message}")
        if head.reply_topic is not None:
            said = SubmissionAnswered(
                request_id=submission.request_id,
                client_request_id=head.client_request_id,
                status=refusal.status,
                body=msgspec.Raw(refusals.body(refusal, submission.request_id)),
            )
            await self._reply(submission, head, codec.encode(said))

    async def _published(self, query: Query) -> None:
        value = codec.encode(query.record)
        while not await self._ways.publish(topics.REQUESTS.name, query.key, value, spread=not query.keyed):
            await asyncio.sleep(RETRY_SECONDS)

    async def _send(self, query: Query) -> None:
        request_id = query.record.request_id
        if request_id in self._under_way:
            return  # read again after a rebalance, and not ended yet
        with ExitStack() as held:
            await self._room.acquire()
            held.callback(self._room.release)
            waiter = await self._waiter(request_id)
            held.callback(self._ways.waiters.close, waiter)
            await self._published(query)
            ends = self._under_way[request_id] = asyncio.create_task(self._end(query.record, waiter, held.pop_all()))
            ends.add_done_callback(lambda _: self._under_way.pop(request_id))

    async def _waiter(self, request_id: str) -> Waiter:
        while (waiter := self._ways.waiters.open(request_id)) is None:
            await asyncio.sleep(RETRY_SECONDS)
        return waiter

    async def _end(self, record: RequestReceived, waiter: Waiter, held: ExitStack) -> None:
        """Hold its place until a worker has answered it, or would have by all means."""
        with held:
            await waiter.take((record.deadline_ms - self._boot.now()) / 1000 + GRACE_SECONDS)

    async def _reply(self, submission: Submission, head: Envelope, value: bytes) -> None:
        """Deliver an answer; one that cannot be delivered is a dead letter."""
        topic = head.reply_topic or ""
        headers = [] if head.client_request_id is None else [("client-request-id", head.client_request_id.encode())]
        for _ in range(ANSWER_TRIES):
            if await self._ways.outbox.send(topic, value, submission.key, headers, head.reply_partition):
                return
            await asyncio.sleep(RETRY_SECONDS)
        await self._bury(submission, "reply-topic: the answer could not be delivered", value)

    async def _bury(self, submission: Submission, reason: str, value: bytes | None = None) -> None:
        """Lay a record, or the answer to it, aside. Its headers stay behind: one of them is a token."""
        origin: dict[str, Any] = {
            "reason": reason,
            "topic": topics.SUBMISSIONS.name,
            "partition": submission.partition,
            "offset": submission.offset,
        }
        headers = [(name, str(said).encode()) for name, said in origin.items()]
        content = submission.value if value is None else value
        logs.event(LOG, logging.WARNING, "submission aside", request_id=submission.request_id, why=reason)
        while not await self._ways.outbox.send(topics.DEAD_LETTERS.name, content, submission.key, headers, None):
            await asyncio.sleep(RETRY_SECONDS)


def _submitted(query: Query, submission: Submission, head: Envelope) -> Query:
    """The query with where it came from; under the producer's own id, unless its body already has one."""
    own = query.record.client_request_id
    record = msgspec.structs.replace(
        query.record,
        client_request_id=head.client_request_id if own is None else own,
        submitted=Submitted(
            partition=submission.partition,
            offset=submission.offset,
            key=submission.key,
            reply_topic=head.reply_topic,
            reply_partition=head.reply_partition,
            client_request_id=head.client_request_id,
        ),
    )
    return msgspec.structs.replace(query, record=record)
