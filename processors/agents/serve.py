"""The agent `serve`: one Kafka hop from a request to its answer. Read top to bottom, this is a request's way."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from contract import codec, logs, refusals
from contract.codec import Unreadable
from contract.endpoint import Endpoint, TrafficRoute
from contract.records import RequestReceived
from contract.refusals import Refusal
from contract.state import View
from contract.topics import REQUESTS
from processors.agents import attempts
from processors.agents.attempts import Caller
from processors.agents.case import Case, Outcome, refused
from processors.agents.guarding import guarded_request, stream_refusal
from processors.agents.judging import beside
from processors.agents.settle import Publish, Settling, settle
from processors.gate import Gate, Load
from processors.payload import counting, texts
from processors.rate_limits.admission import Taken
from processors.routing.split import first_choice
from processors.sealing import Transit
from processors.snapshots import Windows, partition_of_requests

log = logging.getLogger(__name__)
VIEW_PATIENCE_S = 5.0
REMEMBERED_SUBMISSIONS = 50_000


class KafkaEvent(Protocol):
    """A Faust event as this agent uses it."""

    message: Any

    def ack(self) -> bool: ...


class Serving(NamedTuple):
    """What serving takes. `draw`: uniform in [0, 100); `now_ms`: epoch; `fresh`: does the event still belong to us.

    `submitted`: the Kafka producers' requests that this worker has taken lately; `handed_over`: does another finish it.
    """

    view: View
    view_reached: Callable[[int, float], Awaitable[bool]]
    gate: Gate
    windows: Windows
    caller: Caller
    settling: Settling
    publish: Publish
    bury: Callable[[Any, str], Awaitable[None]]
    fresh: Callable[[KafkaEvent], bool]
    cases: dict[str, Case]
    hung_up: dict[str, None]
    submitted: dict[str, None]
    handed_over: Callable[[str], bool]
    draw: Callable[[], float]
    now_ms: Callable[[], int]
    finished: Callable[[str], Awaitable[None]]
    transit: Transit


async def _nothing() -> None:
    """The task of an event that is dealt with already."""


def serving(tools: Serving) -> Callable[[AsyncIterator[KafkaEvent]], Awaitable[None]]:
    """Build the agent. Its loop takes events in order; each request is worked on in a task of its own."""

    async def serve(events: AsyncIterator[KafkaEvent]) -> None:
        async for event in events:
            await tools.gate.room()
            request = codec.read(RequestReceived, event.message.value)
            if isinstance(request, Unreadable):
                if tools.fresh(event):
                    tools.gate.start(event, Load("", 0), tools.bury(event, request.why))  # type: ignore[arg-type]
                continue
            if request.config_version > tools.view.config_offset:
                await tools.view_reached(request.config_version, VIEW_PATIENCE_S)
            if tools.fresh(event):
                take(event, request, tools)

    return serve


def take(event: KafkaEvent, request: RequestReceived, tools: Serving) -> None:
    """Admit or refuse one request and start its task. Synchronous: windows count in the order of offsets."""
    endpoint = tools.view.endpoints.get(request.endpoint)
    load = Load(request.endpoint, len(event.message.value))
    limited = is_limited(endpoint)
    if limited and event.message.partition != partition_of_requests(request.endpoint):
        # Limits were switched on after the ingress chose the partition: the owner of the windows must decide.
        moved = tools.publish(REQUESTS.name, request.endpoint, event.message.value)
        tools.gate.start(event, load, _awaited(moved))
        return
    if is_repeated(request, tools.submitted, tools.handed_over):
        if endpoint is not None and limited:
            tools.windows.refuse(endpoint, event.message.offset)
        tools.gate.start(event, load, _nothing(), needs_cover=limited)
        return
    endpoint = routing_of(endpoint, request.served_entity)
    entity = None
    if endpoint is not None and endpoint.entities:
        first = first_choice(endpoint.routes, tools.draw())
        entity = next(entity for entity in endpoint.entities if entity.name == first)
    case = Case(request, endpoint, entity)
    if case.reversible or request.sealed:
        unseal(case, tools.transit)
    decision = admission(case, event.message.offset, load, limited, tools)
    tools.cases[request.request_id] = case
    tools.gate.start(event, load, finish(case, decision, tools), work=case, needs_cover=limited)


def unseal(case: Case, transit: Transit) -> None:
    """Open what came sealed, and have the replies sealed; `case.request` stays as it came, for other topics.

    A Kafka producer's answer goes to a topic, so nothing is put back into it.
    """
    request = case.request
    if request.sealed:
        opened = transit.body(request)
        case.body, case.unopened = opened or b"null", opened is None
    if case.reversible and request.submitted is None:
        case.transit = transit


def routing_of(endpoint: Endpoint | None, served_entity: str) -> Endpoint | None:
    """The endpoint with the entities that may answer: all of them, or the one a request insists on.

    Who names an entity wants that one's answer or that one's error: no split, and no fallback either, because there is
    nothing to fall back to. Limits, guardrails and tables stay the endpoint's. Without entities: it has none so named.
    """
    if endpoint is None or not served_entity:
        return endpoint
    only = tuple(entity for entity in endpoint.entities if entity.name == served_entity)
    routes = tuple(TrafficRoute(served_entity_name=entity.name, traffic_percentage=100) for entity in only)
    return msgspec.structs.replace(endpoint, entities=only, routes=routes)


def is_repeated(request: RequestReceived, submitted: dict[str, None], handed_over: Callable[[str], bool]) -> bool:
    """Whether the same submission has been taken before, by this worker or by one that still finishes it.

    An ingress that is killed before it commits leaves its last submissions to be read and published again, under the
    same id and so on the same partition. Whoever took the first has answered it, or will.
    """
    if request.submitted is None:
        return False
    if request.request_id in submitted or handed_over(request.request_id):
        return True
    submitted[request.request_id] = None
    if len(submitted) > REMEMBERED_SUBMISSIONS:
        del submitted[next(iter(submitted))]
    return False


async def _awaited(delivery: Awaitable[Any]) -> None:
    await delivery


def is_limited(endpoint: Endpoint | None) -> bool:
    """Whether the endpoint has rate limits, so that its requests must come on its own partition."""
    return bool(endpoint and endpoint.ai_gateway and endpoint.ai_gateway.rate_limits)


def admission(case: Case, offset: int, load: Load, limited: bool, tools: Serving) -> Refusal | None:
    """The first "no" a request meets before anything is spent on it; None when it may go on."""
    request, endpoint = case.request, case.endpoint
    refusal = _hopeless(case, load, tools)
    if endpoint is None or not limited:
        return refusal
    if refusal is not None:
        tools.windows.refuse(endpoint, offset)
        return refusal
    taken = tools.windows.admit(endpoint, request, offset=offset, tokens=_reservation(endpoint, case.body))
    if isinstance(taken, Taken):
        case.bookings = taken.bookings
        return None
    return taken


def _hopeless(case: Case, load: Load, tools: Serving) -> Refusal | None:
    request, endpoint = case.request, case.endpoint
    if endpoint is None or case.entity is None:
        return refusals.unknown_endpoint()
    if request.request_id in tools.hung_up:
        case.gone = True
        return refusals.caller_gone()
    if tools.now_ms() >= request.deadline_ms:
        return refusals.too_late()
    if tools.gate.share_is_full(load):
        return refusals.too_many_in_flight(endpoint.name)
    if case.unopened:
        logs.event(log, logging.ERROR, "unopened", request_id=request.request_id)
        return refusals.unopened("request")
    return None


def _reservation(endpoint: Endpoint, asked: bytes) -> int:
    """Tokens to reserve where tokens are limited: the prompts' estimate, and `max_tokens` if given, for each answer."""
    limits = (endpoint.ai_gateway and endpoint.ai_gateway.rate_limits) or ()
    if all(limit.tokens is None for limit in limits):
        return 0
    try:
        body = texts.for_provider(endpoint.task, texts.decoded(asked))
    except msgspec.DecodeError:
        return 0  # refused before any provider sees it
    found = texts.of_request(endpoint.task, body)
    most = body.get("max_tokens") or body.get("max_completion_tokens")
    answers = max(0, most) * _answers(endpoint.task, body) if isinstance(most, int) else 0
    return counting.estimated_tokens(counting.characters(found)) + answers


def _answers(task: str, body: dict[str, Any]) -> int:
    """How many answers the provider may make: `n`, or as many as it chooses from, for every prompt of a batch."""
    asked = [count for field in ("n", "best_of") if isinstance(count := body.get(field), int)]
    prompt = body.get("prompt") if task == "llm/v1/completions" else None
    # a list of numbers is one prompt, given as its tokens
    prompts = len(prompt) if isinstance(prompt, list) and not all(isinstance(one, int) for one in prompt) else 1
    return max([1, *asked]) * prompts


async def finish(case: Case, decision: Refusal | None, tools: Serving) -> None:
    """Work on one request to its end: whatever happens, it is settled once."""
    request = case.request
    try:
        outcome = refused(decision) if decision is not None else await bounded(case, tools)
    except Exception as error:  # the task's edge: a defect is answered and logged, never lost
        logs.event(log, logging.ERROR, "defect", request_id=request.request_id, error=type(error).__name__)
        log.debug("defect", exc_info=error)
        outcome = refused(refusals.internal(request.request_id))
    if case.gone:
        outcome = msgspec.structs.replace(outcome, caller_waits=False)
    try:
        await settle(case, outcome, tools.settling)
    finally:
        tools.cases.pop(request.request_id, None)
    await tools.finished(request.request_id)


async def bounded(case: Case, tools: Serving) -> Outcome:
    """Answer within the deadline, or until the caller hangs up."""
    left_s = (case.request.deadline_ms - tools.now_ms()) / 1000
    try:
        async with asyncio.timeout(0 if case.gone else left_s) as case.bound:
            return await answer(case, tools)
    except TimeoutError:
        return refused(refusals.caller_gone() if case.gone else refusals.too_late(), caller_waits=not case.gone)
    finally:
        case.bound = None


async def answer(case: Case, tools: Serving) -> Outcome:
    """Input guardrails, then the provider chain with its output guardrails; judges are asked beside it."""
    endpoint, request = case.endpoint, case.request
    assert endpoint is not None and case.entity is not None  # noqa: S101 - admission refused these
    try:
        body = texts.decoded(case.body)
    except msgspec.DecodeError as error:
        return refused(refusals.malformed_json(str(error)))
    problem = _unfit(endpoint, request, body) or stream_refusal(
        endpoint, streams=request.stream, refused=tools.caller.refuse_guarded_streams
    )
    if problem is not None:
        return refused(problem)
    body = texts.for_provider(endpoint.task, body)
    found = texts.of_request(endpoint.task, body)
    case.input_characters = counting.characters(found)
    guarded = await guarded_request(case, body, tools.caller.checking)
    if isinstance(guarded, Refusal):
        return refused(guarded)
    call = attempts.call(case, endpoint, case.entity.name, guarded, tools.caller)
    return await beside(case, guarded, call, tools.caller.judges)


def _unfit(endpoint: Endpoint, request: RequestReceived, body: dict[str, Any]) -> Refusal | None:
    if request.task and request.task != endpoint.task:
        return refusals.bad_request(
            f"model: endpoint '{endpoint.name}' serves task {endpoint.task}, not {request.task}"
        )
    missing = texts.missing_field(endpoint.task, body)
    return None if missing is None else refusals.bad_request(missing)
