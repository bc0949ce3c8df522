"""Queries: from an HTTP body to a record, from replies to an answer or a stream of events."""

import asyncio
import logging

import msgspec
from starlette.types import Receive, Scope, Send

from contract import codec, logs, refusals, topics
from contract.records import Reply, ReplyChunk, ReplyFinished, ReplyStarted, RequestReceived
from contract.refusals import Refusal
from ingress import wire
from ingress.edge import Call, Edge, Handler, send_whole
from ingress.intake import CAN_QUERY, Asked, Intake, Query
from ingress.ports import Boot, Cancel, Publish
from ingress.waiting import Silence, Stream, Waiter, Waiters
from ingress.wire import Answer

LOG = logging.getLogger(__name__)
UNWATCHED_SECONDS = 0.3  # most answers come sooner, and watching a connection costs more than a hang-up saves
GRACE_SECONDS = 2.0  # the worker's own 504 comes first
NO_CACHE = (b"cache-control", b"no-cache")
RETRY_AFTER = (b"retry-after", b"60")  # by then the oldest call of any full minute has left it


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """What every query route is handed."""

    edge: Edge
    boot: Boot
    intake: Intake
    waiters: Waiters
    publish: Publish
    cancel: Cancel
    retry_after: bool = False


class Queries:
    """One query route. `task`: what its body must be for; empty where the endpoint decides."""

    def __init__(self, gateway: Gateway, task: str = "") -> None:
        self._gateway = gateway
        self._edge = gateway.edge
        self._task = task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One query."""
        received_at_ms = self._gateway.boot.now()
        request_id = self._edge.begin(scope)
        requester = await self._edge.identity.requester(wire.bearer(scope["headers"]))
        if isinstance(requester, Refusal):
            await self._edge.send(send, request_id, requester)
            return
        body = await self._edge.bodies.read(scope, receive)
        if isinstance(body, Refusal):
            await self._edge.send(send, request_id, body)
            return
        try:
            asked = Asked(
                request_id=request_id,
                requester=requester,
                received_at_ms=received_at_ms,
                body=body,
                endpoint=scope["path_params"].get("name", ""),
                served_entity=scope["path_params"].get("entity", ""),
                task=self._task,
            )
            query = await self._gateway.intake.query(asked)
            if isinstance(query, Refusal):
                await self._edge.send(send, request_id, query)
            else:
                await self._exchange(query, receive, send)
        finally:
            self._edge.bodies.release(body)

    async def _exchange(self, query: Query, receive: Receive, send: Send) -> None:
        record = query.record
        waiter = self._gateway.waiters.open(record.request_id)
        if waiter is None:
            full = refusals.unavailable("Too many callers wait at the moment.")
            await self._edge.send(send, record.request_id, full)
            return
        try:
            value = codec.encode(record)
            if await self._gateway.publish(topics.REQUESTS.name, query.key, value, spread=not query.keyed):
                await self._answer(record, waiter, receive, send)
            else:
                down = refusals.unavailable("The gateway cannot reach its broker.")
                await self._edge.send(send, record.request_id, down)
        finally:
            self._gateway.waiters.close(waiter)

    async def _answer(self, record: RequestReceived, waiter: Waiter, receive: Receive, send: Send) -> None:
        reply = await waiter.take(UNWATCHED_SECONDS)
        if isinstance(reply, ReplyFinished):
            await self._whole(send, reply)
            return
        watch = asyncio.create_task(_watch(receive, waiter))
        try:
            if reply is Silence.LATE:
                reply = await waiter.take(self._left(record))
            await self._first(record, waiter, reply, send)
        finally:
            watch.cancel()

    def _left(self, record: RequestReceived) -> float:
        """Seconds until the ingress answers in the workers' place."""
        return (record.deadline_ms - self._gateway.boot.now()) / 1000 + GRACE_SECONDS

    async def _first(self, record: RequestReceived, waiter: Waiter, reply: Reply | Silence, send: Send) -> None:
        match reply:
            case ReplyFinished():
                await self._whole(send, reply)
            case ReplyStarted():
                await self._stream(record, waiter, reply, send)
            case ReplyChunk() | Silence():
                self._gateway.cancel(record.request_id)
                if reply is Silence.GONE:
                    logs.event(LOG, logging.INFO, "caller gone", request_id=record.request_id)
                    return
                late = reply is Silence.LATE
                refusal = refusals.too_late() if late else refusals.stream_interrupted()
                await self._edge.send(send, record.request_id, refusal)

    async def _whole(self, send: Send, reply: ReplyFinished) -> None:
        headers = self._head(wire.JSON, reply)
        if reply.status == 429 and self._gateway.retry_after:
            headers.append(RETRY_AFTER)
        await send_whole(send, reply.status, headers, bytes(reply.body))

    def _head(self, content_type: bytes, reply: ReplyStarted | ReplyFinished) -> wire.RawHeaders:
        headers = self._edge.head(content_type, reply.request_id, reply.config_version)
        if reply.served_entity_name:
            headers.append((b"served-model-name", reply.served_entity_name.encode("ascii", "replace")))
        return headers

    async def _stream(self, record: RequestReceived, waiter: Waiter, started: ReplyStarted, send: Send) -> None:
        headers = [*self._head(wire.EVENTS, started), NO_CACHE]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            # a caller that reads nothing at all must not hold this task for ever
            async with asyncio.timeout(self._left(record) + GRACE_SECONDS):
                refusal = await self._pump(record, waiter, started, send)
                if refusal is not None:
                    self._ended_early(record, refusal.name)
                last = b"" if refusal is None else wire.error_event(refusal, record.request_id)
                await send({"type": "http.response.body", "body": last, "more_body": False})
        except TimeoutError:
            self._ended_early(record, "reads nothing")

    def _ended_early(self, record: RequestReceived, why: str) -> None:
        self._gateway.cancel(record.request_id)
        logs.event(LOG, logging.WARNING, "stream ended early", request_id=record.request_id, why=why)

    async def _pump(self, record: RequestReceived, waiter: Waiter, started: ReplyStarted, send: Send) -> Refusal | None:
        """Write events until the last; the refusal to end with when it does not come."""
        stream = Stream(started)
        data, last = started.data, False
        while True:
            if data:
                await send({"type": "http.response.body", "body": data.encode(), "more_body": True})
            if last:
                return None
            reply = await waiter.take(self._left(record))
            if isinstance(reply, Silence):
                return SILENCES[reply]
            piece = stream.piece(reply)
            if piece.broken:
                return refusals.stream_interrupted()
            data, last = piece.data, piece.last


SILENCES = {
    Silence.LATE: refusals.too_late(),
    Silence.GONE: refusals.caller_gone(),
    Silence.OVERFLOW: refusals.reads_too_slowly(),
}


async def _watch(receive: Receive, waiter: Waiter) -> None:
    """Wait for the caller to hang up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    waiter.hang_up()


def models(edge: Edge) -> Handler:
    """Build the list of endpoints that the caller may query, as OpenAI's clients list models."""

    async def listed(call: Call) -> Answer:
        view = edge.state.view
        shown = [
            {"id": one.name, "object": "model", "created": one.created_at_ms // 1000, "owned_by": one.creator}
            for one in view.endpoints.values()
            if view.level(one, call.requester.name) >= CAN_QUERY
        ]
        return wire.answered({"object": "list", "data": shown})

    return listed
