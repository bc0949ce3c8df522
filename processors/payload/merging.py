"""A streamed answer's chunks merged into the answer a caller would have had without `stream`."""

from typing import Any

Json = dict[str, Any]


class Merged:
    """Collects chat or completion chunks; `answer()` may be asked at any time, also of a stream that broke."""

    def __init__(self) -> None:
        self._head: Json = {}
        self._choices: dict[int, Json] = {}
        self.usage: Json | None = None

    def add(self, chunk: Json) -> None:
        """Take one decoded chunk."""
        if not self._head:
            self._head = {key: chunk[key] for key in ("id", "object", "created", "model") if key in chunk}
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk["usage"]
        for choice in chunk.get("choices") or ():
            if isinstance(choice, dict):
                self._add_choice(choice)

    def _add_choice(self, choice: Json) -> None:
        index = choice.get("index", 0)
        kept = self._choices.setdefault(index, {"index": index})
        delta = choice.get("delta")
        if isinstance(delta, dict):
            message = kept.setdefault("message", {"role": "assistant", "content": ""})
            for key, value in delta.items():
                _merge_field(message, key, value)
        if isinstance(choice.get("text"), str):
            kept["text"] = kept.get("text", "") + choice["text"]
        if choice.get("finish_reason") is not None:
            kept["finish_reason"] = choice["finish_reason"]

    def texts(self) -> list[str]:
        """The text of each choice so far."""
        return [kept.get("text") or (kept.get("message") or {}).get("content") or "" for kept in self._choices.values()]

    def answer(self) -> Json:
        """The merged answer, in the shape of a whole one."""
        head = dict(self._head)
        if isinstance(head.get("object"), str):
            head["object"] = head["object"].removesuffix(".chunk")
        merged = {**head, "choices": [self._choices[index] for index in sorted(self._choices)]}
        return {**merged, "usage": self.usage} if self.usage is not None else merged


def _merge_field(message: Json, key: str, value: Any) -> None:
    if key == "tool_calls" and isinstance(value, list):
        calls = message.setdefault("tool_calls", [])
        for piece in value:
            _merge_call(calls, piece)
    elif key == "content" and isinstance(value, str):
        message["content"] = (message.get("content") or "") + value
    elif value is not None:
        message[key] = value


def _merge_call(calls: list[Json], piece: Any) -> None:
    if not isinstance(piece, dict):
        return
    index = piece.get("index", len(calls))
    call = next((call for call in calls if call.get("index") == index), None)
    if call is None:
        call = {"index": index, "function": {"name": "", "arguments": ""}}
        calls.append(call)
    function = piece.get("function") or {}
    for key in ("name", "arguments"):
        call["function"][key] += function.get(key) or ""
    call.update({key: piece[key] for key in ("id", "type") if piece.get(key)})
