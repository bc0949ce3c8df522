from typing import Any

import pytest

from processors.payload.turns import Turn, answered, brought, of_request


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


def brings(*messages: Any) -> tuple[str, ...]:
    return brought("llm/v1/chat", {"messages": list(messages)})


def test_users_and_tools_bring_texts_and_the_application_and_the_model_do_not() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:"}}, {"text": "b"}]
    assert brings(
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "c", "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": [{"type": "text", "text": "t"}]},
        {"role": "function", "content": "f"},
        {"role": "assistant", "content": "e"},
        {"role": "user", "content": " "},
    ) == ("a\nb", "t", "f")


def test_an_answers_beginning_is_brought_by_the_caller() -> None:
    said = [{"role": role, "content": text} for role, text in (("assistant", "a"), ("user", "b"), ("assistant", "c"))]
    assert brings(*said) == ("b", "c")
    assert brings({"role": "assistant", "content": "a"}) == ("a",)


@pytest.mark.parametrize("message", [{}, {"content": "x"}, {"role": ["system"], "content": "x"}, "x", None])
def test_who_hides_the_role_is_not_trusted(message: Any) -> None:
    assert brings(message) == (("x",) if isinstance(message, dict) and message else ())


@pytest.mark.parametrize(("task", "field"), [("llm/v1/completions", "prompt"), ("llm/v1/embeddings", "input")])
def test_other_tasks_bring_each_of_their_texts(task: str, field: str) -> None:
    assert brought(task, {field: ["a", " ", "b"]}) == ("a", "b")
