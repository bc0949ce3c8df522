"""A streamed answer's chunks merged into the answer a caller would have had without `stream`."""

from typing import Any

from processors.payload.fields import CALLS, COMPLETE, NO_TEXT, item_of
from processors.payload.texts import dicts

Json = dict[str, Any]


class Said(list[str]):
    """A text in pieces: joined only when asked for, or long streams would cost the square of their length."""


class Choice:
    """One of the answers, in pieces. `message`: a chat message's, by field; None until a delta has come."""

    def __init__(self) -> None:
        self.text = Said()
        self.message: Json | None = None
        self._calls: list[Json] = []
        self._finish_reason: Any = None

    def add(self, choice: Json) -> None:
        """Take the choice's part of a chunk."""
        if isinstance(choice.get("delta"), dict):
            self._add_delta(choice["delta"])
        if isinstance(choice.get("text"), str):
            self.text.append(choice["text"])
        if choice.get("finish_reason"):
            self._finish_reason = choice["finish_reason"]

    def _add_delta(self, delta: Json) -> None:
        if self.message is None:
            self.message = {"role": "assistant", "content": Said()}
        for call in dicts(delta, "tool_calls"):
            _merge_call(self._calls, call)
        for key, value in delta.items():
            if key != "tool_calls":
                _add(self.message, key, value)

    def said(self) -> list[str]:
        """The texts so far, one for each field."""
        fields = {} if self.message is None else {k: v for k, v in self.message.items() if k not in CALLS}
        return [text for text in ("".join(self.text), *_texts(fields)) if text]

    @property
    def has_text(self) -> bool:
        """Whether it has said something yet."""
        return any(self.text) or any(self.said())

    def merged(self, index: int) -> Json:
        """The choice in the shape of a whole answer's."""
        merged: Json = {"index": index}
        if self.message is not None:
            calls = {"tool_calls": _joined(self._calls)} if self._calls else {}
            merged["message"] = {**_joined(self.message), **calls}
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
            self._head = head_of(chunk)
        if isinstance(chunk.get("usage"), dict):
            self.usage = chunk["usage"]
        for choice in dicts(chunk, "choices"):
            self._choices.setdefault(index_of(choice), Choice()).add(choice)

    @property
    def has_text(self) -> bool:
        """Whether any choice has said something yet."""
        return any(choice.has_text for choice in self._choices.values())

    def texts(self) -> list[str]:
        """The texts of all choices so far."""
        return [text for choice in self._choices.values() for text in choice.said()]

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


def head_of(chunk: Json) -> Json:
    """What all chunks of a stream begin with."""
    return {key: chunk[key] for key in ("id", "object", "created", "model") if key in chunk}


def _add(into: Json, key: str, value: Any) -> None:
    """Add a piece of a field: texts and lists grow, anything else is replaced."""
    before = into.get(key)
    match value:
        case str() if isinstance(before, list) and not isinstance(before, Said):
            _add_items(before, [{"type": "text", "text": value}], grow=key != COMPLETE)
        case str() if key not in NO_TEXT:
            into[key] = before if isinstance(before, Said) else Said()
            into[key].append(value)
        case list():
            into[key] = items = _items(before)
            _add_items(items, value, grow=key != COMPLETE)
        case dict():
            into[key] = _add_all(before if isinstance(before, dict) else {}, value)
        case None:
            pass
        case _:
            into[key] = value


def _items(before: Any) -> list[Any]:
    """A list to add to, of what may have begun as a text."""
    if isinstance(before, Said):
        return [{"type": "text", "text": before}] if any(before) else []
    return before if isinstance(before, list) else []


def _add_all(into: Json, piece: Json) -> Json:
    for key, value in piece.items():
        _add(into, key, value)
    return into


def _add_items(into: list[Any], items: list[Any], *, grow: bool) -> None:
    """A piece of an item that is there already makes it grow; an item of another index or type is a new one."""
    for at, item in enumerate(items):
        same = None
        if grow and isinstance(item, dict):
            same = next((one for one in reversed(into) if item_of(one, at) == item_of(item, at)), None)
        if same is not None:
            _add_all(same, item)
        else:
            into.append(
                _add_all({}, item) if isinstance(item, dict) else Said([item]) if isinstance(item, str) else item
            )


def _joined(value: Any) -> Any:
    if isinstance(value, Said):
        return "".join(value)
    if isinstance(value, dict):
        return {key: _joined(one) for key, one in value.items()}
    return [_joined(one) for one in value] if isinstance(value, list) else value


def _texts(value: Any) -> list[str]:
    """Every text within, each joined."""
    if isinstance(value, Said):
        return ["".join(value)]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]


def _merge_call(calls: list[Json], piece: Json) -> None:
    index = piece.get("index", len(calls))
    call = next((call for call in calls if call["index"] == index), None)
    if call is None:
        call = {"index": index}
        calls.append(call)
    for kind in ("function", "custom"):
        said = piece.get(kind)
        if isinstance(said, dict):
            texts = call.setdefault(kind, {})
            for key in ("name", "arguments", "input"):
                if isinstance(said.get(key), str):
                    texts.setdefault(key, Said()).append(said[key])
    call.update({key: piece[key] for key in ("id", "type") if piece.get(key)})
