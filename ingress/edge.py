"""The HTTP edge: bodies read within bounds, answers sent, management calls brought to their handlers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from contract import refusals
from contract.records import Requester
from contract.refusals import Refusal
from ingress import wire
from ingress.identity import Identity
from ingress.ports import NewId, State
from ingress.waiting import Budget
from ingress.wire import Answer

BODY_SECONDS = 60.0
REQUEST_ID = "headgate.request_id"


class Bodies:
    """Reads bodies: none over `limit_bytes`, and what is held together stays within `budget`."""

    def __init__(self, limit_bytes: int, budget: Budget) -> None:
        self.limit_bytes = limit_bytes
        self._budget = budget

    async def read(self, scope: Scope, receive: Receive) -> bytes | Refusal:
        """The whole body, to be given back with `release`; a refusal holds nothing."""
        reserved = self._expected(scope)
        if reserved > self.limit_bytes:
            return refusals.too_large(self.limit_bytes)
        if not self._budget.take(reserved):
            return refusals.unavailable("Too many request bodies are held at the moment.")
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._gather(receive)
            size = 0 if isinstance(body, Refusal) else len(body)
        except TimeoutError:
            body = refusals.bad_request("Body: did not arrive in time.")
        finally:
            self._budget.give(reserved - size)
        return body

    def _expected(self, scope: Scope) -> int:
        declared = wire.header(scope["headers"], b"content-length")
        if declared is not None:
            return int(declared) if declared.isdecimal() else 0  # a superscript is a digit
        # a body in chunks does not say how long it will be: the most is held for it until that shows
        return self.limit_bytes if wire.header(scope["headers"], b"transfer-encoding") else 0

    async def _gather(self, receive: Receive) -> bytes | Refusal:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return refusals.caller_gone()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self.limit_bytes:
                return refusals.too_large(self.limit_bytes)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def release(self, body: bytes) -> None:
        """Give back what `read` has taken."""
        self._budget.give(len(body))


class Edge:
    """What every route needs to talk HTTP."""

    def __init__(self, *, identity: Identity, bodies: Bodies, state: State, workspace_id: str, new_id: NewId) -> None:
        self.identity = identity
        self.bodies = bodies
        self.state = state
        self.new_id = new_id
        self._workspace_id = workspace_id.encode()

    def begin(self, scope: Scope) -> str:
        """Name the request; whoever answers it later finds the name in its scope."""
        request_id: str = self.new_id()
        scope[REQUEST_ID] = request_id
        return request_id

    def head(self, content_type: bytes, request_id: str, config_version: int = -1) -> wire.RawHeaders:
        """The headers every answer carries; the view's version where the answer brings none."""
        version = config_version if config_version >= 0 else self.state.view.config_offset
        return wire.head(content_type, request_id, self._workspace_id, version)

    async def send(self, send: Send, request_id: str, answer: Answer | Refusal) -> None:
        """Send a whole answer."""
        if isinstance(answer, Refusal):
            answer = wire.refused(refusals.naming(answer, request_id), request_id)
        await send_whole(send, answer.status, self.head(answer.content_type, request_id), answer.body)


async def send_whole(send: Send, status: int, headers: wire.RawHeaders, body: bytes) -> None:
    """Send status, headers and body; adds the length."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A management call by somebody known. `path`, `query`: the URL's parameters."""

    request_id: str
    requester: Requester
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


Handler = Callable[[Call], Awaitable[Answer | Refusal]]


class Managed:
    """A management route: who calls, what they send, what the handler says."""

    def __init__(self, edge: Edge, handler: Handler) -> None:
        self._edge = edge
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request_id = self._edge.begin(scope)
        await self._edge.send(send, request_id, await self._answer(request_id, scope, receive))

    async def _answer(self, request_id: str, scope: Scope, receive: Receive) -> Answer | Refusal:
        requester = await self._edge.identity.requester(wire.bearer(scope["headers"]))
        if isinstance(requester, Refusal):
            return requester
        body = await self._edge.bodies.read(scope, receive)
        if isinstance(body, Refusal):
            return body
        try:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            path = scope["path_params"]
            call = Call(request_id=request_id, requester=requester, path=path, query=query, body=body)
            return await self._handler(call)
        finally:
            self._edge.bodies.release(body)
