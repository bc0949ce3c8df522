import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.agents.streaming import error_event
from processors.guardrails.base import Rules
from processors.guardrails.check import apply
from tests.processors.agents.world import (
    BROKEN,
    DONE,
    FALLBACK,
    QUESTION,
    USAGE,
    USAGE_CHUNK,
    Hang,
    Step,
    World,
    chunk,
    endpoint,
    failing,
    good,
    guarded,
    request,
    spoken,
)
from tests.support import errors

ASKED = QUESTION | {"stream": True}
WHOLE = (chunk("The "), chunk("answer."), chunk(last=True), USAGE_CHUNK, DONE)
MAIL = (chunk("Write to bob@exam"), chunk("ple.com now"), chunk(last=True), DONE)


async def played(world: World, *steps: Step, body: Any = None, **more: Any) -> World:
    world.provider.steps = list(steps)
    await world.serve(request(ASKED if body is None else body, stream=True, **more))
    return world


async def test_a_stream_reaches_the_caller_in_order_and_is_logged_as_a_whole() -> None:
    world = await played(World(), WHOLE)
    assert spoken(world.streamed) == "The answer."
    assert world.streamed[-1] == "[DONE]"
    assert [record.seq for record in world.pieces[1:]] == list(range(1, len(world.pieces)))  # type: ignore[union-attr]
    assert (world.finish.seq, world.finish.attempt, world.finish.status) == (len(world.pieces), "try", 200)
    row = world.row
    assert (row.status_code, row.streaming, row.input_token_count, row.output_token_count) == (200, True, 7, 3)
    assert msgspec.json.decode(str(row.response)) == {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "The answer."}, "finish_reason": "stop"}],
        "usage": USAGE,
    }


async def test_usage_is_asked_for_and_hidden_from_who_did_not_ask() -> None:
    world = await played(World(), WHOLE)
    assert world.provider.bodies[0]["stream_options"] == {"include_usage": True}
    assert not any(event.get("usage") for event in world.streamed if isinstance(event, dict))


async def test_usage_is_shown_to_who_asked() -> None:
    world = await played(World(), WHOLE, body=ASKED | {"stream_options": {"include_usage": True, "x": 1}})
    assert world.provider.bodies[0]["stream_options"] == {"include_usage": True, "x": 1}
    assert [event["usage"] for event in world.streamed if isinstance(event, dict) and "usage" in event] == [USAGE]


async def test_without_usage_tokens_are_estimated() -> None:
    world = await played(World(), (chunk("x" * 39), chunk(last=True), DONE))
    assert (world.row.input_token_count, world.row.output_token_count) == (1, 10)


async def test_a_stream_whose_choices_are_finished_needs_no_done() -> None:
    world = await played(World(), WHOLE[:3])
    assert (world.row.status_code, world.streamed[-1]) == (200, "[DONE]")


NOT_BEGUN: list[Step] = [
    (BROKEN,),
    (),
    (DONE,),
    (b"no json", DONE),
    (b'{"error":{"message":"overloaded"}}', DONE),
    failing(503),
]


@pytest.mark.parametrize("first", NOT_BEGUN)
async def test_a_stream_that_breaks_before_its_first_piece_falls_back(first: Step) -> None:
    world = await played(World(endpoint(FALLBACK, "a", "b")), first, WHOLE)
    assert spoken(world.streamed) == "The answer."
    assert [one.outcome for one in world.row.attempts] == ["failed", "answered"]
    assert world.row.served_entity_id == "id-b"


ENDINGS: list[tuple[Any, ...]] = [
    (BROKEN,),
    (),
    (b"no json",),
    (b'{"a":"\xff"}',),
    (b'{"choices":[{"delta":{"a":' + b'[{"a":' * 400 + b"1" + b"}]" * 400 + b"}}]}",),
    (b'{"error":{"message":"x"}}', DONE),
]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_stream_that_breaks_after_its_first_piece_ends_with_an_error_event(ending: tuple[Any, ...]) -> None:
    world = await played(World(endpoint(FALLBACK, "a", "b")), (chunk("The "), *ending))
    assert len(world.provider.calls) == 1, "no other entity can go on where this one stopped"
    assert spoken(world.streamed) == "The "
    last = errors.named(world.streamed[-1], world.row.request_id)
    assert (last["error_code"], last["error"]["type"]) == ("PROVIDER_UNREACHABLE", "error")
    assert (world.row.status_code, world.row.refusal) == (502, "provider_unreachable")
    assert [(one.status, one.outcome) for one in world.row.attempts] == [(0, "failed")]


async def test_a_refusal_before_the_first_piece_has_a_status() -> None:
    world = await played(World(), failing(400))
    assert (world.finish.status, world.finish.data, world.pieces) == (400, "", [])


async def test_a_provider_that_answers_whole_is_passed_on_whole() -> None:
    world = await played(World(), good())
    assert (world.finish.status, world.answer["object"], world.pieces) == (200, "chat.completion", [])


async def test_a_guard_masks_what_was_cut_between_chunks() -> None:
    world = await played(World(endpoint(guarded("output", "MASK"))), MAIL)
    assert spoken(world.streamed) == "Write to <EMAIL_ADDRESS> now"
    assert "bob@" not in str(world.published) + str(world.replies)
    assert [(one.side, one.guardrail, one.outcome) for one in world.row.findings] == [("output", "pii", "masked")]


async def test_a_guard_masks_long_pieces_and_what_it_has_held_for_long() -> None:
    mail = "bob@example.com"
    words, chain = "and wait " * 1_000, "a.b@c." * 1_000
    said = (f"to {mail} {words}", f"{words} {chain[:4_000]}", f"{chain[4_000:]} {mail}")
    world = await played(World(endpoint(guarded("output", "MASK"))), (*map(chunk, said), chunk(last=True), DONE))
    whole = apply(["".join(said)], Rules(pii="MASK"))
    assert spoken(world.streamed) == whole.masked[0]
    assert len(world.row.findings) == len(whole.spans[0]) >= 2


async def test_what_a_guard_holds_back_is_said_when_no_choice_finishes() -> None:
    world = await played(World(endpoint(guarded("output", "MASK"))), (chunk("It is 12"), DONE))
    assert spoken(world.streamed) == "It is 12"


async def test_a_guard_of_completions_speaks_in_completions() -> None:
    world = World(endpoint(guarded("output", "MASK"), task="llm/v1/completions"))
    events = (msgspec.json.encode({"choices": [{"index": 0, "text": "It is 12", "finish_reason": None}]}), DONE)
    await played(world, events, body={"prompt": "x", "stream": True})
    texts = [choice["text"] for event in world.streamed[:-1] for choice in event["choices"]]
    assert "".join(texts) == "It is 12"


async def test_a_guard_that_blocks_ends_the_stream_there() -> None:
    events = (chunk("All is well. "), chunk("The secret word"), chunk(" is out"), chunk(last=True), DONE)
    world = await played(World(endpoint(guarded("output", "NONE", "secret"))), events)
    assert "secret" not in spoken(world.streamed)
    assert world.streamed[-1]["error_code"] == "BAD_REQUEST"
    assert 'invalid_keywords":true' in world.streamed[-1]["message"]
    assert (world.row.status_code, world.row.refusal) == (400, "output_guardrail")
    assert [(one.guardrail, one.outcome) for one in world.row.findings] == [("keywords", "blocked")]


async def test_a_block_before_the_first_piece_is_a_status() -> None:
    events = (chunk("secret"), chunk(last=True), DONE)
    world = await played(World(endpoint(guarded("output", "NONE", "secret"))), events)
    assert (world.finish.status, world.pieces, world.finish.data) == (400, [], "")


async def test_tool_calls_pass_a_guard_unchanged() -> None:
    delta = {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}]}
    event = msgspec.json.encode({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    world = await played(World(endpoint(guarded("output", "MASK"))), (event, chunk(last=True), DONE))
    assert world.streamed[0]["choices"][0]["delta"] == delta


def delta(**said: Any) -> bytes:
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return msgspec.json.encode(head | {"choices": [{"index": 0, "delta": said, "finish_reason": None}]})


def logged(world: World) -> dict[str, Any]:
    (choice,) = msgspec.json.decode(str(world.row.response))["choices"]
    return dict(choice["message"])


async def test_every_field_of_a_stream_is_guarded_counted_and_logged_masked() -> None:
    events = (
        delta(role="assistant", content=""),
        delta(reasoning_content="He is bob@exam"),
        delta(content="Write to al@"),
        delta(reasoning_content="ple.com."),
        delta(content="example.org now"),
        chunk(last=True),
        USAGE_CHUNK,
        DONE,
    )
    world = await played(World(endpoint(guarded("output", "MASK"))), events)
    assert logged(world) == {
        "role": "assistant",
        "content": "Write to <EMAIL_ADDRESS> now",
        "reasoning_content": "He is <EMAIL_ADDRESS>.",
    }
    said = "".join(logged(world)[field] for field in ("content", "reasoning_content"))
    assert world.row.output_character_count == len(said)
    assert spoken(world.streamed) == "Write to <EMAIL_ADDRESS> now"
    assert "example." not in str(world.published) + str(world.replies)
    assert sorted((one.text_index, one.start, one.end) for one in world.row.findings) == [(0, 9, 23), (1, 6, 21)]


async def test_usage_comes_after_what_was_held_back() -> None:
    body = ASKED | {"stream_options": {"include_usage": True}}
    world = await played(World(endpoint(guarded("output", "MASK"))), (chunk("It is 12"), USAGE_CHUNK, DONE), body=body)
    assert spoken(world.streamed) == "It is 12"
    assert [bool(event.get("usage")) for event in world.streamed[:-1]][-2:] == [False, True]
    assert world.row.output_token_count == 3


async def test_the_usage_of_a_stream_that_breaks_is_counted_though_it_was_not_sent() -> None:
    world = await played(World(endpoint(guarded("output", "MASK"))), (chunk("Hello 1"), USAGE_CHUNK, BROKEN))
    assert (world.row.status_code, world.row.output_token_count) == (502, 3)


async def test_arguments_of_calls_are_guarded_on_streams_where_asked_for() -> None:
    def call(text: str) -> bytes:
        return delta(tool_calls=[{"index": 0, "id": "1", "function": {"name": "f", "arguments": text}}])

    events = (call('{"to":"bob\\u00'), call('40example.com","n":'), call("4111111111111111}"), chunk(last=True), DONE)
    world = await played(World(endpoint(guarded("output", "MASK", tool_calls=True))), events)
    (made,) = logged(world)["tool_calls"]
    assert made["function"]["arguments"] == '{"to":"<EMAIL_ADDRESS>","n":"<CREDIT_CARD>"}'
    world = await played(World(endpoint(guarded("output", "BLOCK", tool_calls=True))), events)
    assert (world.row.status_code, world.row.refusal) == (400, "output_guardrail")
    assert "4111111111111111" not in str(world.published) + str(world.replies)


async def test_a_block_in_the_last_piece_is_a_status_where_nothing_is_out() -> None:
    world = await played(World(endpoint(guarded("output", "NONE", "secret"))), (chunk("secret", last=True), DONE))
    assert (world.finish.status, world.pieces, world.finish.data) == (400, [], "")


@pytest.mark.parametrize("behavior", ["MASK", "BLOCK"])
async def test_who_observes_a_stream_lets_it_pass_as_it_comes_and_notes_what_was_in_it(behavior: str) -> None:
    events = (chunk("Write to bob@exam"), chunk("ple.com, secretly"), chunk(last=True), USAGE_CHUNK, DONE)
    body = ASKED | {"stream_options": {"include_usage": True}}
    world = World(endpoint(guarded("output", behavior, "secret", observe=True)))
    await played(world, events, body=body)
    assert world.streamed == [msgspec.json.decode(event) for event in events[:-1]] + ["[DONE]"]
    assert logged(world)["content"] == "Write to bob@example.com, secretly"
    assert [(one.guardrail, one.outcome, one.start, one.end) for one in world.row.findings] == [
        ("keywords", "observed", 0, 0),
        ("pii", "observed", 9, 24),
    ]


async def test_what_was_observed_is_noted_of_a_stream_that_breaks_too() -> None:
    world = World(endpoint(guarded("output", "MASK", observe=True)))
    await played(world, (chunk("bob@example.com"), BROKEN))
    assert world.row.status_code == 502
    assert [one.outcome for one in world.row.findings] == ["observed"]


async def test_a_guards_time_is_summed_over_the_stream() -> None:
    world = World(endpoint(guarded("output", "MASK")))
    clock = iter(range(1_000))
    world.seconds = lambda: float(next(clock))  # type: ignore[method-assign]
    await played(world, MAIL)
    (one,) = world.row.findings
    assert one.duration_ms == 3_000, "a second for each of three chunks"


async def test_a_worker_told_so_refuses_a_stream_that_would_have_to_be_guarded() -> None:
    world = World(endpoint(guarded("output", "MASK")))
    world.refuse_guarded_streams = True
    await played(world, WHOLE)
    assert (world.finish.status, world.provider.calls, world.row.status_code) == (400, [], 400)
    assert "output guardrails" in world.answer["message"]


@pytest.mark.parametrize(
    "gateway", [guarded("input", "MASK"), guarded("output"), guarded("output", "MASK", observe=True), None]
)
async def test_a_worker_told_so_refuses_no_other_stream(gateway: Any) -> None:
    world = World(endpoint(gateway))
    world.refuse_guarded_streams = True
    await played(world, WHOLE)
    assert spoken(world.streamed) == "The answer."
    whole = World(endpoint(guarded("output", "MASK")))
    whole.refuse_guarded_streams = True
    await whole.serve(request())
    assert whole.finish.status == 200


async def test_a_caller_that_hangs_up_mid_stream_is_logged_with_what_came() -> None:
    world, hang = World(), Hang()
    world.provider.steps = [(chunk("The "), hang)]
    await world.begin(request(ASKED, stream=True))
    await hang.reached.wait()
    world.hang_up()
    await world.ended()
    assert hang.cut_off
    assert (world.row.status_code, world.row.output_character_count, world.row.output_token_count) == (499, 4, 1)
    assert msgspec.json.decode(str(world.row.response))["choices"][0]["message"]["content"] == "The "
    assert all(record.__class__.__name__ != "ReplyFinished" for _, record in world.replies)


async def test_a_deadline_mid_stream_ends_it_with_an_error_event() -> None:
    world = await played(World(), (chunk("The "), Hang()), deadline_ms=1_742_814_914_123 + 30)
    assert world.streamed[-1]["error_code"] == "DEADLINE_EXCEEDED"
    assert world.row.status_code == 504


async def test_a_defect_mid_stream_ends_it_with_an_error_event() -> None:
    world = await played(World(), (chunk("The "), KeyError("defect")))
    assert world.streamed[-1]["error_code"] == "INTERNAL_ERROR"
    assert (world.row.status_code, world.acks) == (500, [1])


@pytest.mark.parametrize(
    "choices", [5, {}, "x", [5], [{"index": []}], [{"delta": "x"}], [{"delta": {"content": 5}}], [{"delta": None}]]
)
@pytest.mark.parametrize("behavior", ["NONE", "MASK"])
async def test_no_chunk_of_another_shape_is_a_defect(choices: Any, behavior: str) -> None:
    world = await played(
        World(endpoint(guarded("output", behavior))), (msgspec.json.encode({"choices": choices}), *WHOLE)
    )
    assert (world.row.status_code, spoken(world.streamed)) == (200, "The answer.")


TEXT = "Mail bob@example.com or call +1 212 555 0142 today, please."


@settings(max_examples=15)
@given(st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_a_guarded_stream_says_the_same_however_it_is_cut(places: list[int]) -> None:
    places = sorted(places)
    parts = [TEXT[a:b] for a, b in zip([0, *places], [*places, len(TEXT)], strict=True)]
    world = World(endpoint(guarded("output", "MASK")))
    asyncio.run(_run(world, (*(chunk(part) for part in parts), chunk(last=True), DONE)))
    assert spoken(world.streamed) == "Mail <EMAIL_ADDRESS> or call <PHONE_NUMBER> today, please."


async def _run(world: World, events: Any) -> None:
    await played(world, events)


def test_an_error_event_is_one_both_clients_understand() -> None:
    event = msgspec.json.decode(error_event("CODE", "why", "r1").removeprefix("data: "))
    assert errors.named(event, "r1") == {
        "error": {"message": "why", "code": "CODE", "type": "error", "param": None},
        "error_code": "CODE",
        "message": "why",
    }
