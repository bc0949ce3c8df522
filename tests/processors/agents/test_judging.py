"""Judges around a call: who is asked with what, what their verdict does, what follows when there is none."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from processors.agents.judges import Judges
from processors.guardrails.safety import windows
from processors.guardrails.safety.held import WINDOW
from processors.providers.base import ProviderUnreachable
from tests.processors.agents.judged import (
    BAD,
    GUARD,
    LIMIT,
    OPEN,
    Guard,
    ask,
    both,
    element,
    findings,
    gateway,
    world,
)
from tests.processors.agents.world import (
    DONE,
    FALLBACK,
    USAGE_CHUNK,
    Hang,
    World,
    chunk,
    endpoint,
    failing,
    good,
    request,
    spoken,
)


async def test_a_safe_request_is_answered_and_the_guard_was_asked_with_its_key() -> None:
    made, guard = world(gateway("input"))
    await made.serve(ask("Hello"))
    assert (made.finish.status, bytes(made.finish.body)) == (200, good().body)
    (call,) = guard.calls
    assert call.url == "http://guard/v1/chat/completions"
    assert call.headers["authorization"] == "Bearer sk-guard"
    assert msgspec.json.decode(call.body)["messages"] == [{"role": "user", "content": "Hello"}]
    assert made.row.findings == ()


async def test_a_block_is_the_vendors_envelope_with_the_guards_tokens() -> None:
    made, _ = world(gateway("input"))
    await made.serve(ask(BAD))
    assert (made.finish.status, made.answer["error_code"], made.row.refusal) == (400, "BAD_REQUEST", "input_guardrail")
    inner = msgspec.json.decode(made.answer["message"])
    assert inner["usage"] == {"prompt_tokens": 196, "total_tokens": 201}
    assert inner["finishReason"] == "input_guardrail_triggered"
    one = element(made.answer["message"])
    assert (one["flagged"], one["pii_detection"], one["anonymized_input"]) == (True, None, None)
    assert {name for name, hit in one["categories"].items() if hit} == {"non-violent-crimes", "hate"}
    assert len(one["categories"]) == 11
    assert one["category_scores"]["hate"] == pytest.approx(0.9, abs=0.01)
    assert [(f.guardrail, f.outcome, f.entity_type, f.recogniser) for f in made.row.findings] == [
        ("safety", "blocked", "non-violent-crimes", "llama-guard-2"),
        ("safety", "blocked", "hate", "llama-guard-2"),
    ]


async def test_the_provider_is_called_beside_the_guard_and_cut_off_by_a_block() -> None:
    made, guard = world(gateway("input"))
    hang = Hang()
    made.provider.steps = [hang]
    guard.open.clear()
    await made.begin(ask(BAD))
    await hang.reached.wait()
    guard.open.set()
    await made.ended()
    assert hang.cut_off
    assert made.finish.status == 400
    assert [one.outcome for one in made.row.attempts] == ["cut off"]


async def test_an_answer_waits_for_the_verdict() -> None:
    made, guard = world(gateway("input"))
    guard.open.clear()
    await made.begin(ask("Hello"))
    while not made.provider.calls or not guard.calls or not made.cases["r1"].attempts:
        await asyncio.sleep(0)
    assert made.replies == []
    guard.open.set()
    await made.ended()
    assert made.finish.status == 200


@pytest.mark.parametrize("said", ["Hello", BAD])
async def test_the_first_piece_of_a_stream_waits_for_the_verdict(said: str) -> None:
    made, guard = world(gateway("input"))
    made.provider.steps = [(chunk("The "), chunk("answer."), chunk(last=True), DONE)]
    guard.open.clear()
    await made.begin(ask(said, stream=True))
    while not made.provider.calls or not guard.calls:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert made.replies == []
    guard.open.set()
    await made.ended()
    assert (made.finish.status, spoken(made.streamed)) == ((200, "The answer.") if said != BAD else (400, ""))


async def test_personal_data_is_masked_before_the_guard_reads_it() -> None:
    made, guard = world(gateway("input", pii="MASK"))
    await made.serve(ask("I am joe@example.com. [unsafe S9]"))
    assert guard.texts == ["I am <EMAIL_ADDRESS>. [unsafe S9]"]
    one = element(made.answer["message"])
    assert (one["flagged"], one["pii_detection"]) == (True, True)
    assert one["anonymized_input"] == [{"role": "user", "content": "I am <EMAIL_ADDRESS>. [unsafe S9]"}]
    assert "joe@" not in str(made.published) + str(made.replies)


async def test_what_the_checks_block_is_not_judged() -> None:
    made, guard = world(gateway("input", pii="BLOCK"))
    await made.serve(ask("I am joe@example.com"))
    assert (made.finish.status, guard.calls, made.provider.calls) == (400, [], [])


FAILURES = ["[say I cannot judge that]", "[say unsafe S99]", "[status 500]", "[status 302]", "[silent]"]


@pytest.mark.parametrize("said", FAILURES)
async def test_without_a_verdict_the_request_is_refused_with_503(said: str) -> None:
    made, _ = world(gateway("input"), timeout_s=0.02)
    hang = Hang()
    made.provider.steps = [hang]
    await made.serve(ask(said))
    assert (made.finish.status, made.answer["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "guardrail 'safety'" in made.answer["message"]
    assert findings(made) == [("input", "safety", "failed")]
    assert made.row.refusal == "unavailable"


@pytest.mark.parametrize("said", FAILURES)
async def test_a_side_that_fails_open_answers_and_says_so_in_its_row(said: str) -> None:
    made, _ = world(gateway("input", beyond=OPEN), timeout_s=0.02)
    await made.serve(ask(said))
    assert made.finish.status == 200
    assert findings(made) == [("input", "safety", "open")]


async def test_one_side_that_fails_open_does_not_open_the_other() -> None:
    made, _ = world(both(beyond=OPEN))
    made.provider.steps = [good("[status 500]")]
    await made.serve(ask("[status 500]"))
    assert (made.finish.status, made.row.refusal) == (503, "unavailable")
    assert sorted(findings(made)) == [("input", "safety", "open"), ("output", "safety", "failed")]


async def test_failing_open_lets_no_verdict_pass() -> None:
    made, _ = world(gateway("input", beyond=OPEN))
    await made.serve(ask(BAD))
    assert made.finish.status == 400


async def test_a_guard_that_cannot_be_reached_is_no_verdict() -> None:
    made, guard = world(gateway("input"))
    guard.failure = ProviderUnreachable("connection lost")
    await made.serve(ask("Hello"))
    assert made.finish.status == 503
    assert made.answer["message"].endswith("connection lost.")


async def test_a_guard_that_is_no_longer_configured_is_no_verdict() -> None:
    made = World(endpoint(gateway("input", topics=["x"])))
    await made.serve(ask("Hello"))
    assert made.finish.status == 503


async def test_a_long_text_is_judged_to_its_end() -> None:
    made, guard = world(gateway("input"))
    await made.serve(ask("x " * windows.WINDOW + "[unsafe S1]"))
    assert made.finish.status == 400
    assert len(guard.calls) == 3


async def test_a_text_too_long_to_be_judged_is_refused_even_where_the_guard_fails_open() -> None:
    made, guard = world(gateway("input", beyond=OPEN))
    await made.serve(ask("x" * (LIMIT + windows.WINDOW)))
    assert (made.finish.status, guard.calls) == (400, [])
    assert windows.WHOLE_TURN.limit in made.answer["message"]


async def test_a_whole_answer_is_judged_after_its_question_and_blocked() -> None:
    made, guard = world(gateway("output"))
    made.provider.steps = [good("Like this [unsafe S2]")]
    await made.serve(ask("Hello"))
    assert [m["content"] for m in msgspec.json.decode(guard.calls[0].body)["messages"]] == [
        "Hello", "Like this [unsafe S2]",
    ]  # fmt: skip
    assert (made.finish.status, made.row.refusal) == (400, "output_guardrail")
    assert element(made.answer["message"], "output")["flagged"]
    assert msgspec.json.decode(made.answer["message"])["usage"] == {"prompt_tokens": 203, "total_tokens": 211}
    assert (made.row.input_token_count, made.row.output_token_count) == (7, 3)
    assert "Like this" not in str(made.replies)


async def test_an_answer_without_a_verdict_is_no_reason_to_try_another_entity() -> None:
    made = World(endpoint(gateway("output", fallback_config=FALLBACK.fallback_config), "a", "b"))
    made.judges = Judges(Guard(), GUARD)
    made.provider.steps = [good("[status 500]")]
    await made.serve(ask("Hello"))
    assert (made.finish.status, made.provider.models) == (503, ["model-a"])
    assert findings(made) == [("output", "safety", "failed")]


async def test_a_providers_failure_is_not_judged() -> None:
    made, guard = world(gateway("output"))
    made.provider.steps = [failing(500)]
    await made.serve(ask("Hello"))
    assert (made.finish.status, guard.calls) == (500, [])


async def test_answers_of_embeddings_are_not_judged() -> None:
    made, guard = world(gateway("input", "output"), task="llm/v1/embeddings")
    await made.serve(request({"input": ["a", "b"]}))
    assert sorted(guard.texts) == ["a", "b"]


LONG = "word " * (WINDOW // 5)


async def played(made: World, *texts: str, ending: Sequence[bytes] = (chunk(last=True), USAGE_CHUNK, DONE)) -> World:
    made.provider.steps = [(*(chunk(text) for text in texts), *ending)]
    await made.serve(ask("Hello", stream=True))
    return made


async def test_a_stream_is_judged_by_windows_and_arrives_whole_and_in_order() -> None:
    made, guard = world(gateway("output"))
    texts = [f"{n} {LONG[:400]}" for n in range(5)]
    await played(made, *texts)
    assert spoken(made.streamed) == "".join(texts)
    assert made.streamed[-1] == "[DONE]"
    assert [len(text) for text in guard.texts] == [803, 200 + 803, 200 + 401]  # the last blank is stripped
    assert (made.row.status_code, made.row.input_token_count) == (200, 7)
    assert "0 word" in str(made.row.response)


async def test_a_stream_that_turns_unsafe_ends_there_and_nothing_of_the_window_was_sent() -> None:
    made, _ = world(gateway("output"))
    await played(made, LONG, "and so [unsafe S1] ", LONG, "more")
    assert spoken(made.streamed) == LONG
    assert made.streamed[-1]["error_code"] == "BAD_REQUEST"
    assert element(made.streamed[-1]["message"], "output")["categories"]["violent-crimes"]
    assert (made.row.status_code, made.row.refusal) == (400, "output_guardrail")
    assert "[unsafe" not in str(made.replies) + str(made.row.response)


async def test_what_stands_across_two_windows_is_seen() -> None:
    made, _ = world(gateway("output"))
    await played(made, LONG + "[unsa", "fe S1]", ending=(chunk(last=True), DONE))
    assert made.row.status_code == 400


async def test_a_block_before_the_first_window_is_out_is_a_status() -> None:
    made, _ = world(gateway("output"))
    await played(made, "[unsafe S1]")
    assert (made.finish.status, made.pieces, made.finish.data) == (400, [], "")


async def test_a_stream_without_a_verdict_ends_with_503_or_goes_on_open() -> None:
    made, _ = world(gateway("output"))
    await played(made, LONG, "[status 500]")
    assert (made.streamed[-1]["error_code"], made.row.status_code) == ("TEMPORARILY_UNAVAILABLE", 503)
    made, _ = world(gateway("output", beyond=OPEN))
    await played(made, LONG, "[status 500]")
    assert (spoken(made.streamed), findings(made)) == (LONG + "[status 500]", [("output", "safety", "open")])


async def test_a_stream_that_goes_on_open_says_so_once() -> None:
    made, guard = world(gateway("output", beyond=OPEN))
    await played(made, *[f"{n} {LONG[:790]}[status 500]" for n in range(4)])
    assert len(guard.calls) == 4
    assert findings(made) == [("output", "safety", "open")]


async def test_a_masked_answer_says_what_the_guard_found() -> None:
    made, _ = world(gateway("output", pii="MASK"))
    made.provider.steps = [good("I am joe@example.com")]
    await made.serve(ask("Hello"))
    (one,) = made.answer["output_guardrail"]
    assert made.answer["choices"][0]["message"]["content"] == "I am <EMAIL_ADDRESS>"
    assert (one["pii_detection"], one["flagged"], len(one["categories"])) == (True, False, 11)
    assert (one["category_scores"], made.answer["usage"]["total_tokens"]) == (None, 10)


async def test_a_masked_answer_without_a_verdict_says_that_nobody_judged_it() -> None:
    made, _ = world(gateway("output", pii="MASK", beyond=OPEN))
    made.provider.steps = [good("I am joe@example.com [status 500]")]
    await made.serve(ask("Hello"))
    (one,) = made.answer["output_guardrail"]
    assert (one["pii_detection"], one["flagged"], one["categories"]) == (True, False, None)


async def test_a_finding_says_how_long_its_judge_took_and_which_it_was() -> None:
    made, guard = world(gateway("input"))
    guard.open.clear()
    await made.begin(ask(BAD))
    await guard.asked.wait()
    made.now_ms += 70
    guard.open.set()
    await made.ended()
    assert [f.rules_version for f in made.row.findings] == ["llama-guard-2:llama"] * 2
    assert [f.duration_ms for f in made.row.findings] == pytest.approx([70, 70], abs=0.01)


async def test_a_stream_is_masked_before_the_guard_reads_it() -> None:
    made, guard = world(gateway("output", pii="MASK"))
    await played(made, "I am joe@exam", "ple.com, hello. [unsafe S9]")
    assert guard.texts == ["I am <EMAIL_ADDRESS>, hello. [unsafe S9]"]
    assert element(made.answer["message"], "output")["pii_detection"]


async def test_calls_of_tools_pass_without_waiting_for_a_window() -> None:
    made, guard = world(gateway("output"))
    call = {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}]}
    event = msgspec.json.encode({"choices": [{"index": 0, "delta": call, "finish_reason": None}]})
    hang = Hang()
    made.provider.steps = [(event, hang)]
    await made.begin(ask("Hello", stream=True))
    await hang.reached.wait()
    assert made.pieces or made.cases["r1"].relay is not None
    made.hang_up()
    await made.ended()
    assert guard.calls == []


async def test_a_caller_that_hangs_up_ends_the_judging_too() -> None:
    made, guard = world(gateway("input"))
    guard.open.clear()
    await made.begin(ask("Hello"))
    while not guard.calls:
        await asyncio.sleep(0)
    made.hang_up()
    await made.ended()
    assert (made.row.status_code, made.replies, made.crashes) == (499, [], [])


async def test_a_request_on_a_valid_topic_is_answered_and_its_verdict_is_known_next_time() -> None:
    made, guard = world(gateway("input", topics=["gardening"], safety=False))
    await made.serve(ask("When do I sow?"))
    await made.serve(request({"messages": [{"role": "user", "content": "When do I sow?"}]}, request_id="r2"))
    assert [row.status_code for row in made.rows] == [200, 200]
    assert [call.url for call in guard.calls] == ["http://judge/v1/chat/completions"]


async def test_a_request_on_no_valid_topic_is_blocked_and_says_so() -> None:
    made, _ = world(gateway("input", topics=["gardening"], safety=False))
    await made.serve(ask('[say {"topic": 0}]'))
    assert (made.finish.status, made.row.refusal) == (400, "input_guardrail")
    one = element(made.answer["message"])
    assert (one["invalid_topics"], one["flagged"], one["categories"]) == (True, False, None)
    assert findings(made) == [("input", "topics", "blocked")]


async def test_a_judge_of_topics_that_fails_fails_closed_and_is_not_remembered() -> None:
    made, guard = world(gateway("input", topics=["gardening"], safety=False))
    await made.serve(ask("[say gardening, surely]"))
    assert (made.finish.status, findings(made)) == (503, [("input", "topics", "failed")])
    await made.serve(request({"messages": [{"role": "user", "content": "[say gardening, surely]"}]}, request_id="r2"))
    assert len(guard.calls) == 2


async def test_more_than_sixteen_answers_are_refused_where_only_judges_guard() -> None:
    made, guard = world(gateway("output"))
    await made.serve(ask("Hello", n=17))
    assert (made.finish.status, guard.calls) == (400, [])
