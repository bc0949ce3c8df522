"""The texts inside messages, deltas and whatever else is JSON: each is read, or replaced, at its own place.

What is not known is a text: a field is left out by its name alone, because it names, encodes or types something.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Json = dict[str, Any]

# Strings that name or type something, are signed or encrypted, or are a sound's or a file's bytes.
NO_TEXT = frozenset({
    "role", "id", "type", "object", "index", "status", "format", "detail", "mime_type", "media_type",
    "tool_call_id", "call_id", "file_id", "signature", "thought_signature", "encrypted_content", "data", "b64_json",
    "file_data",
})  # fmt: skip
MEDIA = frozenset({"image_url", "input_image", "audio_url", "video_url"})  # an address, or a whole image in it
DEEPEST = 100  # levels; what lies deeper is no text for anybody
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
    if len(place) > DEEPEST:
        return value
    if isinstance(value, dict):
        return {key: one if _is_no_text(key, one) else walked(one, (*place, key), put) for key, one in value.items()}
    if isinstance(value, list):
        return [walked(one, (*place, item_of(one, at)), put) for at, one in enumerate(value)]
    return value


def every_string(value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    """The value with each of its strings changed, whatever it is for."""
    if isinstance(value, str):
        return change(value)
    if depth > DEEPEST:
        return value
    if isinstance(value, dict):
        return {key: every_string(one, change, depth + 1) for key, one in value.items()}
    return [every_string(one, change, depth + 1) for one in value] if isinstance(value, list) else value


def _is_no_text(key: str, value: Any) -> bool:
    return (key in NO_TEXT and isinstance(value, str)) or key in MEDIA


def is_deep(value: Any) -> bool:
    """Whether there is something deeper than `walked` goes."""
    level = [value]
    for _ in range(DEEPEST):
        nested = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [inner for one in nested for inner in one]
        if not level:
            return False
    return True


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
    """A function's arguments are JSON, in a string with most providers; a custom tool's input is whatever it takes."""
    given = {key: function[key] for key in ("arguments", "input") if key in function}
    return {**function, **{key: _argument(one, (*place, key), put) for key, one in given.items()}}


def _argument(value: Any, place: Place, put: Put) -> Any:
    if isinstance(value, str):
        return put(place, value, place[-1] == "arguments")
    return walked(value, place, put)


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
