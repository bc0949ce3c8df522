"""Reversible masking around a call: the provider and every topic hold placeholders, the caller reads his own values."""

import json

import msgspec
import pytest

from contract import codec
from contract.endpoint import AiGateway
from contract.guardrails import Guardrail, Pii
from contract.records import HandedOver, Submitted
from contract.topics import HANDOVERS
from ingress import sealing
from processors.agents.handover import LOST_AFTER_MS, Handing, HandOvers
from processors.agents.judges import Judges
from processors.providers.base import HttpAnswer
from tests.processors.agents.judged import GUARD, Guard
from tests.processors.agents.restoring_world import (
    ASKED,
    CARD,
    ECHO,
    MASKED,
    PHONE,
    answer,
    asked,
    content,
    masking,
    nothing_in_clear,
    opened,
    pieces,
    read,
    reversible,
    said,
    sealed,
)
from tests.processors.agents.test_serve import limited
from tests.processors.agents.world import (
    DONE,
    PARTITION,
    Hang,
    World,
    chunk,
    endpoint,
    failing,
    good,
    request,
    spoken,
)


async def test_the_provider_reads_numbered_placeholders_and_the_caller_his_own_values() -> None:
    world = await asked(World(masking()), ECHO)
    assert world.provider.bodies[0]["messages"][0]["content"] == MASKED
    assert content(world) == ASKED["messages"][0]["content"]


async def test_the_log_holds_placeholders_on_both_sides() -> None:
    world = await asked(World(masking()), ECHO)
    assert json.loads(str(world.row.request)) == {"messages": [{"role": "user", "content": MASKED}]}
    assert json.loads(str(world.row.response))["choices"][0]["message"]["content"] == MASKED
    assert [found.entity_type for found in world.row.findings] == ["PHONE_NUMBER", "EMAIL_ADDRESS", "PHONE_NUMBER"]


async def test_raw_payloads_are_no_reason_to_log_values() -> None:
    world = World(masking())
    world.log_raw_payloads = True
    await asked(world, ECHO)
    assert MASKED in str(world.row.request)


async def test_a_request_in_which_nothing_is_found_is_logged_as_it_was() -> None:
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    world = await asked(World(masking()), good("Hello"), record=sealed(body))
    assert json.loads(str(world.row.request)) == body
    assert (world.finish.body, content(world)) == (msgspec.Raw(b"null"), "Hello")


async def test_other_endpoints_replies_are_not_sealed_and_their_answers_pass_byte_for_byte() -> None:
    world = World()
    await world.serve(request(ASKED))
    assert (world.finish.sealed, bytes(world.finish.body)) == (b"", good().body)


async def test_tool_calls_get_the_values_escaped_as_their_json_wants() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"to": "<CREDIT_CARD_1>"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "<CREDIT_CARD_1>?"}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    body = {"messages": [{"role": "user", "content": f"Call {CARD}."}]}
    world = await asked(World(masking()), good(choices=choices), record=sealed(body))
    said = answer(world)["choices"][0]["message"]
    assert json.loads(said["tool_calls"][0]["function"]["arguments"]) == {"to": CARD}
    assert said["reasoning_content"] == f"{CARD}?"


@pytest.mark.parametrize("form", ["json_object", "json_schema"])
async def test_an_answer_that_was_asked_for_as_json_stays_json(form: str) -> None:
    body = {"messages": [{"role": "user", "content": CARD}], "response_format": {"type": form}}
    world = await asked(World(masking()), good('{"to": "<CREDIT_CARD_1>"}'), record=sealed(body))
    assert json.loads(content(world)) == {"to": CARD}


async def test_a_placeholder_the_caller_wrote_himself_comes_back_as_he_wrote_it() -> None:
    text = f"<PHONE_NUMBER_1> is a label, {PHONE} a number"
    tools = [{"type": "function", "function": {"name": "f", "description": "PHONE_NUMBER_2"}}]
    body = {"messages": [{"role": "user", "content": text}], "tools": tools}
    masked = "<PHONE_NUMBER_1> is a label, <PHONE_NUMBER_3> a number"
    world = await asked(World(masking()), good(masked), record=sealed(body))
    assert world.provider.bodies[0]["messages"][0]["content"] == masked
    assert content(world) == text


async def test_a_keyword_blocks_with_an_envelope_that_shows_placeholders() -> None:
    world = await asked(World(endpoint(reversible("forbidden"))), record=sealed(said(f"forbidden {PHONE}")))
    assert (opened(world.finish).status, world.provider.calls) == (400, [])
    inner = json.loads(answer(world)["message"])
    assert inner["input_guardrail"][0]["anonymized_input"] == [
        {"role": "user", "content": "forbidden <PHONE_NUMBER_1>"}
    ]
    assert "<PHONE_NUMBER_1>" in str(world.row.request)


async def test_the_second_entity_reads_the_same_placeholders_after_a_fallback() -> None:
    world = await asked(World(masking("a", "b", fallback=True)), failing(503), ECHO)
    assert [body["messages"][0]["content"] for body in world.provider.bodies] == [MASKED, MASKED]
    assert content(world) == ASKED["messages"][0]["content"]


async def test_a_providers_error_passes_through_with_the_placeholders_it_echoes() -> None:
    error = HttpAnswer(status=400, body=b'{"error":{"message":"bad: <PHONE_NUMBER_1>"}}')
    world = await asked(World(masking()), error)
    assert opened(world.finish).status == 400
    assert "<PHONE_NUMBER_1>" in answer(world)["message"]


async def test_output_guardrails_read_the_answer_before_its_values_are_back() -> None:
    side = Guardrail(safety=False, pii_detection=True, pii=Pii(behavior="BLOCK"))
    world = await asked(World(endpoint(reversible(output=side))), ECHO)
    assert (opened(world.finish).status, content(world)) == (200, ASKED["messages"][0]["content"])


def judged(stream: bool) -> tuple[World, Guard]:
    """A world whose guard model judges both sides of an endpoint that masks reversibly."""
    output = Guardrail(safety=True, pii_detection=False, pii=Pii(behavior="NONE"))
    gateway = reversible(output=output)
    assert gateway.guardrails and gateway.guardrails.input
    side = msgspec.structs.replace(gateway.guardrails.input, safety=True)
    sides = msgspec.structs.replace(gateway.guardrails, input=side)
    world, guard = World(endpoint(msgspec.structs.replace(gateway, guardrails=sides))), Guard()
    world.judges = Judges(guard, GUARD)
    world.provider.steps = [(chunk(MASKED), chunk(last=True), DONE) if stream else ECHO]
    return world, guard


@pytest.mark.parametrize("stream", [False, True])
async def test_judges_read_placeholders_on_both_sides(stream: bool) -> None:
    world, guard = judged(stream)
    await world.serve(sealed(ASKED | {"stream": stream}, stream=stream))
    assert len(guard.calls) == 2
    assert all(b"<PHONE_NUMBER_1>" in call.body and PHONE.encode() not in call.body for call in guard.calls)
    said = spoken(read(world)) if stream else content(world)
    assert (said, nothing_in_clear(world)) == (ASKED["messages"][0]["content"], True)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_model_brings_itself_is_masked_for_good(stream: bool) -> None:
    side = Guardrail(safety=False, pii_detection=True, pii=Pii(behavior="MASK"))
    text = "<PHONE_NUMBER_1>: ask eve@example.com"
    answered = (*pieces(text, 3), chunk(last=True), DONE) if stream else good(text)
    record = sealed(ASKED | {"stream": stream}, stream=stream)
    world = await asked(World(endpoint(reversible(output=side))), answered, record=record)
    assert (spoken(read(world)) if stream else content(world)) == f"{PHONE}: ask <EMAIL_ADDRESS>"
    logged = json.loads(str(world.row.response))["choices"][0]["message"]["content"]
    assert logged == "<PHONE_NUMBER_1>: ask <EMAIL_ADDRESS>"


async def test_completions_are_restored_and_embeddings_only_masked() -> None:
    texts = {"prompt": [PHONE, f"not {PHONE}"]}
    choices = [{"index": 0, "text": "<PHONE_NUMBER_1>!", "finish_reason": "stop"}]
    world = World(endpoint(reversible(), task="llm/v1/completions"))
    await asked(world, good(choices=choices), record=sealed(texts))
    assert world.provider.bodies[0]["prompt"] == ["<PHONE_NUMBER_1>", "not <PHONE_NUMBER_1>"]
    assert answer(world)["choices"][0]["text"] == f"{PHONE}!"
    world = World(endpoint(reversible(), task="llm/v1/embeddings"))
    vectors = HttpAnswer(status=200, body=b'{"data":[{"embedding":[0.5]}]}')
    await asked(world, vectors, record=sealed({"input": PHONE}))
    assert (world.provider.bodies[0]["input"], answer(world)) == ("<PHONE_NUMBER_1>", json.loads(vectors.body))


async def test_a_kafka_producers_answer_keeps_its_placeholders() -> None:
    to = Submitted(partition=2, offset=7, reply_topic="answers")
    world = await asked(World(masking()), ECHO, record=sealed(submitted=to))
    ((_, status, body),) = world.answered
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, MASKED)


async def test_a_request_in_clear_from_before_the_switch_is_masked_and_its_reply_sealed() -> None:
    world = World(masking())
    world.provider.steps = [ECHO]
    await world.serve(request(ASKED))
    assert nothing_in_clear(world)
    assert content(world) == ASKED["messages"][0]["content"]


async def test_a_sealed_request_from_before_the_switch_off_is_answered_as_the_endpoint_is_now() -> None:
    world = World(endpoint())
    world.provider.steps = [good()]
    await world.serve(sealed())
    assert world.provider.bodies[0]["messages"] == ASKED["messages"]
    assert (world.finish.status, world.finish.sealed, world.row.request) == (200, b"", "null")


OTHER_KEY = b"o" * 32
UNOPENABLE = {
    "another key": sealing.request_sealed(request(ASKED), OTHER_KEY),
    "damaged": msgspec.structs.replace(sealed(), sealed=b"?" * 40),
    "too short": msgspec.structs.replace(sealed(), sealed=b"?"),
    "another request's": msgspec.structs.replace(sealed(request_id="other"), request_id="r1"),
}


@pytest.mark.parametrize("why", UNOPENABLE)
@pytest.mark.parametrize("gateway", [reversible(), None, limited(calls=5)])
async def test_a_request_that_cannot_be_opened_is_refused_and_says_why(why: str, gateway: AiGateway | None) -> None:
    world = World(endpoint(gateway))
    await world.serve(UNOPENABLE[why])
    assert world.provider.calls == []
    assert (world.row.status_code, world.row.refusal, world.row.request) == (500, "unopened", "null")
    finish = opened(world.finish) if world.finish.sealed else world.finish
    assert finish.status == 500 and "master keys" in json.loads(bytes(finish.body))["message"]


async def test_what_is_refused_before_its_guardrails_ran_is_logged_without_its_text() -> None:
    world = await asked(World(masking()), record=sealed(deadline_ms=1))
    assert (world.row.status_code, world.row.request) == (504, "null")


async def test_tokens_are_reserved_for_what_was_sealed() -> None:
    gateway = msgspec.structs.replace(limited(tokens=50), guardrails=reversible().guardrails)
    world = World(endpoint(gateway))
    body = ASKED | {"max_tokens": 60}
    await asked(world, record=sealed(body))
    assert world.row.refusal == "rate_limited"


async def test_a_request_published_again_or_handed_over_stays_sealed() -> None:
    gateway = msgspec.structs.replace(limited(calls=5), guardrails=reversible().guardrails)
    world = World(endpoint(gateway))
    await world.serve(sealed_once := sealed(), partition=PARTITION + 1)
    assert world.moved == [("chat", codec.encode(sealed_once))]
    hang = Hang()
    world.provider.steps = [hang]
    await world.begin(sealed_once)
    await hang.reached.wait()
    mine = HandOvers(Handing("mine", world.gate, world.windows, world.publish, lambda: world.now_ms))
    await mine.hand_over()
    (value,) = [value for topic, _, value in world.published if topic == HANDOVERS.name]
    assert codec.read(HandedOver, value).request == sealed_once  # type: ignore[union-attr]
    world.hang_up()
    await world.ended()
    assert nothing_in_clear(world)


async def test_what_a_lost_worker_left_is_settled_without_its_text() -> None:
    world = World(masking())
    other = HandOvers(Handing("other", world.gate, world.windows, world.publish, lambda: world.now_ms))
    said = HandedOver(worker="lost", at_ms=world.now_ms - LOST_AFTER_MS - 1, request=sealed())
    other.learn("r1", codec.encode(said))
    await other.settle_left_behind(world.view, world.settling())
    assert (world.row.refusal, world.row.request) == ("worker_lost", "null")
    assert nothing_in_clear(world)


async def test_an_answer_that_grows_beyond_bounds_is_no_answer() -> None:
    address = "a" * 60 + "@" + "b" * 60 + ".example.com"
    many = good("<EMAIL_ADDRESS_1>" * 70_000)
    world = World(masking())
    world.provider.steps = [many]
    await world.serve(sealed(said(address)))
    assert (world.row.status_code, world.row.refusal) == (502, "provider_unreachable")
    world = World(masking())
    world.provider.steps = [(chunk("<EMAIL_ADDRESS_1>" * 70_000), DONE)]
    await world.serve(sealed(said(address) | {"stream": True}, stream=True))
    assert (world.row.status_code, world.row.refusal) == (502, "provider_unreachable")
