"""A streamed answer's chunks merged into the answer a caller would have had without `stream`."""

from typing import Any

from processors.payload.texts import dicts

Json = dict[str, Any]
REPLACED = ("role",)  # texts that come whole; any other text comes in pieces


class Choice:
    """One of the answers, in pieces: joined only when asked for, or long streams would cost the square of their length.

    `text`: a completion's pieces. `message`: a chat message's pieces by field; None until a delta has come.
    """

    def __init__(self) -> None:
        self.text: list[str] = []
        self.message: dict[str, list[str]] | None = None
        self._whole: Json = {}
        self._calls: list[Json] = []
        self._finish_reason: Any = None

    def add(self, choice: Json) -> None:
        """Take the choice's part of a chunk."""
        if isinstance(choice.get("delta"), dict):
            self._add_delta(choice["delta"])
        if isinstance(choice.get("text"), str):
            self.text.append(choice["text"])
        if choice.get("finish_reason") is not None:
            self._finish_reason = choice["finish_reason"]

    def _add_delta(self, delta: Json) -> None:
        self.message = self.message if self.message is not None else {"content": []}
        for call in dicts(delta, "tool_calls"):
            _merge_call(self._calls, call)
        for key, value in delta.items():
            if isinstance(value, str) and key not in REPLACED:
                self.message.setdefault(key, []).append(value)
            elif value is not None and key not in ("content", "tool_calls"):
                self._whole[key] = value

    @property
    def has_text(self) -> bool:
        """Whether it has said something yet."""
        return any(self.text or (self.message or {}).get("content", ()))

    def said(self) -> str:
        """The text so far."""
        return "".join(self.text or (self.message or {}).get("content", ()))

    def merged(self, index: int) -> Json:
        """The choice in the shape of a whole answer's."""
        merged: Json = {"index": index}
        if self.message is not None:
            said = {key: "".join(pieces) for key, pieces in self.message.items()}
            calls = {"tool_calls": self._calls} if self._calls else {}
            merged["message"] = {"role": "assistant", **self._whole, **said, **calls}
        if self.text:
            merged["text"] = "".join(self.text)
        return merged if self._finish_reason is None else {**merged, "finish_reason": self._finish_reason}


class Merged:
    """Collects chat or completion chunks; `answer()` may be asked at any time, also of a stream that broke."""

    def __init__(self) -> None:
        self._head: Json = {}
        self._choices: dict[int, Choice] = {}
        self.usage: Json | None = None

    def add(self, chunk: Json) -> None:
        """Take one decoded chunk."""
        if not self._head:
            self._head = {key: chunk[key] for key in ("id", "object", "created", "model") if key in chunk}
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk["usage"]
        for choice in dicts(chunk, "choices"):
            self._choices.setdefault(index_of(choice), Choice()).add(choice)

    @property
    def has_text(self) -> bool:
        """Whether any choice has said something yet."""
        return any(choice.has_text for choice in self._choices.values())

    def texts(self) -> list[str]:
        """The text of each choice so far."""
        return [choice.said() for choice in self._choices.values()]

    def answer(self) -> Json:
        """The merged answer, in the shape of a whole one."""
        head = dict(self._head)
        if isinstance(head.get("object"), str):
            head["object"] = head["object"].removesuffix(".chunk")
        merged = {**head, "choices": [self._choices[index].merged(index) for index in sorted(self._choices)]}
        return {**merged, "usage": self.usage} if self.usage is not None else merged


def index_of(choice: Json) -> int:
    """Which of the answers a choice belongs to; the first where the provider does not say."""
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _merge_call(calls: list[Json], piece: Json) -> None:
    index = piece.get("index", len(calls))
    call = next((call for call in calls if call["index"] == index), None)
    if call is None:
        call = {"index": index, "function": {"name": "", "arguments": ""}}
        calls.append(call)
    function = piece.get("function")
    said: Json = function if isinstance(function, dict) else {}
    for key in ("name", "arguments"):
        if isinstance(said.get(key), str):
            call["function"][key] += said[key]
    call.update({key: piece[key] for key in ("id", "type") if piece.get(key)})
