"""Calling providers: the first choice, then its fallbacks, until one answers or none is left."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

import msgspec

from contract import refusals
from contract.endpoint import Endpoint, ServedEntity
from contract.records import Attempt
from contract.refusals import Refusal
from processors.agents.case import Calls, Case, Check, Outcome, refused
from processors.agents.guarding import Checking, guarded_answer, rules_of
from processors.agents.judges import Judges
from processors.agents.judging import judged_answer
from processors.agents.streaming import Streaming
from processors.payload import counting, texts
from processors.payload.counting import Usage
from processors.providers.base import HttpAnswer, HttpCall, ProviderUnreachable, Secret, Wire
from processors.routing.fallback import NO_ANSWER, moves_on, order

Body = dict[str, Any]


class Caller(NamedTuple):
    """What calling takes. `now`: seconds of a clock that never goes back.

    `refuse_guarded_streams`: a stream whose output guardrails would have to be held is refused.
    """

    transport: Calls
    providers: Mapping[str, Wire]
    secret: Callable[[str], Secret]  # of what a served entity's creator may read
    check: Check
    streaming: Streaming
    now: Callable[[], float]
    refuse_guarded_streams: bool = False

    @property
    def checking(self) -> Checking:
        """What checks texts."""
        return Checking(self.check, self.now)

    @property
    def judges(self) -> Judges:
        """Who judges what is asked and answered."""
        return self.streaming.judges


class Tried(NamedTuple):
    """One attempt. `status`: the provider's, or NO_ANSWER; `outcome`: the request's, unless another entity is tried.

    `begun`: the caller has read a part of it, so no other entity can be tried.
    """

    status: int
    outcome: Outcome
    begun: bool = False


async def call(case: Case, endpoint: Endpoint, first: str, body: Body, caller: Caller) -> Outcome:
    """Try the served entities in order; the first success or the last failure is the outcome."""
    gateway = endpoint.ai_gateway
    fallback = bool(gateway and gateway.fallback_config and gateway.fallback_config.enabled)
    outcome = refused(refusals.provider_unreachable("no served entity"))
    for entity in order(endpoint.entities, first, fallback):
        case.entity = entity
        http = _http_call(case, entity, body, caller)
        if isinstance(http, Refusal):
            return refused(http)
        tried = await _timed(case, entity, _try(case, entity, http, body, caller), caller.now)
        outcome = tried.outcome
        if tried.begun or not moves_on(tried.status):
            break
    return outcome


async def _timed(
    case: Case, entity: ServedEntity, attempt: Coroutine[Any, Any, Tried], now: Callable[[], float]
) -> Tried:
    """Make one attempt and write it down, also when it is cut off: then the provider may have worked for nothing."""
    started, status, outcome = now(), NO_ANSWER, "cut off"
    try:
        tried = await attempt
        status, outcome = tried.status, "failed" if moves_on(tried.status) else "answered"
        return tried
    finally:
        case.provider_ms = took = int((now() - started) * 1000)
        case.attempts.append(Attempt(served_entity_name=entity.name, status=status, duration_ms=took, outcome=outcome))


def _http_call(case: Case, entity: ServedEntity, body: Body, caller: Caller) -> HttpCall | Refusal:
    model = entity.external_model
    wire = caller.providers.get(model.provider)
    if wire is None:
        return refusals.not_supported(f"provider: `{model.provider}` cannot be called yet")
    if case.request.stream and wire.streams_usage:
        body = {**body, "stream_options": {**_options(body), "include_usage": True}}
    return wire.call(model, body, caller.secret(entity.creator))


async def _try(case: Case, entity: ServedEntity, http: HttpCall, body: Body, caller: Caller) -> Tried:
    try:
        if not case.request.stream:
            return await _answered(case, entity, await caller.transport.call(http), caller)
        async with caller.transport.stream(http) as begun:
            if isinstance(begun, HttpAnswer):
                return await _answered(case, entity, begun, caller)
            wire = caller.providers[entity.external_model.provider]
            hidden = wire.streams_usage and not _options(body).get("include_usage")
            return _ended(await caller.streaming.relayed(case, entity, begun.events, hide_usage=hidden))
    except ProviderUnreachable as error:
        return Tried(NO_ANSWER, refused(refusals.provider_unreachable(str(error))))


def _ended(outcome: Outcome) -> Tried:
    broke = outcome.refusal == "provider_unreachable"
    return Tried(NO_ANSWER if broke else 200, outcome, begun=True)


def _options(body: Body) -> Body:
    options = body.get("stream_options")
    return options if isinstance(options, dict) else {}


async def _answered(case: Case, entity: ServedEntity, answer: HttpAnswer, caller: Caller) -> Tried:
    if not 200 <= answer.status < 300:
        return Tried(answer.status, refused(_passed_through(entity, answer)))
    usage = counting.usage_of(answer.body)
    if usage is None:
        return Tried(NO_ANSWER, refused(refusals.provider_unreachable("the answer is no JSON object")))
    return Tried(answer.status, await whole(case, answer.body, usage, caller))


async def whole(case: Case, answer: bytes, usage: Usage, caller: Caller) -> Outcome:
    """The outcome of a whole successful answer: guarded, judged and counted."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
    body = texts.decoded(answer)
    found = texts.of_answer(endpoint.task, body)
    guarded: bytes | Refusal = answer
    if not rules_of(endpoint, "output").idle:
        guarded = await guarded_answer(case, answer, body, usage, caller.checking)
    if not isinstance(guarded, Refusal):
        guarded = await judged_answer(case, guarded, caller.judges, usage)
    characters = counting.characters(found)
    if isinstance(guarded, Refusal):
        return msgspec.structs.replace(refused(guarded, usage=usage), output_characters=characters)
    outcome = Outcome(status=200, answer=guarded, usage=usage, output_characters=characters)
    if case.restoring is None:
        return outcome
    return msgspec.structs.replace(outcome, answer=case.restoring.answer(guarded), logged=guarded)


def _passed_through(entity: ServedEntity, answer: HttpAnswer) -> Refusal:
    if answer.status < 400:
        return refusals.provider_unreachable(f"the provider answered with status {answer.status}")
    try:
        msgspec.json.decode(answer.body)
        said = msgspec.Raw(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = msgspec.Raw(msgspec.json.encode(answer.body.decode(errors="replace")[:2_000]))
    return refusals.provider_error(entity.external_model.provider, answer.status, said)
