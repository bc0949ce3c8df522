"""Judges around a call: a guard model for safety, one for topics. They are asked beside the provider, never instead.

Without a verdict nothing goes out, unless the endpoint is named as failing open: then a finding and the log say so.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from contract import logs, refusals
from contract.endpoint import Endpoint
from contract.records import Finding
from contract.refusals import Refusal
from processors.agents.case import Calls, Case, Outcome, refused
from processors.agents.guarding import Side, blocked, judged_by
from processors.guardrails import topics
from processors.guardrails.base import Verdict
from processors.guardrails.safety import windows
from processors.guardrails.safety.base import Ask, Fault, Judgement, Model, Wire, together
from processors.guardrails.safety.registry import WIRES
from processors.guardrails.topics import Known, OnTopic
from processors.payload import texts, turns
from processors.payload.counting import Usage
from processors.payload.turns import Conversation
from processors.providers.base import HttpCall, ProviderUnreachable
from processors.settings import EVERY_ENDPOINT

log = logging.getLogger(__name__)
Body = dict[str, Any]
AT_ONCE = 8  # calls for one request
TOO_LONG = Fault(why=f"more than {windows.LIMIT} characters", too_long=True)


class Judges(NamedTuple):
    """Whom to ask. `fail_open`: endpoints that are served without a verdict, or EVERY_ENDPOINT."""

    calls: Calls | None = None
    safety: Model | None = None
    topics: Model | None = None
    fail_open: frozenset[str] = frozenset()
    timeout_s: float = 10.0
    known: Known = Known(most=0)
    wires: Mapping[str, Wire] = WIRES

    def open_for(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is served without a verdict."""
        return endpoint.name in self.fail_open or EVERY_ENDPOINT in self.fail_open

    async def answer(self, model: Model, ask: Ask) -> bytes | Fault:
        """A judge's answer in time, or why there is none."""
        if self.calls is None:
            return Fault(why="it is not configured")
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

    async def is_safe(self, conversations: Sequence[Conversation]) -> Judgement | Fault:
        """The guard's verdict over all of them; one that is unsafe decides."""
        model = self.safety
        if model is None:
            return Fault(why="it is not configured")
        cut = [window for conversation in conversations for window in windows.cut(conversation)]
        if len(cut) > windows.MOST:
            return TOO_LONG
        wire, room = self.wires[model.kind], asyncio.Semaphore(AT_ONCE)

        async def verdict(ask: Ask) -> Judgement | Fault:
            async with room:
                answer = await self.answer(model, ask)
            return answer if isinstance(answer, Fault) else wire.read(ask, answer)

        return together(await _all(verdict(ask) for window in cut for ask in wire.asks(model, window)))

    async def is_on_topic(self, conversations: Sequence[Conversation], valid: tuple[str, ...]) -> OnTopic | Fault:
        """The topic of the request; 0 when a part of it has none of the valid ones."""
        model = self.topics
        if model is None:
            return Fault(why="it is not configured")
        cut = [window for conversation in conversations for window in windows.cut(conversation)]
        if len(cut) > windows.MOST:
            return TOO_LONG
        room = asyncio.Semaphore(AT_ONCE)

        async def verdict(ask: Ask) -> OnTopic | Fault:
            known = self.known.get(ask)
            if known is not None:
                return OnTopic(topic=known)
            async with room:
                answer = await self.answer(model, ask)
            found = answer if isinstance(answer, Fault) else topics.read(answer, valid)
            if isinstance(found, OnTopic):
                self.known.put(ask, found.topic)
            return found

        return _least(await _all(verdict(topics.ask(model, window, valid)) for window in cut))


async def _all(asked: Any) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in asked]
    return [task.result() for task in tasks]


def _least(found: Sequence[OnTopic | Fault]) -> OnTopic | Fault:
    judged = [one for one in found if isinstance(one, OnTopic)]
    topic = min((one.topic for one in judged), default=1)
    fault = next((one for one in found if isinstance(one, Fault)), None)
    if fault is not None and topic:
        return fault
    return OnTopic(
        topic=topic,
        prompt_tokens=sum(one.prompt_tokens for one in judged),
        total_tokens=sum(one.total_tokens for one in judged),
    )


async def beside(case: Case, body: Body, call: Coroutine[Any, Any, Outcome], judges: Judges) -> Outcome:
    """The call's outcome, once the judges have passed the request; a "no" of theirs ends the call.

    `body`: the request as it goes to the provider, masked. Streams wait for `case.cleared` before their first piece.
    """
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    wanted = judged_by(endpoint, "input")
    if not wanted.idle or judged_by(endpoint, "output").safety:
        case.conversations = turns.of_request(endpoint.task, body)
    if wanted.idle or not case.conversations:
        return await call
    case.cleared = asyncio.Event()
    judging, calling = asyncio.create_task(judged_request(case, body, judges)), asyncio.create_task(call)
    try:
        refusal = await judging
        if refusal is not None:
            return refused(refusal)
        case.cleared.set()
        return await calling
    finally:
        judging.cancel()
        calling.cancel()
        await asyncio.gather(judging, calling, return_exceptions=True)


async def judged_request(case: Case, body: Body, judges: Judges) -> Refusal | None:
    """Why the request may not be answered; None when it may."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    asked = tuple(windows.by_user(conversation) for conversation in case.conversations)
    wanted = judged_by(endpoint, "input")

    async def safe() -> Judgement | Fault | None:
        return await judges.is_safe(asked) if wanted.safety else None

    async def on_topic() -> OnTopic | Fault | None:
        return await judges.is_on_topic(asked, wanted.topics) if wanted.topics else None

    judgement, topic = await _all((safe(), on_topic()))
    found = verdict_of(case.input_verdict, judgement, topic)
    _note_unsafe(case, "input", judgement, judges)
    if found.invalid_topics:
        case.findings.append(Finding(side="input", guardrail="topics", outcome="blocked"))
    if found.outcome == "blocked":
        return blocked(found, "input", body=body)
    return _unjudged(case, "input", "safety", judgement, judges) or _unjudged(case, "input", "topics", topic, judges)


async def judged_texts(case: Case, said: Sequence[str], judges: Judges, usage: Usage) -> Refusal | None:
    """Why these texts, answers to the request, may not go out; None when they may.

    `usage`: the provider's, shown together with what the guard used.
    """
    judgement = await judges.is_safe([turns.answered(case.conversations, text) for text in said])
    _note_unsafe(case, "output", judgement, judges)
    found = verdict_of(case.output_verdict, judgement, None)
    if found.outcome == "blocked":
        return blocked(found, "output", usage=usage)
    return _unjudged(case, "output", "safety", judgement, judges)


async def judged_answer(case: Case, answer: bytes, judges: Judges, usage: Usage) -> Refusal | None:
    """Why a whole answer may not go out; None when it may."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    if not judged_by(endpoint, "output").safety:
        return None
    said = [text for text in texts.of_answer(endpoint.task, texts.decoded(answer)) if text.strip()]
    return await judged_texts(case, said, judges, usage) if said else None


def verdict_of(before: Verdict, judgement: Judgement | Fault | None, topic: OnTopic | Fault | None) -> Verdict:
    """The checks' verdict together with the judges'."""
    found = before
    if isinstance(judgement, Judgement):
        found = msgspec.structs.replace(
            found,
            outcome="blocked" if judgement.flagged else found.outcome,
            categories=judgement.categories,
            category_scores=judgement.scores,
        )
    if isinstance(topic, OnTopic):
        outcome = found.outcome if topic.topic else "blocked"
        found = msgspec.structs.replace(found, outcome=outcome, invalid_topics=not topic.topic)
    used = [one for one in (judgement, topic) if isinstance(one, Judgement | OnTopic)]
    return msgspec.structs.replace(
        found,
        flagged=isinstance(judgement, Judgement) and judgement.flagged,
        judge_tokens=(sum(one.prompt_tokens for one in used), sum(one.total_tokens for one in used)),
    )


def _note_unsafe(case: Case, side: Side, judgement: Judgement | Fault | None, judges: Judges) -> None:
    """Write down each category that was found, or that something was."""
    if not isinstance(judgement, Judgement) or not judgement.flagged:
        return
    scores = judgement.scores or {}
    for category in [name for name, found in judgement.categories.items() if found] or [""]:
        case.findings.append(
            Finding(
                side=side,
                guardrail="safety",
                outcome="blocked",
                entity_type=category,
                score=scores.get(category, 0.0),
                recogniser="" if judges.safety is None else judges.safety.kind,
            )
        )


def _unjudged(case: Case, side: Side, guardrail: str, verdict: object, judges: Judges) -> Refusal | None:
    """What follows from a judge's failure: a refusal, or a note that nobody judged."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    if not isinstance(verdict, Fault):
        return None
    opened = judges.open_for(endpoint) and not verdict.too_long
    outcome = "open" if opened else "failed"
    case.findings.append(Finding(side=side, guardrail=guardrail, outcome=outcome))
    logs.event(
        log,
        logging.WARNING,
        "guard_failed",
        request_id=case.request.request_id,
        guardrail=guardrail,
        side=side,
        why=verdict.why,
        outcome=outcome,
    )
    if opened:
        return None
    if verdict.too_long:
        text = f"The {side} is too long for the guardrail '{guardrail}': {verdict.why}."
        return refusals.bad_request(text, name=f"{side}_guardrail")
    return refusals.unavailable(f"The guardrail '{guardrail}' has given no verdict on the {side}: {verdict.why}.")
