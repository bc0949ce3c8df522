import asyncio
from typing import Any

import msgspec
import pytest

from contract.endpoint import AiGateway, Enabled, InferenceTable
from contract.limits import PAYLOAD_SIDE_BYTES
from contract.records import RequestReceived, Submitted
from contract.topics import RECORD_BYTES
from processors.agents.settle import ERROR_CHARACTERS, payload_table
from processors.providers.base import HttpAnswer
from tests.processors.agents.world import TABLE, World, endpoint, failing, good, request
from tests.support import errors


async def test_a_request_over_the_size_is_left_out_of_the_row_and_said_so() -> None:
    world = World()
    big = {"messages": [{"role": "user", "content": "x" * PAYLOAD_SIDE_BYTES}]}
    await world.serve(request(big))
    assert world.row.request is None
    assert world.row.response is not None
    assert world.row.logging_error_codes == ("MAX_REQUEST_SIZE_EXCEEDED",)
    assert world.row.input_character_count == PAYLOAD_SIDE_BYTES


async def test_an_answer_over_the_size_is_left_out_of_the_row_but_not_of_the_reply() -> None:
    world = World()
    world.provider.steps = [good("x" * PAYLOAD_SIDE_BYTES)]
    await world.serve(request())
    assert world.row.response is None
    assert world.row.logging_error_codes == ("MAX_RESPONSE_SIZE_EXCEEDED",)
    assert len(world.answer["choices"][0]["message"]["content"]) == PAYLOAD_SIDE_BYTES


@pytest.mark.parametrize("tracked", [True, False])
async def test_usage_is_tracked_where_the_endpoint_says_so(tracked: bool) -> None:
    world = World(endpoint(AiGateway(usage_tracking_config=Enabled(enabled=tracked))))
    await world.serve(request())
    assert world.row.usage_tracked is tracked


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (TABLE, ("main", "logs", "chat")),
        (InferenceTable(catalog_name="main", schema_name="logs", enabled=True), ("main", "logs", "chat")),
        (InferenceTable(catalog_name="main", schema_name="logs", enabled=False), None),
        (InferenceTable(schema_name="logs", enabled=True), None),
        (None, None),
    ],
)
def test_a_payload_row_goes_where_the_inference_table_is(table: InferenceTable | None, expected: Any) -> None:
    found = payload_table(endpoint(AiGateway(inference_table_config=table)))
    assert (found and msgspec.structs.astuple(found)) == expected


async def test_a_submission_is_answered_on_its_producers_topic_and_the_ingress_hears_that_it_ended() -> None:
    world = World()
    await world.serve(request(submitted=Submitted(partition=2, offset=7, reply_topic="answers")))
    assert world.answered == [("r1", 200, good().body)]
    assert (world.finish.status, bytes(world.finish.body)) == (200, b"null")
    assert (world.row.status_code, world.acks) == (200, [1])


async def test_a_submission_is_acked_only_when_its_answer_is_delivered() -> None:
    world = World()
    undelivered = asyncio.Event()

    async def answer(request: RequestReceived, status: int, body: bytes) -> None:
        await undelivered.wait()

    world.to_producer = answer  # type: ignore[method-assign]
    await world.begin(request(submitted=Submitted(partition=2, offset=7, reply_topic="answers")))
    while not world.rows:
        await asyncio.sleep(0)
    assert world.acks == []
    undelivered.set()
    await world.ended()
    assert world.acks == [1]


async def test_durations_are_the_providers_and_the_whole() -> None:
    world = World()

    async def slow() -> HttpAnswer:
        world.now_ms += 40
        return good()

    world.provider.steps = [slow]
    await world.serve(request(received_at_ms=world.now_ms - 5))
    assert (world.row.execution_duration_ms, world.row.total_duration_ms) == (40, 45)


async def test_a_clock_that_is_behind_the_ingresses_gives_no_negative_duration() -> None:
    world = World()
    await world.serve(request(received_at_ms=world.now_ms + 5))
    assert world.row.total_duration_ms == 0


@pytest.mark.parametrize("named", ["chat", "nowhere"])
async def test_an_error_body_names_its_request_and_the_row_has_the_same_bytes(named: str) -> None:
    world = World()
    world.provider.steps = [failing(400)]
    await world.serve(request(endpoint=named))
    assert errors.named(world.answer, world.row.request_id).keys() == {"error_code", "message"}
    assert world.row.response is not None and world.row.response.encode() == bytes(world.finish.body)


async def test_a_providers_error_that_no_record_would_hold_is_cut() -> None:
    world = World()
    world.provider.steps = [HttpAnswer(status=400, body=b'"' + b"\\\\" * 4 * 1024 * 1024 + b'"')]
    await world.serve(request())
    assert (world.finish.status, world.crashes) == (400, [])
    assert len(world.finish.body) < RECORD_BYTES and len(world.answer["message"]) == ERROR_CHARACTERS


async def test_a_good_answer_is_passed_on_without_a_word_about_errors() -> None:
    world = World()
    await world.serve(request())
    assert world.finish.status == 200 and "details" not in world.answer


async def test_a_row_that_cannot_be_delivered_is_not_acked() -> None:
    world = World()

    async def publish(*_: Any) -> int:
        raise ConnectionError("broker lost")

    world.publish = publish  # type: ignore[assignment]
    await world.serve(request())
    assert world.acks == []
    assert isinstance(world.crashes[0], ConnectionError)
