"""A request, an endpoint, and the narrow things an agent is handed."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from contract import codec
from contract.endpoint import (
    AiGateway,
    Enabled,
    Endpoint,
    ExternalModel,
    InferenceTable,
    ServedEntity,
    TrafficRoute,
)
from contract.guardrails import Extensions, Guardrail, Guardrails, Pii
from contract.records import Reply, ReplyChunk, ReplyFinished, ReplyStarted, Requester, RequestLogged, RequestReceived
from contract.state import View
from contract.topics import LOG, REQUESTS, WINDOWS
from processors.agents.attempts import Caller
from processors.agents.case import Case
from processors.agents.judges import Judges
from processors.agents.serve import Serving, serving
from processors.agents.settle import Settling
from processors.agents.streaming import Streaming
from processors.gate import Bounds, Gate
from processors.guardrails import check
from processors.guardrails.base import Rules, Verdict
from processors.payload import texts
from processors.providers.base import HttpAnswer, HttpCall, ProviderUnreachable
from processors.providers.registry import PROVIDERS
from processors.sealing import Transit
from processors.snapshots import Windows, partition_of_requests
from processors.transport import StreamAnswer
from tests.processors.events import Event, Message

MASTER_KEY = b"m" * 32
TRANSIT = Transit(base64.b64encode(MASTER_KEY).decode())
NOW_MS = 1_742_814_914_123
PARTITION = partition_of_requests("chat")
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
QUESTION = {"messages": [{"role": "user", "content": "Hello"}]}


def entities(*names: str, task: str = "llm/v1/chat", **config: str) -> tuple[ServedEntity, ...]:
    openai = {"openai_api_key": "{{secrets/scope/key}}", "openai_api_base": "http://provider/v1"} | config
    return tuple(
        ServedEntity(
            id=f"id-{name}",
            name=name,
            external_model=ExternalModel(
                provider="openai",
                name=f"model-{name}",
                task=task,  # type: ignore[arg-type]
                openai_config=openai,  # type: ignore[arg-type]
            ),
            creator="ann",
            created_at_ms=0,
        )
        for name in names
    )


def endpoint(gateway: AiGateway | None = None, *names: str, name: str = "chat", task: str = "llm/v1/chat") -> Endpoint:
    served = entities(*(names or ("a",)), task=task)
    shares = [100, *[0] * (len(served) - 1)]
    return Endpoint(
        id=f"id-{name}",
        name=name,
        creator="ann",
        creator_display_name="Ann",
        created_at_ms=0,
        updated_at_ms=0,
        entities=served,
        routes=tuple(
            TrafficRoute(served_entity_name=entity.name, traffic_percentage=share)
            for entity, share in zip(served, shares, strict=True)
        ),
        ai_gateway=gateway,
    )


FALLBACK = AiGateway(fallback_config=Enabled(enabled=True))
TABLE = InferenceTable(catalog_name="main", schema_name="logs", table_name_prefix="chat", enabled=True)


def guarded(side: str, behavior: str = "NONE", *words: str, **extensions: Any) -> AiGateway:
    rule = Guardrail(
        safety=False,
        pii_detection=behavior != "NONE",
        pii=Pii(behavior=behavior),  # type: ignore[arg-type]
        invalid_keywords=words or None,
        extensions=Extensions(**extensions) if extensions else None,
    )
    return AiGateway(guardrails=Guardrails(**{side: rule}), inference_table_config=TABLE)


def request(body: Any = None, **more: Any) -> RequestReceived:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(QUESTION if body is None else body)
    facts: dict[str, Any] = {
        "request_id": "r1",
        "endpoint": "chat",
        "requester": Requester(name="ann"),
        "received_at_ms": NOW_MS,
        "deadline_ms": NOW_MS + 60_000,
        "reply_slot": 3,
        "boot_id": "boot",
    }
    return RequestReceived(body=msgspec.Raw(raw), **(facts | more))


def good(text: str = "The answer.", **more: Any) -> HttpAnswer:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": USAGE}
    return HttpAnswer(status=200, body=msgspec.json.encode(body | more))


def failing(status: int) -> HttpAnswer:
    return HttpAnswer(status=status, body=msgspec.json.encode({"error": {"message": f"scripted {status}"}}))


def chunk(text: str | None = None, last: bool = False, **more: Any) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if last else None}
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return msgspec.json.encode(head | {"choices": [choice]} | more)


USAGE_CHUNK = msgspec.json.encode({"id": "1", "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
DONE = b"[DONE]"
BOUNDS = Bounds(requests=100, size=1 << 24, share=1.0)


class Hang:
    """A provider that does not go on; it notices when it is cut off."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.cut_off = False

    async def wait(self) -> None:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cut_off = True
            raise


Step = HttpAnswer | Hang | Exception | Callable[[], Awaitable[HttpAnswer]] | Sequence["bytes | Hang | Exception"]


class Provider:
    """The transport's place: each call takes the next step; a sequence is a stream of events."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.calls: list[HttpCall] = []

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(call.body) for call in self.calls]

    @property
    def models(self) -> list[str]:
        return [body["model"] for body in self.bodies]

    async def _next(self, call: HttpCall) -> Any:
        self.calls.append(call)
        step = self.steps.pop(0) if self.steps else good()
        if isinstance(step, Hang):
            await step.wait()
        if isinstance(step, Exception):
            raise step
        return await step() if callable(step) else step

    async def call(self, call: HttpCall) -> HttpAnswer:
        answer = await self._next(call)
        assert isinstance(answer, HttpAnswer)
        return answer

    @asynccontextmanager
    async def stream(self, call: HttpCall) -> AsyncIterator[HttpAnswer | StreamAnswer]:
        answer = await self._next(call)
        yield answer if isinstance(answer, HttpAnswer) else StreamAnswer(_events(answer))


async def _events(steps: Sequence["bytes | Hang | Exception"]) -> AsyncIterator[bytes]:
    for step in steps:
        if isinstance(step, Hang):
            await step.wait()
        elif isinstance(step, Exception):
            raise step
        else:
            yield step


BROKEN = ProviderUnreachable("the stream broke off")


async def checked(texts: list[str], rules: Rules) -> Verdict:
    return check.apply(texts, rules)


class World:
    """One worker's agent `serve` over lists instead of topics."""

    def __init__(self, *endpoints: Endpoint, bounds: Bounds = BOUNDS) -> None:
        self.view = View()
        for one in endpoints or (endpoint(),):
            self.view.fold(f"endpoint/{one.name}", codec.encode(one), self.view.offset + 1)
        self.provider = Provider()
        self.published: list[tuple[str, str, bytes | None]] = []
        self.replies: list[tuple[int, Reply]] = []
        self.buried: list[str] = []
        self.acks: list[int] = []
        self.crashes: list[BaseException] = []
        self.cases: dict[str, Case] = {}
        self.hung_up: dict[str, None] = {}
        self.submitted: dict[str, None] = {}
        self.elsewhere: set[str] = set()
        self.answered: list[tuple[str, int, bytes]] = []
        self.cleared: list[str] = []
        self.is_fresh = True
        self.now_ms = NOW_MS
        self.draw = 0.0
        self.secret: Callable[[str], Any] = lambda said: "key-" + said[-5:-2]
        self.check: Any = checked
        self.log_raw_payloads = False
        self.refuse_guarded_streams = False
        self.judges = Judges()
        self.gate = Gate(bounds, self.crashes.append)
        self.gate.open_lanes()
        self.windows = Windows(self._snapshot, lambda partition: 0)
        self._offset = 0

    async def _snapshot(self, topic: str, key: str, value: bytes, partition: int) -> int:
        return await self.publish(topic, key, value, partition)

    async def publish(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> int:
        self.published.append((topic, key, value))
        return len(self.published) - 1

    async def reply(self, slot: int, record: ReplyFinished) -> None:
        self.replies.append((slot, record))

    async def to_producer(self, request: RequestReceived, status: int, body: bytes) -> None:
        self.answered.append((request.request_id, status, body))

    async def send(self, slot: int, request_id: str, record: bytes) -> None:
        self.replies.append((slot, msgspec.json.decode(record, type=Reply)))

    async def bury(self, event: Any, why: str) -> None:
        self.buried.append(why)

    async def finished(self, request_id: str) -> None:
        self.cleared.append(request_id)

    async def view_reached(self, offset: int, patience_s: float) -> bool:
        return self.view.config_offset >= offset

    def seconds(self) -> float:
        return self.now_ms / 1000

    def settling(self) -> Settling:
        return Settling(
            publish=self.publish,
            reply=self.reply,
            answer=self.to_producer,
            release=self.windows.settle,
            now_ms=lambda: self.now_ms,
            account_id="account",
            workspace_id="1",
            log_raw_payloads=self.log_raw_payloads,
        )

    def serving(self) -> Serving:
        streaming = Streaming(self.send, "try", self.seconds, lambda: self.view.config_offset, self.judges)
        return Serving(
            view=self.view,
            view_reached=self.view_reached,
            gate=self.gate,
            windows=self.windows,
            caller=Caller(
                self.provider,
                PROVIDERS,
                lambda creator: self.secret,
                self.check,
                streaming,
                self.seconds,
                self.refuse_guarded_streams,
            ),
            settling=self.settling(),
            publish=self.publish,
            bury=self.bury,
            fresh=lambda event: self.is_fresh,
            cases=self.cases,
            hung_up=self.hung_up,
            submitted=self.submitted,
            handed_over=self.elsewhere.__contains__,
            draw=lambda: self.draw,
            now_ms=lambda: self.now_ms,
            finished=self.finished,
            transit=TRANSIT,
        )

    def event(self, value: RequestReceived | bytes, partition: int = PARTITION) -> Event:
        self._offset += 1
        raw = value if isinstance(value, bytes) else codec.encode(value)
        return Event(Message(offset=self._offset, value=raw, partition=partition), self.acks)

    async def begin(self, *values: RequestReceived | bytes, partition: int = PARTITION) -> None:
        """Feed the agent and return when it has taken all events."""
        await serving(self.serving())(_stream([self.event(value, partition) for value in values]))

    async def serve(self, *values: RequestReceived | bytes, partition: int = PARTITION) -> None:
        """Feed the agent and return when all its tasks have ended."""
        await self.begin(*values, partition=partition)
        await self.ended()

    async def ended(self) -> None:
        assert await self.gate.drained(10)
        await asyncio.sleep(0)

    def hang_up(self, request_id: str = "r1") -> None:
        self.cases[request_id].hang_up(asyncio.get_running_loop().time())

    @property
    def rows(self) -> list[RequestLogged]:
        rows = [codec.read(RequestLogged, value) for topic, _, value in self.published if topic == LOG.name]
        assert all(isinstance(row, RequestLogged) for row in rows)
        return rows  # type: ignore[return-value]

    @property
    def row(self) -> RequestLogged:
        (row,) = self.rows
        return row

    @property
    def finish(self) -> ReplyFinished:
        (last,) = [record for _, record in self.replies if isinstance(record, ReplyFinished)]
        return last

    @property
    def answer(self) -> Any:
        return msgspec.json.decode(self.finish.body)

    @property
    def moved(self) -> list[tuple[str, bytes | None]]:
        return [(key, value) for topic, key, value in self.published if topic == REQUESTS.name]

    @property
    def pieces(self) -> list[ReplyStarted | ReplyChunk]:
        return [record for _, record in self.replies if not isinstance(record, ReplyFinished)]

    @property
    def streamed(self) -> list[Any]:
        """Every event a caller has read, decoded; `[DONE]` as it is."""
        text = "".join(record.data for _, record in self.replies)
        events = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
        return [event if event == "[DONE]" else msgspec.json.decode(event) for event in events]

    @property
    def snapshots(self) -> int:
        return sum(topic == WINDOWS.name for topic, _, _ in self.published)


async def _stream(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


def spoken(events: list[Any]) -> str:
    """What a streamed chat said."""
    choices = [choice for event in events if isinstance(event, dict) for choice in texts.dicts(event, "choices")]
    deltas = [delta for choice in choices if isinstance(delta := choice.get("delta"), dict)]
    return "".join(text for delta in deltas if isinstance(text := delta.get("content"), str))
