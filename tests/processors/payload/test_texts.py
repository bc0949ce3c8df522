from typing import Any

import msgspec
import pytest

from processors.payload import texts

CHAT, COMPLETIONS, EMBEDDINGS = "llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"
IMAGE = {"type": "image_url", "image_url": {"url": "data:,x"}}
CALL = {"role": "assistant", "content": "secret plan", "tool_calls": [{"id": "1"}]}
TOOL = {"role": "tool", "tool_call_id": "1", "content": "result"}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


REQUESTS = [
    (CHAT, {"messages": [user("one"), {"role": "system", "content": "two"}]}, ["one", "two"]),
    (CHAT, {"messages": [user([{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": "b"}])]}, ["a", "b"]),
    (CHAT, {"messages": [user("one"), CALL, TOOL]}, ["one"]),
    (CHAT, {"messages": [user(None), user(5), "loose", None, {}]}, []),
    (CHAT, {"messages": 5}, []),
    (CHAT, {"messages": [user([None, "loose", {"text": 5}])]}, []),
    (COMPLETIONS, {"prompt": "one"}, ["one"]),
    (COMPLETIONS, {"prompt": ["one", "two"]}, ["one", "two"]),
    (COMPLETIONS, {"prompt": [1, 2, 3]}, []),
    (COMPLETIONS, {"prompt": [[1, 2], [3]]}, []),
    (COMPLETIONS, {"prompt": None}, []),
    (EMBEDDINGS, {"input": ["one", 7, "two"]}, ["one", "two"]),
    (EMBEDDINGS, {"input": "one"}, ["one"]),
]
ANSWERS = [
    (CHAT, {"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}, ["a", "b"]),
    (CHAT, {"choices": [{"message": CALL}]}, ["secret plan"]),
    (CHAT, {"choices": [{"message": {"content": "a", "reasoning_content": "b", "refusal": "c"}}]}, ["a", "b", "c"]),
    (CHAT, {"choices": [{"message": {"content": [{"type": "text", "text": "a"}, IMAGE]}}]}, ["a"]),
    (CHAT, {"choices": [{"message": {"content": None}}, {}, None, {"message": "x"}]}, []),
    (CHAT, {"choices": 5}, []),
    (CHAT, {"choices": {"message": {"content": "a"}}}, []),
    (COMPLETIONS, {"choices": [{"text": "a"}, {"text": 5}, {}]}, ["a"]),
    (EMBEDDINGS, {"data": [{"embedding": [0.5]}]}, []),
]


@pytest.mark.parametrize(("task", "body", "expected"), REQUESTS)
def test_the_texts_of_a_request_are_found_where_its_task_has_them(task: str, body: Any, expected: list[str]) -> None:
    assert texts.of_request(task, body) == expected


@pytest.mark.parametrize(("task", "body", "expected"), ANSWERS)
def test_the_texts_of_an_answer_are_found_where_its_task_has_them(task: str, body: Any, expected: list[str]) -> None:
    assert texts.of_answer(task, body) == expected


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (CALL, True),
        (TOOL, True),
        ({"role": "function", "name": "f", "content": "x"}, True),
        ({"role": "assistant", "function_call": {"name": "f"}}, True),
        ({"role": "assistant", "content": "x", "tool_calls": []}, False),
        ({"role": "user", "content": "x", "tool_calls": [{"id": "1"}]}, False),
        ({"role": "system", "function_call": {"name": "f"}}, False),
        ("loose", False),
    ],
)
def test_nobody_but_the_assistant_and_its_tools_takes_a_tool_turn(turn: Any, expected: bool) -> None:
    assert texts.is_tool_turn(turn) is expected


@pytest.mark.parametrize(
    ("task", "body", "expected"),
    [
        (CHAT, {"n": 20}, 20),
        (CHAT, {"n": "20"}, 1),
        (CHAT, {}, 1),
        (COMPLETIONS, {"prompt": ["a"] * 17}, 17),
        (COMPLETIONS, {"prompt": "a"}, 1),
        (EMBEDDINGS, {"input": ["a", "b"]}, 2),
    ],
)
def test_a_batch_is_as_big_as_the_answers_it_asks_for(task: str, body: Any, expected: int) -> None:
    assert texts.batch_size(task, body) == expected


@pytest.mark.parametrize(
    ("task", "body", "starts"),
    [
        (CHAT, {}, "messages: is required"),
        (CHAT, {"messages": "x"}, "messages: Expected `array`"),
        (COMPLETIONS, {"messages": []}, "prompt: is required"),
        (EMBEDDINGS, {}, "input: is required"),
    ],
)
def test_what_a_request_lacks_is_named(task: str, body: Any, starts: str) -> None:
    assert str(texts.missing_field(task, body)).startswith(starts)


def test_what_is_ours_does_not_reach_the_provider_and_extra_params_do() -> None:
    body = {
        "messages": [user("x")],
        "usage_context": {"team": "a"},
        "client_request_id": "c",
        "databricks_options": {},
        "temperature": 0.1,
        "extra_params": {"top_k": "5", "temperature": 0.9},
    }
    assert texts.for_provider(CHAT, body) == {"messages": [user("x")], "temperature": 0.9, "top_k": "5"}


@pytest.mark.parametrize(
    ("task", "field"), [(CHAT, "messages"), (COMPLETIONS, "prompt"), (EMBEDDINGS, "input"), (CHAT, "stream")]
)
def test_extra_params_cannot_put_something_past_the_guardrails(task: str, field: str) -> None:
    body = {field: "seen", "extra_params": {field: "unseen", "model": "other", "stream_options": {}}}
    assert texts.for_provider(task, body) == {field: "seen"}


@pytest.mark.parametrize("extra", [None, 5, "x", []])
def test_extra_params_of_another_shape_are_dropped(extra: Any) -> None:
    assert texts.for_provider(CHAT, {"messages": [], "extra_params": extra}) == {"messages": []}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"5", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'{"a":' + b"[" * 9_000, b"{} {}"]
)
def test_bytes_that_are_no_object_are_a_decode_error_whatever_is_wrong(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        texts.decoded(body)


def test_token_numbers_are_told_from_text() -> None:
    assert texts.has_tokens("llm/v1/completions", {"prompt": [1, 2]})
    assert texts.has_tokens("llm/v1/embeddings", {"input": [[1, 2], [3]]})
    assert not texts.has_tokens("llm/v1/embeddings", {"input": ["a", "b"]})
    assert not texts.has_tokens("llm/v1/chat", {"messages": [], "input": [1]})
