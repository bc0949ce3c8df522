"""The texts inside messages, deltas and whatever else is JSON: each is read, or replaced, at its own place.

What is not known is a text: a field is left out by its name alone, because it names, encodes or types something.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Json = dict[str, Any]

# Names and kinds of things, signed or encrypted strings, and what holds an image, a sound or a file.
NO_TEXT = frozenset({
    "role", "id", "type", "object", "index", "status", "format", "detail", "mime_type", "media_type",
    "tool_call_id", "call_id", "file_id", "signature", "thought_signature", "encrypted_content", "data", "b64_json",
    "image_url", "input_image", "input_audio", "audio_url", "video_url", "file", "cache_control",
})  # fmt: skip
CALLS = ("tool_calls", "function_call")
COMPLETE = "annotations"  # a list whose items come whole, other lists' items may come in pieces


class Item(NamedTuple):
    """Which object of a list: by its `index` where it has one, else by its `type`; pieces of it come in many lists."""

    number: int | None
    type: str | None


Place = tuple[Any, ...]  # the way to a text: keys, and for lists an Item or a number
Put = Callable[[Place, str, bool], str]  # place, text, whether it is JSON -> the text to stand there


def walked(value: Any, place: Place, put: Put) -> Any:
    """The value with each of its texts replaced by what `put` makes of it."""
    if isinstance(value, str):
        return put(place, value, False)
    if isinstance(value, dict):
        return {key: one if key in NO_TEXT else walked(one, (*place, key), put) for key, one in value.items()}
    if isinstance(value, list):
        return [walked(one, (*place, item_of(one, at)), put) for at, one in enumerate(value)]
    return value


def item_of(one: Any, at: int) -> Item | int:
    """Which of a list's things this is."""
    if not isinstance(one, dict):
        return at
    index, kind = one.get("index"), one.get("type")
    return Item(index if isinstance(index, int) else None, kind if isinstance(kind, str) else None)


def message(said: Json, place: Place, put: Put, *, calls: bool) -> Json:
    """A message or delta with other texts. `calls`: those of its calls of tools, too."""
    changed = walked({key: value for key, value in said.items() if key not in CALLS}, place, put)
    for key in CALLS:
        if key in said:
            changed[key] = _called(said[key], (*place, key), put) if calls else said[key]
    return {key: changed[key] for key in said}


def _called(value: Any, place: Place, put: Put) -> Any:
    if isinstance(value, dict):
        return _with_arguments(value, place, put)
    if isinstance(value, list):
        return [_call(one, (*place, _index_of(one, at)), put) for at, one in enumerate(value)]
    return value


def _index_of(one: Any, at: int) -> Item:
    """Which call: only a call's first piece has a type."""
    index = one.get("index") if isinstance(one, dict) else None
    return Item(index if isinstance(index, int) else at, None)


def _call(call: Any, place: Place, put: Put) -> Any:
    if not isinstance(call, dict):
        return call
    kinds = [kind for kind in ("function", "custom") if isinstance(call.get(kind), dict)]
    return {**call, **{kind: _with_arguments(call[kind], (*place, kind), put) for kind in kinds}}


def _with_arguments(function: Json, place: Place, put: Put) -> Json:
    """A function's arguments are JSON; a custom tool's input is whatever it takes."""
    texts = {key: function[key] for key in ("arguments", "input") if isinstance(function.get(key), str)}
    return {**function, **{key: put((*place, key), text, key == "arguments") for key, text in texts.items()}}


def choice(one: Json, put: Put, *, calls: bool) -> Json:
    """A choice of an answer or of a chunk with other texts."""
    changed = dict(one)
    for part in ("message", "delta"):
        if isinstance(one.get(part), dict):
            changed[part] = message(one[part], (part,), put, calls=calls)
    if isinstance(one.get("text"), str):
        changed["text"] = put(("text",), one["text"], False)
    return changed


def only(place: Place, text: str) -> Json:
    """The least of a choice that has this text at its place."""
    value: Any = text
    for part in reversed(place):
        if isinstance(part, Item):
            named = (("index", part.number), ("type", part.type))
            value = [{**{key: one for key, one in named if one is not None}, **value}]
        else:
            value = [value] if isinstance(part, int) else {part: value}
    return dict(value)
