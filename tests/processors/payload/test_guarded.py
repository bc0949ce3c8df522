import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.payload import guarded
from processors.payload.guarded import Walk

CHAT, COMPLETIONS, EMBEDDINGS = "llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,4111111111111111", "detail": "auto"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGR", "format": "wav"}}
CALL = {
    "role": "assistant",
    "content": "one moment",
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "send", "arguments": '{"to":"x"}'}}],
}
OLD_CALL = {"role": "assistant", "content": None, "function_call": {"name": "send", "arguments": '{"to":"x"}'}}
CUSTOM = {"role": "assistant", "tool_calls": [{"id": "1", "custom": {"name": "run", "input": "ls"}}]}
TOOL = {"role": "tool", "tool_call_id": "1", "content": "sent"}
TOOL_JSON = {"role": "tool", "tool_call_id": "1", "content": '{"sent":true}'}
OLD_TOOL = {"role": "function", "name": "send", "content": [{"type": "text", "text": "sent"}]}
TOOL_TURNS = [CALL, OLD_CALL, CUSTOM, TOOL, TOOL_JSON, OLD_TOOL]


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def said(walk: Walk) -> list[str]:
    return [piece.text[piece.lead :] for piece in guarded.pieces(walk)]


def asked(task: str, body: Any, *, calls: bool = False) -> list[str]:
    return said(guarded.request(task, body, calls=calls))


def answered(*messages: Any, calls: bool = False) -> list[str]:
    return said(guarded.answer({"choices": [{"index": 0, "message": one} for one in messages]}, calls=calls))


REQUESTS: list[tuple[str, Any, list[str]]] = [
    (CHAT, {"messages": [user("one"), {"role": "system", "content": "two"}]}, ["one", "two"]),
    (CHAT, {"messages": [user([{"type": "text", "text": "a"}, IMAGE, SOUND, "b"])]}, ["a", "b"]),
    (CHAT, {"messages": [user("one", name="ann")]}, ["one", "ann"]),
    (CHAT, {"messages": [{"role": "assistant", "content": None, "refusal": "no", "reasoning": "hm"}]}, ["no", "hm"]),
    (CHAT, {"messages": [user("one", tool_calls=CALL["tool_calls"])]}, ["one", "to", "x"]),
    (CHAT, {"messages": ["loose", None, 5, {}]}, ["loose"]),
    (CHAT, {"messages": [], "prediction": {"type": "content", "content": "a"}, "documents": ["b"]}, ["a", "b"]),
    (COMPLETIONS, {"prompt": "one", "suffix": "two"}, ["one", "two"]),
    (COMPLETIONS, {"prompt": ["one", "two"]}, ["one", "two"]),
    (EMBEDDINGS, {"input": "one"}, ["one"]),
    (EMBEDDINGS, {"input": ["one", "two"], "instruction": "three"}, ["one", "two", "three"]),
]


@pytest.mark.parametrize(("task", "body", "expected"), REQUESTS)
def test_every_text_of_a_request_is_read(task: str, body: Any, expected: list[str]) -> None:
    assert asked(task, body) == expected


UNREAD: dict[str, Any] = {
    "model": "m",
    "stop": ["stop"],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"title": "t"}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"description": "d"}}},
    "user": "u",
    "metadata": {"a": "b"},
    "usage_context": {"team": "x"},
    "reasoning_effort": "high",
    "reasoning": {"effort": "high"},
    "temperature": 0.5,
}


def test_parameters_are_not_read() -> None:
    assert asked(CHAT, {"messages": [user("one")], **UNREAD}) == ["one"]


@pytest.mark.parametrize("turn", TOOL_TURNS)
def test_tool_turns_are_not_read_unless_asked_for(turn: Any) -> None:
    assert asked(CHAT, {"messages": [turn]}) == []


READ = [["one moment", "to", "x"], ["to", "x"], ["ls"], ["sent"], ["sent", "true"], ["send", "sent"]]


@pytest.mark.parametrize(("turn", "expected"), list(zip(TOOL_TURNS, READ, strict=True)))
def test_tool_turns_are_read_where_asked_for(turn: Any, expected: list[str]) -> None:
    assert asked(CHAT, {"messages": [turn]}, calls=True) == expected


def test_a_request_with_tools_is_read_like_any_other() -> None:
    body = {"messages": [user("one"), CALL, TOOL, user("two")], "tools": UNREAD["tools"]}
    assert asked(CHAT, body) == ["one", "two"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "assistant", "content": "a"}, ["a"]),
        ({"content": "a", "reasoning_content": "b", "reasoning": "c", "refusal": "d"}, ["a", "b", "c", "d"]),
        ({"content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}, IMAGE]}, ["a", "b"]),
        ({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]}]}, ["a"]),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "a", "signature": "s", "index": 0}]}, ["a"]),
        ({"audio": {"id": "1", "data": "UklGR", "transcript": "a"}}, ["a"]),
        ({"annotations": [{"type": "url_citation", "url_citation": {"title": "a", "start_index": 1}}]}, ["a"]),
        ({"something_new": "a"}, ["a"]),
        (CALL, ["one moment"]),
    ],
)
def test_every_text_of_an_answer_is_read(message: Any, expected: list[str]) -> None:
    assert answered(message) == expected


def test_arguments_of_an_answers_calls_are_read_where_asked_for() -> None:
    assert answered(CALL, OLD_CALL, CUSTOM, calls=True) == ["one moment", "to", "x", "to", "x", "ls"]
    as_an_object = {"tool_calls": [{"function": {"name": "send", "arguments": {"to": ["x"]}}}]}
    assert answered(as_an_object, calls=True) == ["x"]


def test_a_text_knows_its_field_and_what_was_put_before_it() -> None:
    call = {"tool_calls": [{"function": {"arguments": '{"my_account":12345678,"b":""}'}}], "content": "last"}
    pieces = guarded.pieces(guarded.answer({"choices": [{"message": call}, {"text": "x"}]}, calls=True))
    assert [(piece.field, piece.lead, piece.text) for piece in pieces] == [
        (0, 0, "last"),
        (1, 0, "my_account"),
        (1, 12, "my_account: 12345678"),
        (1, 12, "my_account: b"),
        (2, 0, "x"),
    ]


def test_embeddings_have_no_texts_to_answer() -> None:
    assert said(guarded.answer({"data": [{"embedding": [0.5]}]}, calls=True)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4) | st.sampled_from(['{"a":"b"}', "[1]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role", "content", "text", "message", "choices", "tool_calls", "function", "function_call",
                    "arguments", "input", "custom", "annotations", "name", "index", "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from([CHAT, COMPLETIONS, EMBEDDINGS]), JSON, st.booleans())
def test_whatever_the_shape_other_texts_change_nothing_else(task: str, value: Any, calls: bool) -> None:
    body = {"messages": value, "prompt": value, "input": value, "choices": value, "temperature": 0.5}
    before = copy.deepcopy(body)
    for walk in (guarded.request(task, body, calls=calls), guarded.answer(body, calls=calls)):
        pieces = guarded.pieces(walk)
        assert guarded.replaced(walk, pieces, [piece.text for piece in pieces]) == (body, {})
        other = guarded.replaced(walk, pieces, [piece.text + "!" for piece in pieces]).body
        assert msgspec.json.encode(body) == msgspec.json.encode(before), "a body is never changed in place"
        assert other == body if not pieces else other != body


def test_other_texts_stand_where_theirs_stood() -> None:
    body = {"messages": [user("a"), CALL, user([{"type": "text", "text": "b"}])], "seed": 1}
    walk = guarded.request(CHAT, body, calls=True)
    pieces = guarded.pieces(walk)
    other = guarded.replaced(walk, pieces, [piece.text.upper() for piece in pieces])
    assert other.body == {
        "messages": [
            user("A"),
            {**CALL, "content": "ONE MOMENT", "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "send", "arguments": '{"TO":"X"}'}}
            ]},
            user([{"type": "text", "text": "B"}]),
        ],
        "seed": 1,
    }  # fmt: skip
    assert other.changes == {"a": "A", "one moment": "ONE MOMENT", '{"to":"x"}': '{"TO":"X"}', "b": "B"}


@pytest.mark.parametrize("texts", [["x"], ["x", "y", "z"]])
def test_too_few_texts_for_the_places_or_too_many_are_a_defect(texts: list[str]) -> None:
    walk = guarded.request(CHAT, {"messages": [user("a"), user("b")]}, calls=False)
    with pytest.raises(ValueError, match="zip"):
        guarded.replaced(walk, guarded.pieces(walk), texts)


def test_what_was_changed_is_changed_wherever_else_it_stands() -> None:
    body = {"messages": [user("a")], "extra_params": {"suffix": "b", "n": 3}}
    assert guarded.swapped(body, {"a": "A", "b": "B"}) == {
        "messages": [user("A")],
        "extra_params": {"suffix": "B", "n": 3},
    }


def test_probabilities_of_tokens_go_and_nothing_else_does() -> None:
    body = {"choices": [{"logprobs": {"content": [{"token": "a"}]}, "text": "a"}, None, {"text": "b"}], "id": "1"}
    assert guarded.without_logprobs(body) == {
        "choices": [{"logprobs": None, "text": "a"}, None, {"text": "b"}],
        "id": "1",
    }
