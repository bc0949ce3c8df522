"""A provider that does what a test tells it: in this process, on a thread of its own, OpenAI-shaped.

    with ScriptedProvider() as provider:
        provider.script("gpt-4o", Reply(status=503), Reply(delay_s=0.2))
        ...  # openai_api_base = provider.url
        assert [got.model for got in provider.requests] == ["gpt-4o", "gpt-4o"]

Each request of a model takes the next step of its script; the last one repeats. Without a script: a good answer.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

ANSWER = "The answer."


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole answer. `body`: JSON value or raw bytes; None makes a good one, or OpenAI's error for a bad status."""

    status: int = 200
    body: Any = None
    delay_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ANSWER


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A streamed answer: a first chunk with the role, one per text, usage, then how it ends.

    `raw`: these events' data instead. Endings: `done` clean; `no_done` closes without [DONE];
    `cut` closes inside the chunked body; `reset` resets the connection; `hang` sends no more.
    """

    texts: tuple[str, ...] = ("The ", "answer.")
    raw: tuple[str, ...] | None = None
    delay_s: float = 0.0
    interval_s: float = 0.0
    ending: Literal["done", "no_done", "cut", "reset", "hang"] = "done"
    usage: bool = True


@dataclass(frozen=True, kw_only=True)
class Reset:
    """The connection is reset before a byte of an answer."""

    delay_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Truncated:
    """A whole answer of which only a part comes before the connection closes."""

    keep: float = 0.5
    delay_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Hang:
    """No answer at all, for as long as the caller waits."""


Step = Reply | Stream | Reset | Truncated | Hang


@dataclass(frozen=True, kw_only=True)
class Got:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


class ScriptedProvider:
    """The provider; `with` it. `url` goes into `openai_api_base`. Read its facts from any thread."""

    def __init__(self) -> None:
        self.requests: list[Got] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.hung_up = 0  # callers that left before their answer was whole
        self.url = ""
        self._scripts: dict[str, list[Step]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    def script(self, model: str, *steps: Step) -> None:
        """What the next requests of `model` get; replaces what was left of an earlier script."""
        self._scripts[model] = list(steps)

    def of(self, model: str) -> list[Got]:
        """The requests of one model."""
        return [got for got in self.requests if got.model == model]

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._up.wait(10):
            raise RuntimeError("the scripted provider did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("POST", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._up.set()
        await self._stop.wait()
        await runner.cleanup()

    def _next(self, model: str, streaming: bool) -> Step:
        steps = self._scripts[model]
        if not steps:
            return Stream() if streaming else Reply()
        return steps.pop(0) if len(steps) > 1 else steps[0]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read() or b"{}")
        got = Got(path=request.path, headers=dict(request.headers), body=body)
        self.requests.append(got)
        with self._counted():
            return await play(self._next(got.model, bool(body.get("stream"))), got, request)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up += 1
            raise
        finally:
            self.in_flight -= 1


async def play(step: Step, got: Got, request: web.Request) -> web.StreamResponse:
    match step:
        case Reply():
            return await _reply(step, got)
        case Stream():
            return await _stream(step, got, request)
        case Truncated():
            return await _truncated(step, got, request)
        case Reset():
            await asyncio.sleep(step.delay_s)
            _reset(request)
            return web.Response()
        case Hang():
            await asyncio.Event().wait()
            return web.Response()


async def _reply(step: Reply, got: Got) -> web.Response:
    await asyncio.sleep(step.delay_s)
    body = step.body
    if body is None:
        body = good_body(got, step.text) if step.status < 400 else error_body(step.status)
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    headers = {"content-type": "application/json", **step.headers}
    return web.Response(status=step.status, body=data, headers=headers)


async def _stream(step: Stream, got: Got, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(step.delay_s)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    events = step.raw if step.raw is not None else tuple(_events(step, got))
    for event in events:
        await response.write(f"data: {event}\n\n".encode())
        await asyncio.sleep(step.interval_s)
    match step.ending:
        case "done":
            await response.write(b"data: [DONE]\n\n")
        case "hang":
            await asyncio.Event().wait()
        case "cut" if request.transport is not None:
            request.transport.close()
        case "reset":
            _reset(request)
        case _:
            pass
    return response


async def _truncated(step: Truncated, got: Got, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(step.delay_s)
    data = json.dumps(good_body(got, ANSWER)).encode()
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: int(len(data) * step.keep)])
    if request.transport is not None:
        request.transport.close()
    return response


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    link: socket.socket | None = transport.get_extra_info("socket")
    if link is not None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _events(step: Stream, got: Got) -> Iterator[str]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": f"{got.model}-dated"}
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}, *({"content": text} for text in step.texts)]
    for delta in deltas:
        yield json.dumps(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield json.dumps(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if step.usage:
        yield json.dumps(head | {"choices": [], "usage": USAGE})


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def good_body(got: Got, text: str) -> dict[str, Any]:
    """A good answer to the request, by its path."""
    model = f"{got.model}-dated"
    if got.path.endswith("/embeddings"):
        given = got.body.get("input")
        count = len(given) if isinstance(given, list) else 1
        data = [{"object": "embedding", "index": n, "embedding": [0.5, -0.5]} for n in range(count)]
        return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    head = {"id": "chatcmpl-1", "created": 1, "model": model, "usage": USAGE}
    if got.path.endswith("/chat/completions"):
        message = {"role": "assistant", "content": text}
        choices = [{"index": n, "message": message, "finish_reason": "stop"} for n in range(got.body.get("n") or 1)]
        return head | {"object": "chat.completion", "choices": choices}
    return head | {"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": "stop"}]}


def error_body(status: int) -> dict[str, Any]:
    """OpenAI's error shape."""
    kind = "rate_limit_exceeded" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": f"scripted {status}", "type": kind, "param": None, "code": None}}
