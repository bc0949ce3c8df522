"""Settling: the reply to the ingress's slot and the one row of the event log, both delivered before the ack."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, Protocol

import msgspec

from contract import codec, refusals
from contract.endpoint import Endpoint
from contract.limits import PAYLOAD_SIDE_BYTES
from contract.records import PayloadTable, ReplyFinished, RequestLogged, RequestReceived
from contract.topics import LOG, RECORD_BYTES
from processors.agents.case import Case, Outcome
from processors.agents.observing import all_findings
from processors.agents.streaming import end_of
from processors.payload import counting, texts
from processors.rate_limits.admission import Booking

UNLOGGED = {"rate_limited", "too_many_in_flight"}  # in endpoint_usage, not in the payload table (design 6)

ERROR_CHARACTERS = 1024 * 1024  # what is left of a message that does not fit into a record


class Publish(Protocol):
    """Delivers a record and returns its offset; `processors.bus.Bus.publish` is the real one."""

    async def __call__(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> int: ...


class Settling(NamedTuple):
    """What settling takes. `answer`: to a Kafka producer's own topic, with status and JSON."""

    publish: Publish
    reply: Callable[[int, ReplyFinished], Awaitable[None]]
    answer: Callable[[RequestReceived, int, bytes], Awaitable[None]]
    release: Callable[[str, Iterable[Booking], int], None]
    now_ms: Callable[[], int]
    account_id: str
    workspace_id: str
    log_raw_payloads: bool


async def settle(case: Case, outcome: Outcome, tools: Settling) -> None:
    """Deliver what the request came to."""
    outcome = named(outcome, case.request.request_id)
    row = logged(case, outcome, tools)
    if case.bookings and case.endpoint is not None:
        tools.release(case.endpoint.name, case.bookings, row.input_token_count + row.output_token_count)
    deliveries: list[Awaitable[Any]] = [_to_log(case, row, tools)]
    if case.request.submitted is not None:
        deliveries.append(tools.answer(case.request, outcome.status, outcome.answer))
    if outcome.caller_waits:
        deliveries.append(tools.reply(case.request.reply_slot, await reply(case, outcome)))
    elif case.relay is not None:
        await case.relay.close()
    await asyncio.gather(*reversed(deliveries))


def named(outcome: Outcome, request_id: str) -> Outcome:
    """The outcome, whose error body names the request: what the caller and the log get."""
    if not outcome.refusal:
        return outcome
    body = msgspec.json.encode(refusals.envelope(outcome.error_code, outcome.message, request_id))
    if len(body) <= RECORD_BYTES:
        return msgspec.structs.replace(outcome, answer=body)
    # a provider's error of megabytes grows as text inside JSON, and no record would hold it
    return named(msgspec.structs.replace(outcome, message=outcome.message[:ERROR_CHARACTERS]), request_id)


async def _to_log(case: Case, row: RequestLogged, tools: Settling) -> None:
    """Publish the row, once those who only observe have said what they found: the caller does not wait for them."""
    if case.observers:
        row = msgspec.structs.replace(row, findings=await all_findings(case))
    await tools.publish(LOG.name, row.request_id, codec.encode(row))


async def reply(case: Case, outcome: Outcome) -> ReplyFinished:
    """The last record for the ingress: a whole answer, a started stream's end, or that a submission has ended."""
    request, relay = case.request, case.relay
    tail = "" if relay is None else await relay.close() + end_of(outcome, request.request_id)
    record = ReplyFinished(
        request_id=request.request_id,
        boot_id=request.boot_id,
        status=outcome.status,
        body=msgspec.Raw(outcome.answer if request.submitted is None else b"null"),
        attempt="" if relay is None else relay.attempt,
        seq=0 if relay is None else relay.seq,
        data=tail,
        served_entity_name=case.entity.name if case.entity else "",
        config_version=request.config_version,
    )
    return record if case.transit is None else case.transit.reply(record)


def logged(case: Case, outcome: Outcome, tools: Settling) -> RequestLogged:
    """The event log's row."""
    request, endpoint = case.request, case.endpoint
    asked, answered, codes = _sides(case, outcome, tools)
    output_characters = outcome.output_characters or _characters_so_far(case)
    prompt_tokens, completion_tokens = _tokens(case, outcome, output_characters)
    return RequestLogged(
        request_id=request.request_id,
        received_at_ms=request.received_at_ms,
        endpoint_id=endpoint.id if endpoint else "",
        endpoint_name=request.endpoint,
        served_entity_id=case.entity.id if case.entity else "",
        served_entity_name=case.entity.name if case.entity else "",
        requester=request.requester.name,
        status_code=outcome.status,
        account_id=tools.account_id,
        workspace_id=tools.workspace_id,
        client_request_id=request.client_request_id,
        task=endpoint.task if endpoint else request.task,
        streaming=request.stream,
        execution_duration_ms=case.provider_ms,
        total_duration_ms=max(0, tools.now_ms() - request.received_at_ms),
        time_to_first_token_ms=case.time_to_first_ms,
        input_token_count=prompt_tokens,
        output_token_count=completion_tokens,
        input_character_count=case.input_characters,
        output_character_count=output_characters,
        usage_context=request.usage_context,
        request=asked,
        response=answered,
        logging_error_codes=codes,
        usage_tracked=_usage_tracked(endpoint),
        payload_table=None if outcome.refusal in UNLOGGED else payload_table(endpoint),
        refusal=outcome.refusal,
        attempts=tuple(case.attempts),
        findings=tuple(case.findings),
        config_version=request.config_version,
    )


def _characters_so_far(case: Case) -> int:
    return counting.characters(case.merged.texts()) if case.merged is not None else 0


def _tokens(case: Case, outcome: Outcome, output_characters: int) -> tuple[int, int]:
    """Input and output tokens: the provider's count, else the vendor's estimate; none where no provider was called."""
    if not case.attempts and case.merged is None:
        return 0, 0
    given = outcome.usage
    asked = given.prompt_tokens
    made = given.completion_tokens
    return (
        counting.estimated_tokens(case.input_characters) if asked is None else asked,
        counting.estimated_tokens(output_characters) if made is None and output_characters else made or 0,
    )


def _sides(case: Case, outcome: Outcome, tools: Settling) -> tuple[str | None, str | None, tuple[str, ...]]:
    raw = tools.log_raw_payloads and not case.reversible
    asked = bytes(case.request.body) if raw else case.logged_request
    answered = outcome.logged or (outcome.answer if outcome.caller_waits or case.merged is None else None)
    if answered is None:
        answered = texts.encoded(case.merged.answer())
    codes = []
    if len(asked) > PAYLOAD_SIDE_BYTES:
        codes.append("MAX_REQUEST_SIZE_EXCEEDED")
    if len(answered) > PAYLOAD_SIDE_BYTES:
        codes.append("MAX_RESPONSE_SIZE_EXCEEDED")
    return (
        None if len(asked) > PAYLOAD_SIDE_BYTES else asked.decode(errors="replace"),
        None if len(answered) > PAYLOAD_SIDE_BYTES else answered.decode(errors="replace"),
        tuple(codes),
    )


def _usage_tracked(endpoint: Endpoint | None) -> bool:
    tracking = endpoint.ai_gateway.usage_tracking_config if endpoint and endpoint.ai_gateway else None
    return bool(tracking and tracking.enabled)


def payload_table(endpoint: Endpoint | None) -> PayloadTable | None:
    """Where the endpoint's payload rows go; None when its inference table is off."""
    table = endpoint.ai_gateway.inference_table_config if endpoint and endpoint.ai_gateway else None
    if endpoint is None or table is None or not table.enabled or not table.catalog_name or not table.schema_name:
        return None
    return PayloadTable(
        catalog=table.catalog_name, schema=table.schema_name, prefix=table.table_name_prefix or endpoint.name
    )
