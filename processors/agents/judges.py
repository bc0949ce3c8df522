"""Asking the judges: guard models for safety and for prompt injection, and one for topics."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from processors.agents.case import Calls
from processors.guardrails import topics
from processors.guardrails.safety import windows
from processors.guardrails.safety.base import Ask, Fault, Judgement, Model, Wire, together
from processors.guardrails.safety.known import Known
from processors.guardrails.safety.registry import INJECTION_WIRES, WIRES
from processors.payload.turns import Conversation, Turn
from processors.providers.base import HttpCall, ProviderUnreachable

T = TypeVar("T")
AT_ONCE = 8  # calls for one request
NOT_CONFIGURED = Fault(why="it is not configured")
TOO_LATE = Fault(why="no answer before the request's deadline")


class Opinion(NamedTuple):
    """What one judge came to. `guardrail`: as findings name it; the rest: who judged, and for how long."""

    guardrail: str
    verdict: Judgement | Fault
    kind: str = ""
    rules_version: str = ""
    duration_ms: float = 0.0


def stopped_clock() -> float:
    """The clock of whoever has nobody to ask."""
    return 0.0


class Judges(NamedTuple):
    """Whom to ask. `now`: seconds of a clock that never goes back; `known`: verdicts on topics and injection.

    `until`: the loop's time after which no verdict is waited for.
    """

    calls: Calls | None = None
    guard: Model | None = None
    topics: Model | None = None
    injection: Model | None = None
    timeout_s: float = 10.0
    known: Known = Known(most=0)
    now: Callable[[], float] = stopped_clock
    until: float | None = None

    async def is_safe(self, said: Sequence[Conversation]) -> Opinion:
        """Whether conversations are safe; one that is not decides."""
        if self.guard is None:
            return Opinion("safety", NOT_CONFIGURED)
        return await self._judged("safety", self.guard, WIRES[self.guard.kind], _windows(said), None)

    async def is_on_topic(self, said: Sequence[Conversation], valid: tuple[str, ...]) -> Opinion:
        """Whether conversations are about valid topics; one that is not decides."""
        if self.topics is None:
            return Opinion("topics", NOT_CONFIGURED)
        return await self._judged("topics", self.topics, topics.wire(valid), _windows(said), self.known)

    async def is_harmless(self, brought: Sequence[str]) -> Opinion:
        """Whether texts are free of prompt injection, each on its own; one that is not decides."""
        if self.injection is None:
            return Opinion("prompt_injection", NOT_CONFIGURED)
        wire = INJECTION_WIRES[self.injection.kind]
        pieces = [(Turn(role="user", text=piece),) for text in brought for piece in wire.cut.pieces(text)]
        return await self._judged("prompt_injection", self.injection, wire, pieces, self.known)

    async def _judged(
        self, guardrail: str, model: Model, wire: Wire, asked: Sequence[Conversation], known: Known | None
    ) -> Opinion:
        started = self.now()
        try:
            async with asyncio.timeout_at(self.until):
                verdict = await self._verdict(model, wire, asked, known)
        except TimeoutError:
            verdict = TOO_LATE
        return Opinion(guardrail, verdict, model.kind, model.version, (self.now() - started) * 1_000)

    async def _verdict(
        self, model: Model, wire: Wire, asked: Sequence[Conversation], known: Known | None
    ) -> Judgement | Fault:
        if len(asked) > wire.cut.most:
            return Fault(why=f"more than {wire.cut.limit}", too_long=True)
        room = asyncio.Semaphore(AT_ONCE)

        async def verdict(ask: Ask) -> Judgement | Fault:
            found = known.get(ask) if known is not None else None
            if found is not None:
                return found
            async with room:
                answer = await self._answer(model, ask)
            said = answer if isinstance(answer, Fault) else wire.read(ask, answer)
            if known is not None and isinstance(said, Judgement):
                known.put(ask, said)
            return said

        return together(await all_of(verdict(ask) for window in asked for ask in wire.asks(model, window)))

    async def _answer(self, model: Model, ask: Ask) -> bytes | Fault:
        """A judge's answer in time, or why there is none."""
        if self.calls is None:
            return NOT_CONFIGURED
        key = {"authorization": f"Bearer {model.key}"} if model.key else {}
        headers = {"content-type": "application/json", **key}
        call = HttpCall(url=model.url.rstrip("/") + ask.path, headers=headers, body=ask.body)
        try:
            async with asyncio.timeout(self.timeout_s):
                answer = await self.calls.call(call)
        except TimeoutError:
            return Fault(why=f"no answer within {self.timeout_s:g} s")
        except ProviderUnreachable as error:
            return Fault(why=str(error))
        return answer.body if answer.status == 200 else Fault(why=f"it answered with status {answer.status}")


def _windows(said: Sequence[Conversation]) -> list[Conversation]:
    return [window for conversation in said for window in windows.cut(conversation)]


async def all_of(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What they come to, in order; when one raises, the others end."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in asked]
    return [task.result() for task in tasks]
