"""Guardrails around a call: which rules hold, what they found, what the caller reads when they stop it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from contract import refusals
from contract.endpoint import Endpoint
from contract.guardrails import NO_EXTENSIONS, Extensions, Guardrail
from contract.limits import GUARDED_BATCH
from contract.refusals import Refusal
from processors.agents.case import NO_RULES, Case, Check
from processors.agents.findings import Side as Side
from processors.agents.findings import note, seen_in
from processors.agents.restoring import bounded, numbered
from processors.guardrails import envelope
from processors.guardrails.base import PASSED, Rules, Verdict
from processors.payload import fields, guarded, texts
from processors.payload.counting import Usage
from processors.payload.guarded import Piece

Body = dict[str, Any]
Read = TypeVar("Read")
LONG_BYTES = 32 * 1024  # of a body whose texts are looked for beside the event loop


class Checking(NamedTuple):
    """What checking takes. `now`: seconds of a clock that never goes back."""

    check: Check
    now: Callable[[], float]


class Judged(NamedTuple):
    """What judges are asked about one side."""

    safety: bool = False
    topics: tuple[str, ...] = ()
    injection: bool = False
    fail_open: bool = False
    observe: bool = False

    @property
    def idle(self) -> bool:
        """True when nobody needs to be asked."""
        return not self.safety and not self.topics and not self.injection


def _configured(endpoint: Endpoint, side: Side) -> Guardrail | None:
    """The guardrails of one side; None where nothing is configured or the task has no such side."""
    guardrails = endpoint.ai_gateway.guardrails if endpoint.ai_gateway else None
    if guardrails is None or (side == "output" and endpoint.task == "llm/v1/embeddings"):
        return None
    return guardrails.input if side == "input" else guardrails.output


def rules_of(endpoint: Endpoint, side: Side) -> Rules:
    """The rules of the checks of one side."""
    configured = _configured(endpoint, side)
    if configured is None:
        return NO_RULES
    return Rules(
        pii=configured.pii.behavior,
        keywords=configured.invalid_keywords or (),
        categories=configured.beyond.pii_categories,
        whole_words=configured.beyond.whole_words,
    )


def judged_by(endpoint: Endpoint, side: Side) -> Judged:
    """What judges are asked about one side; topics are the request's alone."""
    configured = _configured(endpoint, side)
    if configured is None:
        return Judged()
    topics = (configured.valid_topics or ()) if side == "input" else ()
    more = configured.beyond
    return Judged(configured.safety, topics, more.prompt_injection, more.fail_open, more.observe)


def beyond(endpoint: Endpoint, side: Side) -> Extensions:
    """The guardrails of one side that the vendor does not have."""
    configured = _configured(endpoint, side)
    return NO_EXTENSIONS if configured is None else configured.beyond


def _holds(endpoint: Endpoint, side: Side) -> bool:
    """Whether a side's guardrails may stop or change anything."""
    idle = rules_of(endpoint, side).idle and judged_by(endpoint, side).idle
    return not idle and not beyond(endpoint, side).observe


def stream_refusal(endpoint: Endpoint, *, streams: bool, refused: bool) -> Refusal | None:
    """Where a worker is told to, a stream that would have to be guarded is refused, as the vendor does (seed 002)."""
    if refused and streams and _holds(endpoint, "output"):
        return refusals.bad_request("stream: output guardrails are not supported for streams on this endpoint")
    return None


def batch_refusal(endpoint: Endpoint, body: Body) -> Refusal | None:
    """With guardrails on, a request asks for at most sixteen answers (seed 002), and in words, not in tokens."""
    field = {"llm/v1/chat": "n", "llm/v1/completions": "prompt"}.get(endpoint.task, "input")
    if texts.batch_size(endpoint.task, body) > GUARDED_BATCH:
        return refusals.bad_request(f"{field}: at most {GUARDED_BATCH} per request when guardrails are enabled")
    if texts.has_tokens(endpoint.task, body):
        return refusals.bad_request(f"{field}: tokens cannot be checked, send text when guardrails are enabled")
    return None


def blocked(verdict: Verdict, side: Side, *, body: Body | None = None, usage: Usage | None = None) -> Refusal:
    """The refusal of a blocked text. `body`: the masked chat request whose messages are shown."""
    messages = None
    if body is not None and isinstance(body.get("messages"), list):
        messages = [[_message(message) for message in body["messages"] if isinstance(message, dict)]]
    prompt, total = verdict.judge_tokens
    spent = envelope.Usage(
        prompt_tokens=((usage and usage.prompt_tokens) or 0) + prompt,
        total_tokens=((usage and usage.total_tokens) or 0) + total,
    )
    text = envelope.block_message([verdict], side=side, messages=messages, usage=spent)
    return refusals.bad_request(text, name=f"{side}_guardrail")


def _message(message: Body) -> envelope.Message:
    return envelope.Message(role=str(message.get("role", "")), content="\n".join(texts.of_message(message)))


async def _checked(case: Case, endpoint: Endpoint, side: Side, pieces: Sequence[Piece], checking: Checking) -> Verdict:
    """One side's verdict, written down; where the side only observes, all has passed."""
    started, observed = checking.now(), beyond(endpoint, side).observe
    verdict = await checking.check([piece.text for piece in pieces], rules_of(endpoint, side))
    outcome = "observed" if observed else "blocked" if verdict.outcome == "blocked" else "masked"
    note(
        case,
        side,
        (
            seen_in(piece.field, span, piece.lead, outcome)
            for piece, spans in zip(pieces, verdict.spans, strict=True)
            for span in spans
        ),
        keyword=outcome if verdict.invalid_keywords else "",
        took_s=checking.now() - started,
    )
    return PASSED if observed else verdict


async def off_the_loop(long: bool, work: Callable[..., Read], *args: Any) -> Read:
    """What `work` returns; `long` work is done on a thread, so that other requests get their turns."""
    return await asyncio.to_thread(work, *args) if long else work(*args)


async def guarded_request(case: Case, body: Body, checking: Checking) -> Body | Refusal:
    """The request as it may go to a provider: as it is, masked, or refused.

    `body`: as made for the provider; the log keeps the caller's own, masked only where something was found.
    """
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    if _holds(endpoint, "input") or _holds(endpoint, "output"):
        too_many = batch_refusal(endpoint, body)
        if too_many is not None:
            return too_many
    if rules_of(endpoint, "input").idle:
        return body
    long = len(case.body) >= LONG_BYTES
    if await off_the_loop(long, fields.is_deep, body):
        return refusals.bad_request("Body: nested too deeply for its texts to be checked")
    walk = guarded.request(endpoint.task, body, calls=beyond(endpoint, "input").tool_calls)
    pieces = await off_the_loop(long, guarded.pieces, walk)
    case.input_verdict = verdict = await _checked(case, endpoint, "input", pieces, checking)
    if verdict.outcome == "passed":
        case.logged_request = case.body
        return body
    if case.reversible:
        case.input_verdict = verdict = numbered(case, body, [piece.text for piece in pieces], verdict)
    masked = await off_the_loop(long, guarded.replaced, walk, pieces, verdict.masked)
    case.logged_request = case.body
    if masked.changes:
        asked = texts.decoded(case.body)
        case.logged_request = texts.encoded(await off_the_loop(long, guarded.swapped, asked, masked.changes))
    return masked.body if verdict.outcome == "masked" else blocked(verdict, "input", body=masked.body)


async def guarded_answer(case: Case, answer: bytes, body: Body, usage: Usage, checking: Checking) -> bytes | Refusal:
    """The answer as it may go to the caller: as it is, masked, or refused.

    `body`: the answer, decoded. ProviderUnreachable when masking has made it too large.
    """
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    long = len(answer) >= LONG_BYTES
    walk = guarded.answer(body, calls=beyond(endpoint, "output").tool_calls)
    pieces = await off_the_loop(long, guarded.pieces, walk)
    if rules_of(endpoint, "output").idle or not pieces:
        return answer
    case.output_verdict = verdict = await _checked(case, endpoint, "output", pieces, checking)
    if verdict.outcome == "passed":
        return answer
    if verdict.outcome == "blocked":
        return blocked(verdict, "output", usage=usage)
    replaced = await off_the_loop(long, guarded.replaced, walk, pieces, verdict.masked)
    masked = guarded.without_logprobs(replaced.body)
    return bounded({**masked, "output_guardrail": [envelope.element(verdict)]})
