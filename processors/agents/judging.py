"""Judges around a call: for safety, topics and prompt injection. They are asked beside the provider, never instead.

Without a verdict nothing goes out, unless the endpoint fails open: then a finding and the log say so. Where a side
only observes, nothing waits for its judges and nothing follows but findings.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import msgspec

from contract import logs, refusals
from contract.records import Finding
from contract.refusals import Refusal
from processors.agents.case import Case, Outcome, refused
from processors.agents.guarding import Side, blocked, judged_by
from processors.agents.judges import Judges, Opinion, all_of
from processors.agents.observing import observe, observers
from processors.guardrails import envelope
from processors.guardrails.base import Verdict
from processors.guardrails.safety import windows
from processors.guardrails.safety.base import Fault, Judgement
from processors.payload import texts, turns
from processors.payload.counting import Usage

log = logging.getLogger(__name__)
Body = dict[str, Any]
Question = Callable[[], Coroutine[Any, Any, Opinion]]


async def beside(case: Case, body: Body, call: Coroutine[Any, Any, Outcome], judges: Judges) -> Outcome:
    """The call's outcome, once the judges have passed the request; a "no" of theirs ends the call.

    `body`: the request as it goes to the provider, masked. Streams wait for `case.cleared` before their first piece.
    """
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    wanted = judged_by(endpoint, "input")
    if not wanted.idle or judged_by(endpoint, "output").safety:
        case.conversations = turns.of_request(endpoint.task, body)
    questions = [] if wanted.idle else _about_request(case, body, observers(case, judges) if wanted.observe else judges)
    if wanted.observe and questions:
        observe(case, _observing(case, "input", questions))
    if wanted.observe or not questions:
        return await call
    case.cleared = asyncio.Event()
    judging, calling = asyncio.create_task(_judged_request(case, body, questions)), asyncio.create_task(call)
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


def _about_request(case: Case, body: Body, judges: Judges) -> list[Question]:
    """What judges are asked about the request; nothing where it has no text for them."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    wanted = judged_by(endpoint, "input")
    said = tuple(windows.by_user(conversation) for conversation in case.conversations)
    brought = turns.brought(endpoint.task, body) if wanted.injection else ()
    questions: list[Question] = []
    if wanted.safety and said:
        questions.append(partial(judges.is_safe, said))
    if wanted.topics and said:
        questions.append(partial(judges.is_on_topic, said, wanted.topics))
    if brought:
        questions.append(partial(judges.is_harmless, brought))
    return questions


async def _judged_request(case: Case, body: Body, questions: Sequence[Question]) -> Refusal | None:
    """Why the request may not be answered; None when it may."""
    opinions = await all_of(question() for question in questions)
    found = verdict_of(case.input_verdict, opinions)
    unjudged = _noted(case, "input", opinions)
    return blocked(found, "input", body=body) if found.outcome == "blocked" else unjudged


async def judged_texts(case: Case, said: Sequence[str], judges: Judges, usage: Usage) -> Refusal | None:
    """Why these texts, answers to the request, may not go out; None when they may.

    `usage`: the provider's, shown together with what the guard used.
    """
    opinion = await judges.is_safe(_answered(case, said))
    case.output_verdict = found = verdict_of(case.output_verdict, [opinion])
    unjudged = _noted(case, "output", [opinion])
    return blocked(found, "output", usage=usage) if found.outcome == "blocked" else unjudged


def observe_texts(case: Case, said: Sequence[str], judges: Judges) -> None:
    """Have texts judged that go out in any case."""
    question = partial(observers(case, judges).is_safe, _answered(case, said))
    observe(case, _observing(case, "output", [question]))


def _answered(case: Case, said: Sequence[str]) -> list[turns.Conversation]:
    return [turns.answered(case.conversations, text) for text in said]


async def judged_answer(case: Case, answer: bytes, judges: Judges, usage: Usage) -> bytes | Refusal:
    """A whole answer as it may go out, or why it may not; a masked one says what the guard found."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    wanted = judged_by(endpoint, "output")
    if not wanted.safety:
        return answer
    body = texts.decoded(answer)
    said = [text for text in texts.of_answer(endpoint.task, body) if text.strip()]
    if said and wanted.observe:
        observe_texts(case, said, judges)
    if wanted.observe or not said:
        return answer
    refusal = await judged_texts(case, said, judges, usage)
    if refusal is not None or case.output_verdict.outcome != "masked":
        return refusal or answer
    return texts.encoded({**body, "output_guardrail": [envelope.element(case.output_verdict)]})


def verdict_of(before: Verdict, opinions: Sequence[Opinion]) -> Verdict:
    """The checks' verdict together with the judges'."""
    judged = {one.guardrail: one.verdict for one in opinions if isinstance(one.verdict, Judgement)}
    flagged = {name: verdict.flagged for name, verdict in judged.items()}
    safety = judged.get("safety")
    return msgspec.structs.replace(
        before,
        outcome="blocked" if any(flagged.values()) else before.outcome,
        flagged=flagged.get("safety", False),
        categories=None if safety is None else safety.categories,
        category_scores=None if safety is None else safety.scores,
        invalid_topics=flagged.get("topics"),
        prompt_injection=flagged.get("prompt_injection"),
        judge_tokens=(
            sum(verdict.prompt_tokens for verdict in judged.values()),
            sum(verdict.total_tokens for verdict in judged.values()),
        ),
    )


async def _observing(case: Case, side: Side, questions: Sequence[Question]) -> None:
    """Write down what judges find who decide nothing; that one has failed, too."""
    for opinion in await all_of(question() for question in questions):
        if isinstance(opinion.verdict, Fault):
            _note_failure(case, side, opinion, opinion.verdict.why, "failed")
        elif opinion.verdict.flagged:
            _note_found(case, side, opinion, opinion.verdict, "observed")


def _noted(case: Case, side: Side, opinions: Sequence[Opinion]) -> Refusal | None:
    """Write down what was found or failed; what follows from the first failure, None where nothing does."""
    follows: list[Refusal] = []
    for opinion in opinions:
        if isinstance(opinion.verdict, Fault):
            follows += _unjudged(case, side, opinion, opinion.verdict)
        elif opinion.verdict.flagged:
            _note_found(case, side, opinion, opinion.verdict, "blocked")
    return follows[0] if follows else None


def _note_found(case: Case, side: Side, opinion: Opinion, verdict: Judgement, outcome: str) -> None:
    """Write down each category that was found, or that something was."""
    scores = verdict.scores or {}
    for category in [name for name, found in verdict.categories.items() if found] or [""]:
        score = scores.get(category or opinion.guardrail, 0.0)
        _note(case, _finding(side, opinion, outcome, entity_type=category, score=score))


def _note_failure(case: Case, side: Side, opinion: Opinion, why: str, outcome: str) -> None:
    """Write down that a judge gave no verdict, and what followed."""
    if not _note(case, _finding(side, opinion, outcome)):
        return
    logs.event(
        log,
        logging.WARNING,
        "guard_failed",
        request_id=case.request.request_id,
        guardrail=opinion.guardrail,
        side=side,
        why=why,
        outcome=outcome,
    )


def _finding(side: Side, opinion: Opinion, outcome: str, **found: Any) -> Finding:
    return Finding(
        side=side,
        guardrail=opinion.guardrail,
        outcome=outcome,
        recogniser=opinion.kind,
        duration_ms=opinion.duration_ms,
        rules_version=opinion.rules_version,
        **found,
    )


def _note(case: Case, finding: Finding) -> bool:
    """Add a finding; not a second one of its kind, for a stream is judged in many windows."""
    kinds = {(one.side, one.guardrail, one.outcome, one.entity_type) for one in case.findings}
    if (finding.side, finding.guardrail, finding.outcome, finding.entity_type) in kinds:
        return False
    case.findings.append(finding)
    return True


def _unjudged(case: Case, side: Side, opinion: Opinion, fault: Fault) -> tuple[Refusal, ...]:
    """What follows from a judge's failure: a refusal, or nothing but a note where the side fails open."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    opened = judged_by(endpoint, side).fail_open and not fault.too_long
    _note_failure(case, side, opinion, fault.why, "open" if opened else "failed")
    if opened:
        return ()
    if fault.too_long:
        text = f"The {side} is too long for the guardrail '{opinion.guardrail}': {fault.why}."
        return (refusals.bad_request(text, name=f"{side}_guardrail"),)
    text = f"The guardrail '{opinion.guardrail}' has given no verdict on the {side}: {fault.why}."
    return (refusals.unavailable(text),)
