from typing import Any

import pytest

from processors.payload.turns import Turn, answered, of_request


def said(*messages: Any) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for talk in of_request("llm/v1/chat", {"messages": list(messages)}) for turn in talk]


def test_a_chat_is_one_conversation_of_two_sides_without_its_tools() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    assert said(
        {"role": "system", "content": "be nice"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "seen"},
    ) == [("user", "be nice"), ("user", "look"), ("assistant", "seen")]


@pytest.mark.parametrize(("task", "field"), [("llm/v1/completions", "prompt"), ("llm/v1/embeddings", "input")])
def test_each_prompt_is_a_conversation(task: str, field: str) -> None:
    assert of_request(task, {field: ["a", " ", "b"]}) == (
        (Turn(role="user", text="a"),),
        (Turn(role="user", text="b"),),
    )
    assert of_request(task, {field: "a"}) == ((Turn(role="user", text="a"),),)
    assert of_request(task, {field: [[1, 2]]}) == ()


def test_no_text_is_no_conversation() -> None:
    assert of_request("llm/v1/chat", {"messages": [{"role": "user", "content": ""}, 5]}) == ()


def test_an_answer_follows_what_was_asked_where_that_is_one_conversation() -> None:
    asked, answer = (Turn(role="user", text="a"),), Turn(role="assistant", text="b")
    assert answered((asked,), "b") == (*asked, answer)
    assert answered((asked, asked), "b") == (answer,)
