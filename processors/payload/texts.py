"""The texts inside a request or an answer, and the same body with other texts in their places.

A text's place is found by walking the task's own shape; bodies are decoded JSON and are never changed in place.
Tool messages and assistant turns that call tools are not guarded (seed 002), so they are no texts here.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

Body = dict[str, Any]
Slot = tuple[Any, Any]  # a container and the key of a text in it


def dicts(body: Body, key: str) -> list[Body]:
    """The objects in the list at `key`; none where a caller or provider wrote something else."""
    found = body.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _content_slots(message: Any) -> Iterator[Slot]:
    if not isinstance(message, dict):
        return
    content = message.get("content")
    if isinstance(content, str):
        yield message, "content"
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part, "text"


def is_tool_turn(message: Any) -> bool:
    """Whether a message calls tools or brings what one said."""
    return isinstance(message, dict) and (message.get("role") == "tool" or bool(message.get("tool_calls")))


def _chat_request(body: Body) -> Iterator[Slot]:
    for message in dicts(body, "messages"):
        if not is_tool_turn(message):
            yield from _content_slots(message)


def _text_or_list(key: str) -> Callable[[Body], Iterator[Slot]]:
    def slots(body: Body) -> Iterator[Slot]:
        value = body.get(key)
        if isinstance(value, str):
            yield body, key
        elif isinstance(value, list):
            yield from ((value, i) for i, text in enumerate(value) if isinstance(text, str))

    return slots


def _chat_answer(body: Body) -> Iterator[Slot]:
    for choice in dicts(body, "choices"):
        message = choice.get("message")
        if not is_tool_turn(message):
            yield from _content_slots(message)


def _completion_answer(body: Body) -> Iterator[Slot]:
    for choice in dicts(body, "choices"):
        if isinstance(choice.get("text"), str):
            yield choice, "text"


def _no_text(body: Body) -> Iterator[Slot]:
    return iter(())


REQUEST = {
    "llm/v1/chat": _chat_request,
    "llm/v1/completions": _text_or_list("prompt"),
    "llm/v1/embeddings": _text_or_list("input"),
}
ANSWER = {
    "llm/v1/chat": _chat_answer,
    "llm/v1/completions": _completion_answer,
    "llm/v1/embeddings": _no_text,
}


def of_request(task: str, body: Body) -> list[str]:
    """Texts of a request, in order."""
    return [container[key] for container, key in REQUEST[task](body)]


def of_answer(task: str, body: Body) -> list[str]:
    """Texts of an answer, in order."""
    return [container[key] for container, key in ANSWER[task](body)]


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _with(slots: Callable[[Body], Iterator[Slot]], body: Body, texts: Sequence[str]) -> Body:
    copy: Body = _copied(body)
    for (container, key), text in zip(list(slots(copy)), texts, strict=True):
        container[key] = text
    return copy


def in_request(task: str, body: Body, texts: Sequence[str]) -> Body:
    """The request with `texts` in place of its own, one for one."""
    return _with(REQUEST[task], body, texts)


def in_answer(task: str, body: Body, texts: Sequence[str]) -> Body:
    """The answer with `texts` in place of its own, one for one."""
    return _with(ANSWER[task], body, texts)


def batch_size(task: str, body: Body) -> int:
    """How many answers a request asks for: `n`, prompts or inputs."""
    if task == "llm/v1/chat":
        asked = body.get("n")
        return asked if isinstance(asked, int) else 1
    value = body.get("prompt" if task == "llm/v1/completions" else "input")
    return len(value) if isinstance(value, list) else 1


def has_tokens(task: str, body: Body) -> bool:
    """Whether a prompt or input is given as token numbers, in which no guardrail can read."""
    value = body.get("prompt" if task == "llm/v1/completions" else "input") if task != "llm/v1/chat" else None
    return isinstance(value, list) and not all(isinstance(one, str) for one in value)


REQUIRED = {"llm/v1/chat": "messages", "llm/v1/completions": "prompt", "llm/v1/embeddings": "input"}


OURS = ("usage_context", "client_request_id", "extra_params", "databricks_options")


def for_provider(task: str, body: Body) -> Body:
    """The body without what is ours; `extra_params` become the provider's parameters (api-contract.md 3.1).

    They replace neither the texts, which would go past the guardrails, nor what decides how the answer is read.
    """
    extra = body.get("extra_params")
    kept = {key: value for key, value in body.items() if key not in OURS}
    if not isinstance(extra, dict):
        return kept
    fixed = (REQUIRED[task], "model", "stream", "stream_options")
    return {**kept, **{key: value for key, value in extra.items() if key not in fixed}}


def missing_field(task: str, body: Body) -> str | None:
    """What a request of this task lacks, as a sentence that names the field; None when it has it."""
    field = REQUIRED[task]
    if field not in body:
        return f"{field}: is required for task {task}"
    if task == "llm/v1/chat" and not isinstance(body[field], list):
        return f"{field}: Expected `array`"
    return None


def of_message(message: Body) -> list[str]:
    """Texts of one chat message."""
    return [container[key] for container, key in _content_slots(message)]


def decoded(body: bytes) -> Body:
    """JSON bytes -> body; msgspec.DecodeError when they are no JSON object, for whatever reason."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("not UTF-8") from error
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error


def encoded(body: Body) -> bytes:
    """Body -> JSON bytes, compact."""
    return msgspec.json.encode(body)
