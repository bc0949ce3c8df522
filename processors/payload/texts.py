"""What a request says and what an answer says, as they are counted and judged; and the body a provider is sent.

A text's place is found by walking the task's own shape; bodies are decoded JSON and are never changed in place.
Tool messages and assistant turns that call tools are not guarded (seed 003), so they are no texts here.
"""

from typing import Any

import msgspec

from processors.payload import fields
from processors.payload.fields import Place

Body = dict[str, Any]
REQUIRED = {"llm/v1/chat": "messages", "llm/v1/completions": "prompt", "llm/v1/embeddings": "input"}
TOOLS = ("tool", "function")  # who brings what a tool said


def dicts(body: Body, key: str) -> list[Body]:
    """The objects in the list at `key`; none where a caller or provider wrote something else."""
    found = body.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def is_tool_turn(message: Any) -> bool:
    """Whether a message calls tools or brings what one said; nobody but the assistant calls them."""
    if not isinstance(message, dict):
        return False
    role = message.get("role")
    return role in TOOLS or (role == "assistant" and any(message.get(key) for key in fields.CALLS))


def of_request(task: str, body: Body) -> list[str]:
    """Texts of a request, in order."""
    if task == "llm/v1/chat":
        turns = (turn for turn in dicts(body, "messages") if not is_tool_turn(turn))
        return [text for turn in turns for text in of_message(turn)]
    value = body.get(REQUIRED[task])
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def of_answer(task: str, body: Body) -> list[str]:
    """All that an answer says to its reader, in order; calls of tools are not said to him."""
    return [] if task == "llm/v1/embeddings" else [text for one in dicts(body, "choices") for _, text in said(one)]


def said(choice: Body) -> list[tuple[Place, str]]:
    """What a choice, of an answer or of a chunk, says in each of its fields."""
    found: list[tuple[Place, str]] = []

    def put(place: Place, text: str, json: bool) -> str:
        found.append((place, text))
        return text

    fields.choice(choice, put, calls=False)
    return found


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
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in dicts(message, "content") if isinstance(part.get("text"), str)]


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
