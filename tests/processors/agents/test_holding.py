"""A stream's guards: whatever the fields and the cuts, the caller reads what the whole answer's check would leave."""

import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processors.agents.holding import Guards, Watch
from processors.guardrails.base import Rules
from processors.guardrails.check import apply
from processors.payload import guarded
from processors.payload.merging import Merged

MASK, BLOCK = Rules(pii="MASK"), Rules(pii="BLOCK")
HEAD = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
FRAGMENTS = [
    "joe@example.com", "山田太郎@example.jp", "(555) 123-4567", "4111 1111 1111 1111", "4111111111111111",
    "536-90-4399",
    "123456780", "12345678", "account ", "ssn ", "phone", "メール", "です", "、", "@", "%40", "\u00ad", "a", " ", "\n",
    "-", "1", "0", '"', "\\", "/", "😀", ": ", ",", "{", "<X>",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
NUMBERS = st.sampled_from([4111111111111111, 2125550142, 12345678, 536904399, 7, -1.5, 10**17, True, None])
ARGUMENTS = st.dictionaries(
    TEXTS | st.sampled_from(["account_number", "ssn", "phoneNumber", "to"]),
    st.recursive(
        TEXTS | NUMBERS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2)
    ),
    max_size=4,
)
LOOSE = st.lists(st.sampled_from([*FRAGMENTS, "[", "}", ":", "\\u0040", "\\ud83d", "\\n", "true"]), max_size=15).map(
    "".join
)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def pieces(text: str, sizes: list[int]) -> Iterator[str]:
    at = turn = 0
    while at < len(text):
        yield text[at : at + sizes[turn % len(sizes)]]
        at, turn = at + sizes[turn % len(sizes)], turn + 1


def chunk(delta: Any, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def call(arguments: str, number: int = 0) -> dict[str, Any]:
    return {"tool_calls": [{"index": number, "function": {"arguments": arguments}}]}


def run(chunks: list[dict[str, Any]], rules: Rules = MASK, *, calls: bool = True) -> list[dict[str, Any]]:
    guards = Guards(rules, calls=calls)
    return [out for one in chunks for out in guards.passed(one)] + guards.rest()


def merged(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    into = Merged()
    for one in chunks:
        into.add(msgspec.json.decode(msgspec.json.encode(one)))
    return into.answer()


def message(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    (choice,) = merged(chunks)["choices"]
    return dict(choice["message"])


def whole(answer: dict[str, Any], rules: Rules = MASK) -> dict[str, Any]:
    """What the check of a whole answer leaves of it."""
    walk = guarded.answer(answer, calls=True)
    found = guarded.pieces(walk)
    return guarded.replaced(walk, found, apply([piece.text for piece in found], rules).masked).body


def queues(texts: dict[str, str], arguments: list[str], sizes: list[int], index: int) -> list[list[dict[str, Any]]]:
    """Each field's deltas, to be dealt in any order."""
    said = [[chunk({key: part}, index) for part in pieces(text, sizes)] for key, text in texts.items() if text]
    called = [[chunk(call(part, n), index) for part in pieces(text, sizes)] for n, text in enumerate(arguments)]
    return said + called


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["content", "reasoning_content", "refusal", "new"]), TEXTS),
            st.lists(ARGUMENTS, max_size=2),
        ),
        min_size=1,
        max_size=2,
    ),
    SIZES,
    st.randoms(use_true_random=False),
)
def test_a_stream_of_many_fields_says_what_the_whole_answer_does(
    answers: list[tuple[dict[str, str], list[Any]]], sizes: list[int], dealer: Any
) -> None:
    dealt = [
        queue
        for index, (texts, called) in enumerate(answers)
        for queue in queues(texts, [json.dumps(one) for one in called], sizes, index)
        if queue
    ]
    chunks = [chunk({"role": "assistant", "content": ""}, index) for index in range(len(answers))]
    while any(dealt):
        chunks.append(dealer.choice([queue for queue in dealt if queue]).pop(0))
    chunks += [chunk({}, index, "stop") for index in range(len(answers))]
    got, wanted = merged(run(chunks)), whole(merged(chunks))
    for one in (*got["choices"], *wanted["choices"]):
        for made in one["message"].get("tool_calls", ()):
            made["function"]["arguments"] = json.loads(made["function"]["arguments"])
    assert got == wanted


@settings(max_examples=200)
@given(
    ARGUMENTS.map(json.dumps) | ARGUMENTS.map(lambda one: json.dumps(one, ensure_ascii=False, indent=1)) | LOOSE, SIZES
)
@example('{"to": "bob\\u0040example.com"}', [1])
def test_arguments_come_out_the_same_however_they_are_cut(text: str, sizes: list[int]) -> None:
    cut = merged(run([chunk(call(part)) for part in pieces(text, sizes)] or [chunk(call(""))]))
    assert cut == merged(run([chunk(call(text))]))


@settings(max_examples=150)
@given(ARGUMENTS, SIZES, st.booleans())
def test_masked_arguments_are_json_and_say_what_the_whole_ones_mask_says(
    arguments: Any, sizes: list[int], ascii_only: bool
) -> None:
    text = json.dumps(arguments, ensure_ascii=ascii_only)
    (made,) = message(run([chunk(call(part)) for part in pieces(text, sizes)]))["tool_calls"]
    answer = {"choices": [{"message": {"tool_calls": [{"function": {"arguments": text}}]}}]}
    (wanted,) = whole(answer)["choices"][0]["message"]["tool_calls"]
    assert json.loads(made["function"]["arguments"]) == json.loads(wanted["function"]["arguments"])


@settings(max_examples=150)
@given(ARGUMENTS)
def test_a_key_before_a_value_is_context_and_never_masked_itself(arguments: Any) -> None:
    answer = {"choices": [{"message": {"tool_calls": [{"function": {"arguments": json.dumps(arguments)}}]}}]}
    for piece in guarded.pieces(guarded.answer(answer, calls=True)):
        (after,) = apply([piece.text], MASK).masked
        assert after[: piece.lead] == piece.text[: piece.lead]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"to":"bob\\u0040example.com"}', '{"to":"<EMAIL_ADDRESS>"}'),
        ('{"card":4111111111111111,"n":2}', '{"card":"<CREDIT_CARD>","n":2}'),
        ('{"account_number": 123456789012}', '{"account_number": "<US_BANK_NUMBER>"}'),
        ('{"ssn": "536904399"}', '{"ssn": "<US_SSN>"}'),
        ('{"bob@example.com": [true, null]}', '{"<EMAIL_ADDRESS>": [true, null]}'),
        ("write to bob@example.com, now", "write to <EMAIL_ADDRESS>, now"),
        ("{to: bob@example.com}", '{to: "<EMAIL_ADDRESS>"}'),
        ('{"to":"bob@example.com', '{"to":"<EMAIL_ADDRESS>'),
    ],
)
@pytest.mark.parametrize("sizes", [[1], [3, 5], [100]], ids=str)
def test_arguments_are_masked_inside_their_json(before: str, after: str, sizes: list[int]) -> None:
    (made,) = message(run([chunk(call(part)) for part in pieces(before, sizes)]))["tool_calls"]
    assert made["function"]["arguments"] == after
    answer = {"choices": [{"message": {"tool_calls": [{"function": {"arguments": before}}]}}]}
    assert whole(answer)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == after


def test_calls_are_left_as_they_are_where_nobody_asked() -> None:
    chunks = [chunk(call('{"to":"bob@')), chunk(call('example.com"}')), chunk({}, finish="tool_calls")]
    assert run(chunks, calls=False) == chunks


def test_each_choice_and_field_has_its_own_guard() -> None:
    chunks = [
        chunk({"content": "bob@exam", "reasoning": "he is al@"}),
        chunk({"content": "eve@"}, 1),
        chunk({"reasoning": "example.org"}),
        chunk({"content": "x.org!"}, 1),
        chunk({"content": "ple.com"}),
        chunk({}, 1, "stop"),
        chunk({}, 0, "stop"),
    ]
    said = [choice["message"] for choice in merged(run(chunks))["choices"]]
    assert said == [
        {"role": "assistant", "content": "<EMAIL_ADDRESS>", "reasoning": "he is <EMAIL_ADDRESS>"},
        {"role": "assistant", "content": "<EMAIL_ADDRESS>!"},
    ]


def test_a_choice_says_why_it_ended_after_all_its_texts() -> None:
    out = run(
        [chunk({"content": "It is 12", "reasoning": "I think 34"}), chunk(call('{"n":5')), chunk({}, finish="stop")]
    )
    finished = [one["choices"][0]["finish_reason"] for one in out]
    assert finished == [None] * (len(out) - 1) + ["stop"]
    assert all(one["id"] == "1" for one in out)
    assert (message(out)["content"], message(out)["reasoning"]) == ("It is 12", "I think 34")
    assert message(out)["tool_calls"][0]["function"]["arguments"] == '{"n":5'


def test_lists_of_parts_are_guarded_across_their_deltas() -> None:
    def part(kind: str, field: str, text: str) -> dict[str, Any]:
        return chunk({"content": [{"type": kind, field: text}]})

    think = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "ask bob@"}]}]
    chunks = [
        chunk({"content": think}),
        chunk({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "example.com"}]}]}),
        part("text", "text", "Write to al@"),
        part("text", "text", "example.org"),
        chunk({}, finish="stop"),
    ]
    assert message(run(chunks))["content"] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "ask <EMAIL_ADDRESS>"}]},
        {"type": "text", "text": "Write to <EMAIL_ADDRESS>"},
    ]


def test_citations_come_whole() -> None:
    cited = [
        {"type": "url_citation", "url_citation": {"url": f"https://x.org/{n}", "title": "by bob@x.org"}} for n in (1, 2)
    ]
    out = run([chunk({"annotations": [one]}) for one in cited])
    assert [one["url_citation"] for one in message(out)["annotations"]] == [
        {"url": f"https://x.org/{n}", "title": "by <EMAIL_ADDRESS>"} for n in (1, 2)
    ]


def test_probabilities_of_tokens_do_not_say_what_is_held_back() -> None:
    one = chunk({"content": "hello bob@"})
    one["choices"][0]["logprobs"] = {"content": [{"token": "bob@", "logprob": -0.1}]}
    (out,) = run([one])[:1]
    assert out["choices"][0]["logprobs"] is None


def test_completions_speak_in_their_own_field() -> None:
    def say(text: str) -> dict[str, Any]:
        return {"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": None}]}

    out = run([say("Mail bob@"), say("example.com")])
    assert "".join(one["choices"][0]["text"] for one in out) == "Mail <EMAIL_ADDRESS>"


def test_nothing_goes_out_once_a_guard_has_blocked() -> None:
    guards = Guards(BLOCK, calls=True)
    assert guards.passed(chunk({"content": "fine "}))
    assert guards.passed(chunk({"content": "bob@example.com "}, finish="stop")) == []
    assert guards.verdict is not None
    assert [(one.field, one.span.start, one.span.end, one.outcome) for one in guards.seen] == [(0, 5, 20, "blocked")]


def test_what_was_found_names_its_field_and_place() -> None:
    guards = Guards(MASK, calls=True)
    for text in ("To bob@", "example.com and ", "al@example.org."):
        guards.passed(chunk({"content": text}))
    guards.passed(chunk(call('{"account":123456789012,"to":"bob\\u0040example.com"}')))
    guards.rest()
    assert [(one.field, one.span.start, one.span.end, one.span.entity_type) for one in guards.seen] == [
        (0, 3, 18, "EMAIL_ADDRESS"),
        (1, 0, 12, "US_BANK_NUMBER"),
        (1, 0, 15, "EMAIL_ADDRESS"),
        (0, 23, 37, "EMAIL_ADDRESS"),
    ]


@pytest.mark.parametrize("reason", [None, ""])
def test_a_choice_that_only_seems_to_end_is_held_on(reason: Any) -> None:
    out = run([chunk({"content": text}, finish=reason) for text in ("bob@exam", "ple.com")])
    assert message(out)["content"] == "<EMAIL_ADDRESS>"


@settings(max_examples=100)
@given(ARGUMENTS.map(json.dumps) | LOOSE, SIZES)
def test_a_keyword_in_arguments_blocks_a_stream_where_it_blocks_the_whole(text: str, sizes: list[int]) -> None:
    rules = Rules(keywords=("12", "Example", "\u3067\u3059\u3001", "@"))
    guards = Guards(rules, calls=True)
    for part in pieces(text, sizes):
        guards.passed(chunk(call(part)))
    guards.rest()
    answer = {"choices": [{"message": {"tool_calls": [{"function": {"arguments": text}}]}}]}
    said = [piece.text for piece in guarded.pieces(guarded.answer(answer, calls=True))]
    assert (guards.verdict is not None) == (apply(said, rules).outcome == "blocked")


@pytest.mark.parametrize("behavior", ["MASK", "BLOCK"])
def test_whoever_only_watches_changes_nothing_and_sees_everything(behavior: Any) -> None:
    watch = Watch(Rules(pii=behavior, keywords=("secret",)), calls=False)
    chunks = [chunk({"content": text}) for text in ("al@example.org, se", "cret, bob@", "example.com")]
    assert [out for one in chunks for out in watch.passed(one)] == chunks
    assert watch.rest() == []
    assert [(one.span.start, one.outcome) for one in watch.seen] == [(0, "observed"), (24, "observed")]
    assert (watch.keyword, watch.verdict) == ("observed", None)


def test_ten_thousand_deltas_take_linear_time() -> None:
    def seconds(count: int) -> float:
        deltas = [chunk({"content": "word ", "reasoning": "an 12 "}) for _ in range(count)]
        deltas += [chunk(call('"abc", '), finish=None) for _ in range(count)]
        started = time.process_time()
        run(deltas)
        return time.process_time() - started

    few, many = seconds(1_000), seconds(5_000)
    assert many < few * 5 * 2.5, "five times the deltas take about five times as long"
