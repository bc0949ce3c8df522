"""The rows of the grid of guardrails: each place of a text, how it is asked for and answered."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.conformance import Body, Surface
from tests.support.provider import Reply, Step, Stream

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def chat(*messages: Body, **more: Any) -> Body:
    """A chat request."""
    return {"messages": [*messages], **more}


def user(content: Any) -> Body:
    """What a user says."""
    return {"role": "user", "content": content}


def called(text: str) -> Body:
    """A message that calls a tool with the text."""
    function = {"name": "send", "arguments": json.dumps({"text": text})}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def history(text: str, result: str) -> Body:
    """A chat in which a tool was called with a text and has said another."""
    return chat(user("hello"), called(text), {"role": "tool", "tool_call_id": "call_1", "content": result})


def part(text: str) -> list[Body]:
    """A content of parts."""
    return [{"type": "text", "text": text}]


def said(field: str) -> Callable[[str], Body]:
    """A message that has the text in one of its fields."""
    return lambda text: {"role": "assistant", "content": "", field: part(text) if field == "content" else text}


def whole(message: Callable[[str], Body]) -> Callable[[str], Step]:
    """A whole chat answer."""

    def step(text: str) -> Step:
        choice = {"index": 0, "message": message(text), "finish_reason": "stop"}
        return Reply(body={"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]})

    return step


def pieces(text: str) -> list[str]:
    """A text, three characters at a time."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def streamed(delta: Callable[[str], Body]) -> Callable[[str], Step]:
    """A streamed chat answer."""

    def step(text: str) -> Step:
        choices = [{"index": 0, "delta": delta(piece), "finish_reason": None} for piece in pieces(text)]
        return _stream([*choices, {"index": 0, "delta": {}, "finish_reason": "stop"}])

    return step


def calling(text: str) -> Step:
    """A streamed call of a tool."""
    first, *rest = pieces(json.dumps({"text": text}))
    head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": first}}
    calls = [head, *({"index": 0, "function": {"arguments": piece}} for piece in rest)]
    choices = [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None} for call in calls]
    return _stream([*choices, {"index": 0, "delta": {}, "finish_reason": "tool_calls"}])


def completed(text: str) -> Step:
    """A streamed completion."""
    choices = [{"index": 0, "text": piece, "finish_reason": None} for piece in pieces(text)]
    return _stream([*choices, {"index": 0, "text": "", "finish_reason": "stop"}])


def _stream(choices: list[Body]) -> Step:
    head = {"id": "1", "object": "chat.completion.chunk", "model": "m"}
    return Stream(raw=tuple(json.dumps(head | {"choices": [choice]}) for choice in choices))


def asks(_: str) -> Body:
    """A request whose answer is the matter."""
    return chat(user("hello"))


def asks_for_stream(_: str) -> Body:
    """The same for a stream."""
    return chat(user("hello"), stream=True)


COMPLETIONS, EMBEDDINGS = "llm/v1/completions", "llm/v1/embeddings"
# keyword, PII BLOCK, PII MASK, safety, topics, injection, guard down, and `fail_open`
READ = ("400", "400", "masked", "400", "400", "400", "503", "passes")
SYSTEM = ("400", "400", "masked", "400", "400", "passes", "503", "passes")
CALLED = ("passes", "passes", "passes", "passes", "passes", "passes", "passes", "passes")
CALLED_READ = ("400", "400", "masked", "passes", "passes", "passes", "passes", "passes")
RESULT = ("passes", "passes", "passes", "passes", "passes", "400", "passes", "passes")
RESULT_READ = ("400", "400", "masked", "passes", "passes", "400", "passes", "passes")
SAID = ("400", "400", "masked", "400", "-", "-", "503", "passes")
STREAMED = ("event", "event", "masked", "400", "-", "-", "503", "passes")
CALL = ("passes", "passes", "passes", "passes", "-", "-", "passes", "passes")
CALL_READ = ("400", "400", "masked", "passes", "-", "-", "passes", "passes")
CALL_STREAMED = ("event", "event", "masked", "passes", "-", "-", "passes", "passes")

SURFACES = (
    Surface(name="message", side="input", asks=lambda text: chat(user(text)), expected=READ),
    Surface(name="message, of a stream", side="input", asks=lambda t: chat(user(t), stream=True), expected=READ),
    Surface(
        name="text part beside an image", side="input", asks=lambda t: chat(user([*part(t), IMAGE])), expected=READ
    ),
    Surface(
        name="system message",
        side="input",
        asks=lambda text: chat({"role": "system", "content": text}, user("hello")),
        expected=SYSTEM,
    ),
    Surface(name="call in the history", side="input", asks=lambda text: history(text, "done"), expected=CALLED),
    Surface(
        name="call in the history, `tool_calls`",
        side="input",
        asks=lambda text: history(text, "done"),
        calls=True,
        expected=CALLED_READ,
    ),
    Surface(name="result of a tool", side="input", asks=lambda text: history("go", text), expected=RESULT),
    Surface(
        name="result of a tool, `tool_calls`",
        side="input",
        asks=lambda text: history("go", text),
        calls=True,
        expected=RESULT_READ,
    ),
    Surface(name="prompt", side="input", asks=lambda t: {"prompt": t}, task=COMPLETIONS, expected=READ),
    Surface(
        name="one of two prompts", side="input", asks=lambda t: {"prompt": ["a", t]}, task=COMPLETIONS, expected=READ
    ),
    Surface(
        name="input of embeddings", side="input", asks=lambda t: {"input": ["a", t]}, task=EMBEDDINGS, expected=READ
    ),
    Surface(name="content", side="output", asks=asks, answers=lambda text: Reply(text=text), expected=SAID),
    Surface(
        name="content",
        side="output",
        asks=asks_for_stream,
        answers=streamed(lambda piece: {"content": piece}),
        expected=STREAMED,
    ),
    Surface(name="text part", side="output", asks=asks, answers=whole(said("content")), expected=SAID),
    Surface(
        name="text part",
        side="output",
        asks=asks_for_stream,
        answers=streamed(lambda piece: {"content": part(piece)}),
        expected=STREAMED,
    ),
    Surface(name="reasoning", side="output", asks=asks, answers=whole(said("reasoning_content")), expected=SAID),
    Surface(
        name="reasoning",
        side="output",
        asks=asks_for_stream,
        answers=streamed(lambda piece: {"reasoning_content": piece}),
        expected=STREAMED,
    ),
    Surface(name="refusal", side="output", asks=asks, answers=whole(said("refusal")), expected=SAID),
    Surface(
        name="refusal",
        side="output",
        asks=asks_for_stream,
        answers=streamed(lambda piece: {"refusal": piece}),
        expected=STREAMED,
    ),
    Surface(name="call of a tool", side="output", asks=asks, answers=whole(called), expected=CALL),
    Surface(name="call of a tool", side="output", asks=asks_for_stream, answers=calling, expected=CALL),
    Surface(
        name="call of a tool, `tool_calls`",
        side="output",
        asks=asks,
        answers=whole(called),
        calls=True,
        expected=CALL_READ,
    ),
    Surface(
        name="call of a tool, `tool_calls`",
        side="output",
        asks=asks_for_stream,
        answers=calling,
        calls=True,
        expected=CALL_STREAMED,
    ),
    Surface(
        name="completion",
        side="output",
        asks=lambda _: {"prompt": "hello"},
        answers=lambda text: Reply(text=text),
        task=COMPLETIONS,
        expected=SAID,
    ),
    Surface(
        name="completion",
        side="output",
        asks=lambda _: {"prompt": "hello", "stream": True},
        answers=completed,
        task=COMPLETIONS,
        expected=STREAMED,
    ),
)
