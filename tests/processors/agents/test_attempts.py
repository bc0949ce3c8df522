from typing import Any

import msgspec
import pytest

from contract import refusals
from contract.endpoint import Endpoint
from processors.providers.base import HttpAnswer, ProviderUnreachable
from tests.processors.agents.world import (
    FALLBACK,
    QUESTION,
    Step,
    World,
    endpoint,
    failing,
    good,
    guarded,
    request,
)

MAIL = {"messages": [{"role": "user", "content": "Mail bob@example.com please"}]}
MASKED = "Mail <EMAIL_ADDRESS> please"


def attempts(world: World) -> list[tuple[str, int, str]]:
    return [(one.served_entity_name, one.status, one.outcome) for one in world.row.attempts]


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (failing(429), 429),
        (failing(500), 500),
        (failing(503), 503),
        (ProviderUnreachable("connection lost"), 0),
        (HttpAnswer(status=200, body=b"<html>"), 0),
        (HttpAnswer(status=200, body=b'{"choices":'), 0),
        (HttpAnswer(status=200, body=b'{"choices":"\xff"}'), 0),
    ],
)
async def test_a_failure_falls_back_to_the_next_entity(step: Step, status: int) -> None:
    world = World(endpoint(FALLBACK, "a", "b"))
    world.provider.steps = [step, good()]
    await world.serve(request())
    assert world.finish.status == 200
    assert world.provider.models == ["model-a", "model-b"]
    assert attempts(world) == [("a", status, "failed"), ("b", 200, "answered")]
    assert (world.row.served_entity_id, world.finish.served_entity_name) == ("id-b", "b")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_by_the_provider_does_not_fall_back(status: int) -> None:
    world = World(endpoint(FALLBACK, "a", "b"))
    world.provider.steps = [failing(status)]
    await world.serve(request())
    assert world.finish.status == status
    assert attempts(world) == [("a", status, "answered")]


async def test_without_fallback_the_first_failure_is_the_answer() -> None:
    world = World(endpoint(None, "a", "b"))
    world.provider.steps = [failing(503)]
    await world.serve(request())
    assert (world.finish.status, world.provider.models) == (503, ["model-a"])


async def test_at_most_two_fallbacks_and_the_last_failure_is_passed_on() -> None:
    world = World(endpoint(FALLBACK, "a", "b", "c", "d"))
    world.provider.steps = [failing(500), failing(503), failing(429)]
    await world.serve(request())
    assert world.finish.status == 429
    assert [name for name, _, _ in attempts(world)] == ["a", "b", "c"]


async def test_a_providers_error_is_passed_on_in_the_vendors_shape() -> None:
    world = World()
    world.provider.steps = [failing(400)]
    await world.serve(request())
    assert world.answer["error_code"] == "BAD_REQUEST"
    assert msgspec.json.decode(world.answer["message"]) == {
        "external_model_provider": "openai",
        "external_model_error": {"error": {"message": "scripted 400"}},
    }
    assert world.row.refusal == "provider_error"


@pytest.mark.parametrize("said", [b"not <json>", b"\xff\xfe", b'{"a":' + b"[" * 9_000 + b"]" * 9_000 + b"}", b""])
async def test_a_providers_error_that_is_no_json_is_passed_on_as_text(said: bytes) -> None:
    world = World()
    world.provider.steps = [HttpAnswer(status=400, body=said)]
    await world.serve(request())
    assert world.finish.status == 400
    inner = msgspec.json.decode(world.answer["message"])
    assert inner["external_model_error"] == said.decode(errors="replace")[:2_000]


async def test_a_redirect_is_a_failure_of_the_provider() -> None:
    world = World()
    world.provider.steps = [HttpAnswer(status=302, body=b"")]
    await world.serve(request())
    assert world.finish.status == 502


async def test_a_missing_secret_is_a_refusal_and_no_attempt() -> None:
    world = World(endpoint(FALLBACK, "a", "b"))
    world.secret = lambda said: refusals.bad_request("Secret does not exist with scope: s and key: k")
    await world.serve(request())
    assert world.finish.status == 400
    assert "scope: s and key: k" in world.answer["message"]
    assert (attempts(world), world.row.input_token_count, world.provider.calls) == ([], 0, [])


async def test_a_provider_without_an_adapter_is_refused() -> None:
    one = endpoint()
    model = msgspec.structs.replace(one.entities[0].external_model, provider="cohere")
    entity = msgspec.structs.replace(one.entities[0], external_model=model)
    world = World(msgspec.structs.replace(one, entities=(entity,)))
    await world.serve(request())
    assert "`cohere` cannot be called yet" in world.answer["message"]
    assert attempts(world) == []


async def test_the_model_is_the_entitys_and_what_is_ours_stays_here() -> None:
    world = World()
    await world.serve(request(QUESTION | {"model": "chat", "usage_context": {}, "extra_params": {"top_k": "5"}}))
    assert world.provider.bodies == [QUESTION | {"model": "model-a", "top_k": "5"}]


async def test_an_input_block_never_calls_the_provider_and_logs_the_masked_text() -> None:
    world = World(endpoint(guarded("input", "BLOCK")))
    await world.serve(request(MAIL))
    assert (world.finish.status, world.provider.calls) == (400, [])
    assert 'pii_detection":true' in world.answer["message"]
    assert "bob@example.com" not in str(world.published) + str(world.replies)
    assert MASKED in str(world.row.request)
    assert (world.row.refusal, world.row.payload_table is not None) == ("input_guardrail", True)
    assert [(one.side, one.outcome, one.entity_type) for one in world.row.findings] == [
        ("input", "blocked", "EMAIL_ADDRESS")
    ]


async def test_an_input_mask_changes_what_the_provider_gets_and_what_is_logged() -> None:
    world = World(endpoint(guarded("input", "MASK")))
    await world.serve(request(MAIL | {"temperature": 0.5, "client_request_id": "mine"}))
    assert world.finish.status == 200
    assert world.provider.bodies[0]["messages"][0]["content"] == MASKED
    logged = msgspec.json.decode(str(world.row.request))
    assert logged == {
        "messages": [{"role": "user", "content": MASKED}],
        "temperature": 0.5,
        "client_request_id": "mine",
    }
    assert [one.outcome for one in world.row.findings] == ["masked"]


async def test_extra_params_do_not_carry_text_past_the_guardrails() -> None:
    world = World(endpoint(guarded("input", "MASK")))
    await world.serve(request(QUESTION | {"extra_params": MAIL}))
    assert world.provider.bodies[0]["messages"] == QUESTION["messages"]


async def test_a_keyword_block_logs_the_request_as_it_came() -> None:
    world = World(endpoint(guarded("input", "NONE", "hello")))
    raw = b'{ "messages": [ {"role": "user", "content": "Hello"} ], "temperature": 1.0 }'
    await world.serve(request(raw))
    assert world.finish.status == 400
    assert 'invalid_keywords":true' in world.answer["message"]
    assert world.row.request == raw.decode()


async def test_a_keyword_block_with_personal_data_logs_the_masked_text() -> None:
    world = World(endpoint(guarded("input", "MASK", "mail")))
    await world.serve(request(MAIL))
    assert world.finish.status == 400
    assert "bob@example.com" not in str(world.row)


async def test_raw_payloads_are_logged_when_that_is_asked_for() -> None:
    world = World(endpoint(guarded("input", "BLOCK")))
    world.log_raw_payloads = True
    await world.serve(request(MAIL))
    assert "bob@example.com" in str(world.row.request)


async def test_a_request_without_findings_is_logged_byte_for_byte() -> None:
    world = World(endpoint(guarded("input", "MASK")))
    raw = b'{ "messages": [ {"role": "user", "content": "Hello"} ] }'
    await world.serve(request(raw))
    assert world.row.request == raw.decode()


async def test_an_output_mask_changes_what_the_caller_gets_and_what_is_logged() -> None:
    world = World(endpoint(guarded("output", "MASK")))
    world.provider.steps = [good("Write to bob@example.com")]
    await world.serve(request())
    assert world.answer["choices"][0]["message"]["content"] == "Write to <EMAIL_ADDRESS>"
    assert world.answer["output_guardrail"][0]["pii_detection"] is True
    assert world.row.response == bytes(world.finish.body).decode()
    assert world.row.output_token_count == 3


async def test_an_output_block_says_nothing_of_the_answer_but_counts_its_tokens() -> None:
    world = World(endpoint(guarded("output", "NONE", "answer")))
    await world.serve(request())
    assert (world.finish.status, world.row.refusal) == (400, "output_guardrail")
    assert (world.row.input_token_count, world.row.output_token_count) == (7, 3)
    assert attempts(world) == [("a", 200, "answered")]


def one_of(task: str) -> Endpoint:
    return endpoint(guarded("input", "MASK"), task=task)


@pytest.mark.parametrize(
    ("task", "body"),
    [
        ("llm/v1/chat", QUESTION | {"n": 17}),
        ("llm/v1/chat", QUESTION | {"extra_params": {"n": 17}}),
        ("llm/v1/completions", {"prompt": ["x"] * 17}),
        ("llm/v1/embeddings", {"input": ["x"] * 17}),
    ],
)
async def test_more_than_sixteen_answers_are_refused_where_guardrails_are_on(task: str, body: Any) -> None:
    world = World(one_of(task))
    await world.serve(request(body))
    assert (world.finish.status, world.provider.calls) == (400, [])
    assert "at most 16" in world.answer["message"]


async def test_sixteen_answers_are_allowed() -> None:
    world = World(one_of("llm/v1/chat"))
    await world.serve(request(QUESTION | {"n": 16}))
    assert world.finish.status == 200


@pytest.mark.parametrize("usage", [{"prompt_tokens": -9}, {"prompt_tokens": 10**30}, "x", None])
async def test_a_count_that_cannot_be_right_is_replaced_by_the_estimate(usage: Any) -> None:
    world = World()
    body = msgspec.json.decode(good().body)
    big = b'{"usage":{"prompt_tokens":1000000000000000000000000000000},"choices":[]}'
    raw = big if usage == {"prompt_tokens": 10**30} else msgspec.json.encode(body | {"usage": usage})
    world.provider.steps = [HttpAnswer(status=200, body=raw)]
    await world.serve(request())
    assert world.finish.status == 200
    assert world.row.input_token_count == 1


@pytest.mark.parametrize("choices", [5, {}, [None, 5], [{"message": 5}], [{"message": {"content": [5]}}]])
async def test_an_answer_of_another_shape_is_passed_on_as_it_is(choices: Any) -> None:
    world = World(endpoint(guarded("output", "MASK")))
    raw = msgspec.json.encode({"choices": choices})
    world.provider.steps = [HttpAnswer(status=200, body=raw)]
    await world.serve(request())
    assert (world.finish.status, bytes(world.finish.body)) == (200, raw)
