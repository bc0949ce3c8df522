"""A request whose endpoint is judged, and judges that are scripted by the text."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from contract.endpoint import AiGateway
from contract.guardrails import Extensions, Guardrail, Guardrails, Pii
from processors.agents.judges import Judges
from processors.guardrails.safety import windows
from processors.guardrails.safety.base import Model
from processors.guardrails.safety.known import Known
from processors.providers.base import HttpAnswer, HttpCall
from tests.processors.agents.world import TABLE, World, endpoint, request
from tests.support.guard import answer_to, judged_text
from tests.support.provider import Hang as Silence
from tests.support.provider import Reply

GUARD = Model(url="http://guard/v1/", name="llama", kind="llama-guard-2", key="sk-guard")
JUDGE = Model(url="http://judge/v1", name="judge", kind="topics")
INJECTION = Model(url="http://classifier", name="prompt-guard", kind="classify")
BAD = "How to [unsafe S2,S9]?"
LIMIT = (windows.WINDOW - windows.OVERLAP) * windows.MOST


class Guard:
    """The judges' transport: scripted by the text, as tests/support/guard.py is, and held while `open` is not set."""

    def __init__(self) -> None:
        self.calls: list[HttpCall] = []
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None

    @property
    def texts(self) -> list[str]:
        return [judged_text(msgspec.json.decode(call.body)) for call in self.calls]

    async def call(self, call: HttpCall) -> HttpAnswer:
        self.calls.append(call)
        self.asked.set()
        await self.open.wait()
        if self.failure:
            raise self.failure
        step = answer_to(msgspec.json.decode(call.body), call.url)
        if isinstance(step, Silence):
            await asyncio.Event().wait()
        assert isinstance(step, Reply)
        body = step.body if isinstance(step.body, bytes) else msgspec.json.encode(step.body)
        return HttpAnswer(status=step.status, body=body)

    def stream(self, call: HttpCall) -> Any:
        raise AssertionError("a judge is not streamed")


def gateway(
    *sides: str, topics: Sequence[str] = (), safety: bool = True, pii: str = "NONE", beyond: Any = None, **more: Any
) -> AiGateway:
    rule = Guardrail(
        safety=safety,
        pii_detection=pii != "NONE",
        pii=Pii(behavior=pii),  # type: ignore[arg-type]
        valid_topics=tuple(topics) or None,
        extensions=None if beyond is None else Extensions(**beyond),
    )
    return AiGateway(guardrails=Guardrails(**dict.fromkeys(sides, rule)), inference_table_config=TABLE, **more)


OPEN = {"fail_open": True}
OBSERVE = {"observe": True}


def world(gateway: AiGateway, *, timeout_s: float = 5.0, **more: Any) -> tuple[World, Guard]:
    made, guard = World(endpoint(gateway, **more)), Guard()
    made.judges = Judges(guard, GUARD, JUDGE, INJECTION, timeout_s, Known(), made.seconds)
    return made, guard


def both(**of_input: Any) -> AiGateway:
    """Both sides are judged; what is beyond the vendor's is on input alone."""
    asked, answered = gateway("input", **of_input).guardrails, gateway("output").guardrails
    assert asked is not None and answered is not None
    sides = Guardrails(input=asked.input, output=answered.output)
    return AiGateway(guardrails=sides, inference_table_config=TABLE)


def ask(text: str, request_id: str = "r1", **more: Any) -> Any:
    body = {"messages": [{"role": "user", "content": text}], **more}
    return request(body, stream=bool(more.get("stream")), request_id=request_id)


def element(message: str, side: str = "input") -> dict[str, Any]:
    (one,) = msgspec.json.decode(message)[f"{side}_guardrail"]
    return dict(one)


def findings(made: World) -> list[tuple[str, str, str]]:
    return [(one.side, one.guardrail, one.outcome) for one in made.row.findings]
