"""Guardrails around a call: which rules hold, what they found, what the caller reads when they stop it."""

from typing import Any, Literal, NamedTuple

from contract import refusals
from contract.endpoint import Endpoint
from contract.guardrails import Guardrail
from contract.limits import GUARDED_BATCH
from contract.records import Finding
from contract.refusals import Refusal
from processors.agents.case import NO_RULES, Case, Check
from processors.agents.restoring import numbered
from processors.guardrails import envelope
from processors.guardrails.base import Rules, Verdict
from processors.payload import texts
from processors.payload.counting import Usage

Side = Literal["input", "output"]
Body = dict[str, Any]


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
    beyond = configured.beyond
    return Rules(
        pii=configured.pii.behavior,
        keywords=configured.invalid_keywords or (),
        categories=beyond.pii_categories,
        whole_words=beyond.whole_words,
    )


def judged_by(endpoint: Endpoint, side: Side) -> Judged:
    """What judges are asked about one side; topics are the request's alone."""
    configured = _configured(endpoint, side)
    if configured is None:
        return Judged()
    topics = (configured.valid_topics or ()) if side == "input" else ()
    beyond = configured.beyond
    return Judged(configured.safety, topics, beyond.prompt_injection, beyond.fail_open, beyond.observe)


def _unguarded(endpoint: Endpoint) -> bool:
    sides: tuple[Side, ...] = ("input", "output")
    return all(rules_of(endpoint, side).idle and judged_by(endpoint, side).idle for side in sides)


def batch_refusal(endpoint: Endpoint, body: Body) -> Refusal | None:
    """With guardrails on, a request asks for at most sixteen answers (seed 002), and in words, not in tokens."""
    field = {"llm/v1/chat": "n", "llm/v1/completions": "prompt"}.get(endpoint.task, "input")
    if texts.batch_size(endpoint.task, body) > GUARDED_BATCH:
        return refusals.bad_request(f"{field}: at most {GUARDED_BATCH} per request when guardrails are enabled")
    if texts.has_tokens(endpoint.task, body):
        return refusals.bad_request(f"{field}: tokens cannot be checked, send text when guardrails are enabled")
    return None


def note(case: Case, verdict: Verdict, side: Side) -> None:
    """Write down what was found, without the text."""
    if verdict.invalid_keywords:
        case.findings.append(Finding(side=side, guardrail="keywords", outcome="blocked"))
    outcome = "blocked" if verdict.outcome == "blocked" else "masked"
    for span in (span for spans in verdict.spans for span in spans):
        case.findings.append(
            Finding(
                side=side,
                guardrail="pii",
                outcome=outcome,
                entity_type=span.entity_type,
                start=span.start,
                end=span.end,
                score=span.score,
                recogniser=span.recogniser,
            )
        )


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


async def guarded_request(case: Case, body: Body, found: list[str], check: Check) -> Body | Refusal:
    """The request as it may go to a provider: as it is, masked, or refused.

    `body`: as made for the provider; the log keeps the caller's own, masked only where something was found.
    """
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    rules = rules_of(endpoint, "input")
    if _unguarded(endpoint):
        return body
    too_many = batch_refusal(endpoint, body)
    if too_many is not None:
        return too_many
    if rules.idle:
        return body
    case.input_verdict = verdict = await check(found, rules)
    if verdict.outcome == "passed":
        case.logged_request = case.body
        return body
    if case.reversible:
        case.input_verdict = verdict = numbered(case, body, found, verdict)
    note(case, verdict, "input")
    masked = texts.in_request(endpoint.task, body, verdict.masked)
    if any(verdict.spans):
        asked = texts.decoded(case.body)
        case.logged_request = texts.encoded(texts.in_request(endpoint.task, asked, verdict.masked))
    else:
        case.logged_request = case.body
    return masked if verdict.outcome == "masked" else blocked(verdict, "input", body=masked)


async def guarded_answer(case: Case, answer: bytes, found: list[str], usage: Usage, check: Check) -> bytes | Refusal:
    """The answer as it may go to the caller: as it is, masked, or refused."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    rules = rules_of(endpoint, "output")
    if rules.idle or not found:
        return answer
    case.output_verdict = verdict = await check(found, rules)
    if verdict.outcome == "passed":
        return answer
    note(case, verdict, "output")
    if verdict.outcome == "blocked":
        return blocked(verdict, "output", usage=usage)
    masked = texts.in_answer(endpoint.task, texts.decoded(answer), verdict.masked)
    return texts.encoded({**masked, "output_guardrail": [envelope.element(verdict)]})
