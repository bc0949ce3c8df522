"""Calling providers: the first choice, then its fallbacks, until one answers or none is left."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from contract import refusals
from contract.endpoint import Endpoint, ServedEntity
from contract.records import Attempt
from contract.refusals import Refusal
from processors.agents.case import Calls, Case, Check, Outcome, refused
from processors.agents.guarding import guarded_answer, rules_of
from processors.agents.streaming import Streaming
from processors.payload import counting, texts
from processors.payload.counting import Usage
from processors.providers.base import HttpAnswer, ProviderUnreachable, Secret, Wire
from processors.routing.fallback import NO_ANSWER, moves_on, order

Body = dict[str, Any]
OURS = ("usage_context", "client_request_id", "extra_params", "databricks_options")


class Caller(NamedTuple):
    """What calling takes. `now`: seconds of a clock that never goes back."""

    transport: Calls
    providers: Mapping[str, Wire]
    secret: Secret
    check: Check
    streaming: Streaming
    now: Callable[[], float]


class Failed(NamedTuple):
    """An attempt that ended without a usable answer. `why` may be told to the caller."""

    why: str


def provider_body(body: Body) -> Body:
    """The body without what is ours; `extra_params` become the provider's parameters (api-contract.md 3.1)."""
    extra = body.get("extra_params")
    kept = {key: value for key, value in body.items() if key not in OURS}
    return {**kept, **extra} if isinstance(extra, dict) else kept


async def call(case: Case, endpoint: Endpoint, first: str, body: Body, caller: Caller) -> Outcome:
    """Try the served entities in order; the first success or the last failure is the outcome."""
    gateway = endpoint.ai_gateway
    fallback = bool(gateway and gateway.fallback_config and gateway.fallback_config.enabled)
    outcome = refused(refusals.provider_unreachable("no served entity"))
    asked = provider_body(body)
    for entity in order(endpoint.entities, first, fallback):
        case.entity = entity
        started = caller.now()
        tried = await _try(case, entity, asked, caller)
        took = int((caller.now() - started) * 1000)
        case.provider_ms = took
        if isinstance(tried, Outcome):
            case.attempts.append(_attempt(entity, tried.status, took))
            return tried
        status, outcome = tried
        case.attempts.append(_attempt(entity, status, took))
        if not moves_on(status):
            break
    return outcome


def _attempt(entity: ServedEntity, status: int, duration_ms: int) -> Attempt:
    outcome = "failed" if moves_on(status) else "answered"
    return Attempt(served_entity_name=entity.name, status=status, duration_ms=duration_ms, outcome=outcome)


async def _try(case: Case, entity: ServedEntity, body: Body, caller: Caller) -> Outcome | tuple[int, Outcome]:
    """One attempt: the final outcome, or a status that may move on with the outcome it would be."""
    wire = caller.providers.get(entity.external_model.provider)
    if wire is None:
        text = f"provider: `{entity.external_model.provider}` cannot be called yet"
        return refused(refusals.not_supported(text))
    if case.request.stream and wire.streams_usage:
        body = {**body, "stream_options": {**_options(body), "include_usage": True}}
    http = wire.call(entity.external_model, body, caller.secret)
    if isinstance(http, Refusal):
        return refused(http)
    try:
        if not case.request.stream:
            return await _answered(case, entity, await caller.transport.call(http), caller)
        async with caller.transport.stream(http) as begun:
            if isinstance(begun, HttpAnswer):
                return await _answered(case, entity, begun, caller)
            return await caller.streaming.relayed(case, entity, begun.events, hide_usage=not _asked_usage(body, wire))
    except ProviderUnreachable as error:
        return NO_ANSWER, refused(refusals.provider_unreachable(str(error)))


def _options(body: Body) -> Body:
    options = body.get("stream_options")
    return options if isinstance(options, dict) else {}


def _asked_usage(body: Body, wire: Wire) -> bool:
    return not wire.streams_usage or bool(_options(body).get("include_usage"))


async def _answered(
    case: Case, entity: ServedEntity, answer: HttpAnswer, caller: Caller
) -> Outcome | tuple[int, Outcome]:
    if not 200 <= answer.status < 300:
        return answer.status, refused(_passed_through(entity, answer))
    usage = counting.usage_of(answer.body)
    if usage is None:
        return NO_ANSWER, refused(refusals.provider_unreachable("the answer is no JSON object"))
    return await whole(case, answer.body, usage, caller.check)


async def whole(case: Case, answer: bytes, usage: Usage, check: Check) -> Outcome:
    """The outcome of a whole successful answer: guarded and counted."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    found = texts.of_answer(endpoint.task, texts.decoded(answer))
    guarded: bytes | Refusal = answer
    if not rules_of(endpoint, "output").idle:
        guarded = await guarded_answer(case, answer, found, usage, check)
    characters = counting.characters(found)
    if isinstance(guarded, Refusal):
        return msgspec.structs.replace(refused(guarded, usage=usage), output_characters=characters)
    return Outcome(status=200, answer=guarded, usage=usage, output_characters=characters)


def _passed_through(entity: ServedEntity, answer: HttpAnswer) -> Refusal:
    if answer.status < 400:
        return refusals.provider_unreachable(f"the provider answered with status {answer.status}")
    try:
        msgspec.json.decode(answer.body)
        said = msgspec.Raw(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = msgspec.Raw(msgspec.json.encode(answer.body.decode(errors="replace")[:2_000]))
    return refusals.provider_error(entity.external_model.provider, answer.status, said)
