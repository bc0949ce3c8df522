"""Guardrails around a whole call: which texts are read, what only observes, what the log says of it."""

import threading
from typing import Any

import msgspec
import pytest

from contract.endpoint import AiGateway
from contract.guardrails import Extensions, Guardrails
from processors.agents.findings import MOST
from processors.agents.guarding import LONG_BYTES, off_the_loop
from processors.guardrails.base import RULES_VERSION, Rules, Verdict
from processors.guardrails.check import apply
from processors.providers.base import HttpAnswer
from tests.processors.agents.restoring_world import answer as opened_answer
from tests.processors.agents.restoring_world import nothing_in_clear, reversible, sealed
from tests.processors.agents.world import QUESTION, World, endpoint, good, guarded, request

MAIL = "bob@example.com"
SEND = {"name": "send", "arguments": '{"to":"bob\\u0040example.com","card":4111111111111111}'}
MASKED = '{"to":"<EMAIL_ADDRESS>","card":"<CREDIT_CARD>"}'
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": SEND}]}
TOOL = {"role": "tool", "tool_call_id": "1", "content": '{"sent":"bob\\u0040example.com"}'}
TOOLS = [{"type": "function", "function": {"name": "send", "parameters": {}}}]


def user(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


async def asked(body: Any, gateway: AiGateway, *, task: str = "llm/v1/chat", answer: Any = None) -> World:
    world = World(endpoint(gateway, task=task))
    world.provider.steps = [answer or good()]
    await world.serve(request(body))
    return world


async def answered(message: Any, gateway: AiGateway, **more: Any) -> World:
    choice = {"index": 0, "message": message, "finish_reason": "stop", **more}
    return await asked(
        QUESTION, gateway, answer=HttpAnswer(status=200, body=msgspec.json.encode({"choices": [choice]}))
    )


def findings(world: World) -> list[tuple[str, str, int, int, int]]:
    return [(one.outcome, one.entity_type, one.text_index, one.start, one.end) for one in world.row.findings]


# ---- requests ----

CARRIERS: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("llm/v1/chat", {"messages": [user(f"I am {MAIL}")]}),
    "text part": ("llm/v1/chat", {"messages": [user([{"type": "text", "text": MAIL}])]}),
    "name": ("llm/v1/chat", {"messages": [user("Hello", name=MAIL)]}),
    "refusal": ("llm/v1/chat", {"messages": [{"role": "assistant", "content": None, "refusal": f"Not {MAIL}"}]}),
    "reasoning": ("llm/v1/chat", {"messages": [{"role": "assistant", "content": "a", "reasoning_content": MAIL}]}),
    "text beside tools": ("llm/v1/chat", {"messages": [user(MAIL)], "tools": TOOLS}),
    "text of one who cannot call": ("llm/v1/chat", {"messages": [user(MAIL, tool_calls=[{"id": "1"}])]}),
    "prediction": ("llm/v1/chat", {"messages": [user("a")], "prediction": {"type": "content", "content": MAIL}}),
    "unknown field": ("llm/v1/chat", {"messages": [user("a")], "documents": [{"text": MAIL}]}),
    "extra param": ("llm/v1/chat", {"messages": [user("a")], "extra_params": {"system": MAIL}}),
    "prompt": ("llm/v1/completions", {"prompt": ["a", MAIL]}),
    "suffix": ("llm/v1/completions", {"prompt": "a", "suffix": f" says {MAIL}"}),
    "suffix as extra param": ("llm/v1/completions", {"prompt": "a", "suffix": "b", "extra_params": {"suffix": MAIL}}),
    "input": ("llm/v1/embeddings", {"input": ["a", MAIL]}),
}


@pytest.mark.parametrize(("task", "body"), CARRIERS.values(), ids=CARRIERS)
async def test_no_text_of_a_request_takes_personal_data_past_the_guardrails(task: str, body: Any) -> None:
    world = await asked(body, guarded("input", "MASK"), task=task)
    assert world.finish.status == 200
    (sent,) = world.provider.bodies
    assert MAIL not in str(sent)
    assert "<EMAIL_ADDRESS>" in str(sent)
    assert MAIL not in str(world.row)
    world = await asked(body, guarded("input", "BLOCK"), task=task)
    assert (world.finish.status, world.provider.calls) == (400, [])
    assert MAIL not in str(world.published) + str(world.replies)


async def test_images_pass_untouched() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,4111111111111111", "detail": "auto"}}
    world = await asked({"messages": [user([image, {"type": "text", "text": MAIL}])]}, guarded("input", "MASK"))
    assert world.provider.bodies[0]["messages"] == [user([image, {"type": "text", "text": "<EMAIL_ADDRESS>"}])]


async def test_the_caller_reads_which_texts_were_blocked_without_what_is_in_them() -> None:
    parts = [{"type": "text", "text": "I am"}, {"type": "text", "text": MAIL}]
    world = await asked({"messages": [user(parts)]}, guarded("input", "BLOCK"))
    (element,) = msgspec.json.decode(world.answer["message"])["input_guardrail"]
    assert element["anonymized_input"] == [{"role": "user", "content": "I am\n<EMAIL_ADDRESS>"}]


DEEP = b"[" * 150 + b'"bob@example.com"' + b"]" * 150


async def test_what_is_nested_too_deeply_to_be_read_is_refused() -> None:
    raw = b'{"messages":[],"documents":' + DEEP + b"}"
    world = await asked(raw, guarded("input", "MASK"))
    assert (world.finish.status, world.provider.calls) == (400, [])
    assert (await asked(raw, guarded("output", "MASK"))).finish.status == 200


# ---- calls of tools ----


@pytest.mark.parametrize("behavior", ["MASK", "BLOCK"])
async def test_calls_of_tools_and_what_tools_said_are_exempt_as_the_vendor_has_it(behavior: str) -> None:
    turns = [user("Hello"), CALL, TOOL]
    world = await asked({"messages": turns, "tools": TOOLS}, guarded("input", behavior))
    assert world.finish.status == 200
    assert world.provider.bodies[0]["messages"] == turns
    world = await answered(CALL, guarded("output", behavior))
    assert world.answer["choices"][0]["message"] == CALL


async def test_the_final_answer_after_calls_of_tools_is_guarded() -> None:
    world = await asked(
        {"messages": [user("Hello"), CALL, TOOL], "tools": TOOLS},
        guarded("output", "MASK"),
        answer=good(f"Sent to {MAIL}"),
    )
    assert world.answer["choices"][0]["message"]["content"] == "Sent to <EMAIL_ADDRESS>"


async def test_what_is_said_beside_a_call_is_guarded() -> None:
    world = await answered({**CALL, "content": f"I write to {MAIL}"}, guarded("output", "MASK"))
    message = world.answer["choices"][0]["message"]
    assert message == {**CALL, "content": "I write to <EMAIL_ADDRESS>"}


async def test_tool_turns_of_a_request_are_masked_where_asked_for() -> None:
    turns = [user("Hello"), CALL, TOOL]
    world = await asked({"messages": turns}, guarded("input", "MASK", tool_calls=True))
    sent = world.provider.bodies[0]["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "send", "arguments": MASKED}
    assert sent[2] == {**TOOL, "content": '{"sent":"<EMAIL_ADDRESS>"}'}
    logged = msgspec.json.decode(str(world.row.request))
    assert logged["messages"] == sent
    assert findings(world) == [
        ("masked", "EMAIL_ADDRESS", 1, 0, 15),
        ("masked", "CREDIT_CARD", 1, 0, 16),
        ("masked", "EMAIL_ADDRESS", 2, 0, 15),
    ]


async def test_arguments_of_an_answer_are_masked_where_asked_for_and_stay_json() -> None:
    world = await answered(CALL, guarded("output", "MASK", tool_calls=True))
    assert world.answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == MASKED
    old = {"role": "assistant", "content": None, "function_call": SEND}
    world = await answered(old, guarded("output", "MASK", tool_calls=True))
    assert world.answer["choices"][0]["message"]["function_call"]["arguments"] == MASKED


async def test_arguments_of_an_answer_can_block_it() -> None:
    world = await answered(CALL, guarded("output", "BLOCK", tool_calls=True))
    assert (world.finish.status, world.row.refusal) == (400, "output_guardrail")
    assert "4111111111111111" not in str(world.published) + str(world.replies)
    word = {**CALL, "tool_calls": [{"function": {"name": "f", "arguments": '{"a":"s\\u0065cret"}'}}]}
    world = await answered(word, guarded("output", "NONE", "secret", tool_calls=True))
    assert (world.finish.status, findings(world)) == (400, [("blocked", "", 0, 0, 0)])


async def test_arguments_are_no_characters_of_the_answer() -> None:
    world = await answered(CALL, guarded("output", "MASK", tool_calls=True))
    assert world.row.output_character_count == 0


async def test_values_masked_in_tool_turns_come_back_to_the_caller_and_to_nobody_else() -> None:
    gateway = reversible()
    assert gateway.guardrails is not None and gateway.guardrails.input is not None
    side = msgspec.structs.replace(gateway.guardrails.input, extensions=Extensions(reversible=True, tool_calls=True))
    both = msgspec.structs.replace(gateway, guardrails=Guardrails(input=side))
    again = {"name": "send", "arguments": '{"to": "<EMAIL_ADDRESS_1>", "card": "<CREDIT_CARD_1>"}'}
    world = World(endpoint(both))
    world.provider.steps = [good(choices=[{"index": 0, "message": {"tool_calls": [{"id": "2", "function": again}]}}])]
    await world.serve(sealed({"messages": [user("Hello"), CALL, TOOL]}))
    sent = world.provider.bodies[0]["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == '{"to":"<EMAIL_ADDRESS_1>","card":"<CREDIT_CARD_1>"}'
    assert sent[2]["content"] == '{"sent":"<EMAIL_ADDRESS_1>"}'
    (call,) = opened_answer(world)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == '{"to": "bob@example.com", "card": "4111111111111111"}'
    assert nothing_in_clear(world, MAIL, "4111111111111111")


# ---- answers ----


@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning", "refusal", "something_new"])
async def test_every_text_of_an_answer_is_guarded_and_counted(field: str) -> None:
    world = await answered({"role": "assistant", field: f"Mail {MAIL}"}, guarded("output", "MASK"))
    assert world.answer["choices"][0]["message"] == {"role": "assistant", field: "Mail <EMAIL_ADDRESS>"}
    assert world.row.output_character_count == len(f"Mail {MAIL}")
    assert world.row.response == bytes(world.finish.body).decode()


async def test_an_answer_nested_too_deeply_is_no_defect() -> None:
    raw = b'{"choices":[{"message":{"content":"Hello","more":' + b"[" * 900 + b"]" * 900 + b"}}]}"
    world = await asked(QUESTION, guarded("output", "MASK"), answer=HttpAnswer(status=200, body=raw))
    assert (world.finish.status, bytes(world.finish.body)) == (200, raw)


async def test_an_answer_in_parts_is_guarded() -> None:
    parts = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": MAIL}]}, {"type": "text", "text": MAIL}]
    world = await answered({"role": "assistant", "content": parts}, guarded("output", "MASK"))
    assert MAIL not in str(world.replies) + str(world.published)
    assert [part["type"] for part in world.answer["choices"][0]["message"]["content"]] == ["reasoning", "text"]


async def test_probabilities_of_tokens_do_not_say_what_was_masked() -> None:
    told = {"content": [{"token": MAIL, "logprob": -0.1}]}
    world = await answered({"content": MAIL}, guarded("output", "MASK"), logprobs=told)
    assert world.answer["choices"][0]["logprobs"] is None
    world = await answered({"content": "Hello"}, guarded("output", "MASK"), logprobs={"content": []})
    assert world.answer["choices"][0]["logprobs"] == {"content": []}


async def test_answers_of_embeddings_have_no_guardrails() -> None:
    body = {"object": "list", "data": [{"embedding": [0.5], "index": 0}], "note": MAIL}
    answer = HttpAnswer(status=200, body=msgspec.json.encode(body))
    world = await asked({"input": "a"}, guarded("output", "BLOCK"), task="llm/v1/embeddings", answer=answer)
    assert (world.finish.status, world.answer) == (200, body)


# ---- observing ----


@pytest.mark.parametrize("behavior", ["MASK", "BLOCK"])
async def test_who_observes_a_request_changes_nothing_and_notes_everything(behavior: str) -> None:
    body = {"messages": [user("Hello"), user(f"I am {MAIL}, secretly")], "n": 17}
    world = await asked(body, guarded("input", behavior, "secret", observe=True))
    assert world.finish.status == 200
    assert world.provider.bodies[0]["messages"] == body["messages"]
    assert world.row.request == msgspec.json.encode(body).decode()
    assert findings(world) == [("observed", "", 0, 0, 0), ("observed", "EMAIL_ADDRESS", 1, 5, 20)]


@pytest.mark.parametrize("behavior", ["MASK", "BLOCK"])
async def test_who_observes_an_answer_changes_nothing_and_notes_everything(behavior: str) -> None:
    answer = good(f"Write to {MAIL}, secretly")
    world = await asked(QUESTION, guarded("output", behavior, "secret", observe=True), answer=answer)
    assert (world.finish.status, bytes(world.finish.body)) == (200, answer.body)
    assert world.row.response == answer.body.decode()
    assert findings(world) == [("observed", "", 0, 0, 0), ("observed", "EMAIL_ADDRESS", 0, 9, 24)]


# ---- the log ----


async def test_a_finding_says_where_in_how_much_time_and_by_which_rules() -> None:
    world = World(endpoint(guarded("input", "MASK", "nothing")))

    async def slow(texts: list[str], rules: Rules) -> Verdict:
        world.now_ms += 8
        return apply(texts, rules)

    world.check = slow
    await world.serve(request({"messages": [user("Hello"), user(f"I am {MAIL}")]}))
    (one,) = world.row.findings
    assert (one.side, one.guardrail, one.outcome, one.entity_type) == ("input", "pii", "masked", "EMAIL_ADDRESS")
    assert (one.text_index, one.start, one.end, one.score, one.recogniser) == (1, 5, 20, 1.0, "EmailRecognizer")
    assert one.duration_ms == pytest.approx(8, abs=0.01)
    assert one.rules_version == RULES_VERSION


async def test_a_text_of_nothing_but_addresses_still_fits_into_the_log() -> None:
    world = await asked({"messages": [user(f"{MAIL} " * (MOST + 9))]}, guarded("input", "MASK"))
    assert len(world.row.findings) == MOST
    assert MAIL not in str(world.row.request)


async def test_an_answer_that_masking_makes_too_large_for_a_record_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("processors.agents.restoring.LINE_BYTES", 10_000)
    text = "a@b.co " * 1_000
    assert len(text) < 10_000 < len(apply([text], Rules(pii="MASK")).masked[0])
    world = await answered({"role": "assistant", "content": text}, guarded("output", "MASK"))
    assert (world.row.status_code, world.row.refusal) == (502, "provider_unreachable")
    assert "a@b.co" not in (world.row.response or "")


async def test_long_work_is_done_beside_the_event_loop_and_short_work_on_it() -> None:
    here = threading.get_ident()
    assert await off_the_loop(False, threading.get_ident) == here
    assert await off_the_loop(True, threading.get_ident) != here


async def test_a_long_body_is_masked_like_a_short_one() -> None:
    long = f"write to {MAIL} " + "and wait " * LONG_BYTES
    world = await asked({"messages": [user(long)]}, guarded("input", "MASK"), answer=good(long))
    (sent,) = world.provider.bodies[0]["messages"]
    assert sent["content"] == long.replace(MAIL, "<EMAIL_ADDRESS>")
