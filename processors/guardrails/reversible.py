"""Reversible masking: placeholders numbered within one request, and the caller's own values put back for them.

Pure. A placeholder is `<ENTITY_TYPE_n>`; only one spelled exactly so stands for a value. One that a provider has broken
(lower case, blanks, another number) stays as it is: a guess might show the wrong value.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from processors.guardrails.base import Span

_IN_TEXT = re.compile(r"<[A-Z0-9_]+>")
# In JSON text a provider may write the brackets as escapes. A pair of backslashes is one character of its own.
_IN_JSON = re.compile(r"\\\\|(?:<|\\u003[cC])[A-Z0-9_]+(?:>|\\u003[eE])")
_OPENING = "<\\"


class Numbered(NamedTuple):
    """Texts with placeholders in place of values, and the value of each placeholder."""

    texts: tuple[str, ...]
    values: dict[str, str]


def number(texts: Sequence[str], spans: Sequence[Sequence[Span]], written: bytes) -> Numbered:
    """Put a placeholder in place of each span: the same one for the same value and type.

    `spans`: for each text in its order, not overlapping. `written`: all that the provider will read of the caller's, in
    UTF-8; a number that follows a type's name anywhere in it, whatever the case, is left to the caller.

    >>> span = Span(start=3, end=10, entity_type="EMAIL_ADDRESS", score=1.0, recogniser="x")
    >>> number(["to a@b.com now"], [[span]], b"to a@b.com now")
    Numbered(texts=('to <EMAIL_ADDRESS_1> now',), values={'<EMAIL_ADDRESS_1>': 'a@b.com'})
    """
    taken = _taken({span.entity_type for found in spans for span in found}, written)
    last: dict[str, int] = {}
    placeholders: dict[tuple[str, str], str] = {}

    def placeholder(entity_type: str, value: str) -> str:
        known = placeholders.get((entity_type, value))
        if known is not None:
            return known
        place = last.get(entity_type, 0) + 1
        while (entity_type, place) in taken:
            place += 1
        last[entity_type] = place
        return placeholders.setdefault((entity_type, value), f"<{entity_type}_{place}>")

    masked = tuple(_masked(text, found, placeholder) for text, found in zip(texts, spans, strict=True))
    return Numbered(masked, {name: value for (_, value), name in placeholders.items()})


def _taken(entity_types: set[str], written: bytes) -> set[tuple[str, int]]:
    # in capitals once, and then a plain search: ignoring case costs ten times as much, and this holds up the loop
    capitals = written.upper() if entity_types else b""
    found = {name: re.finditer(rb"%s_([0-9]{1,18})" % name.encode(), capitals) for name in entity_types}
    return {(name, int(match[1])) for name, matches in found.items() for match in matches}


def _masked(text: str, spans: Sequence[Span], placeholder: Callable[[str, str], str]) -> str:
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += (text[at : span.start], placeholder(span.entity_type, text[span.start : span.end]))
        at = span.end
    return "".join((*parts, text[at:]))


class Spelling:
    """How the placeholders of one request are written in one kind of text, and what stands there instead."""

    __slots__ = ("_known", "_pattern", "_values", "longest")

    def __init__(self, pattern: re.Pattern[str], values: Mapping[str, str]) -> None:
        self._pattern = pattern
        self._values = values
        self._known = sorted(values)
        self.longest = max(map(len, values), default=0)

    def restored(self, text: str) -> str:
        """A whole text with the values in it."""
        return self._pattern.sub(lambda match: self._values.get(match[0], match[0]), text)

    def released(self, text: str) -> tuple[str, str]:
        """What may go out of a text that goes on, with the values in it, and what may still become a placeholder."""
        end = 0
        for match in self._pattern.finditer(text):
            end = match.end()
        cut = self._beginning(text, end)
        return self.restored(text[:end]) + text[end:cut], text[cut:]

    def _beginning(self, text: str, end: int) -> int:
        """Where a placeholder begins that has not come in full; the text's end where none does."""
        for place in range(max(end, len(text) - self.longest + 1), len(text)):
            if text[place] in _OPENING and self._begins_one(text[place:]):
                return place
        return len(text)

    def _begins_one(self, start: str) -> bool:
        at = bisect_left(self._known, start)
        return at < len(self._known) and self._known[at].startswith(start)


class Restorer:
    """A state machine for one text of a stream: `feed` each piece, then `finish` once.

    It holds back less than the longest placeholder, and nothing that cannot become one of this request's.
    """

    __slots__ = ("_held", "_spelling")

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self._held = ""

    @property
    def held(self) -> int:
        """How many characters are held back."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """What may go out now."""
        out, self._held = self._spelling.released(self._held + piece)
        return out

    def finish(self) -> str:
        """The rest: the beginning of a placeholder that never came."""
        rest, self._held = self._held, ""
        return rest


class Placeholders:
    """The values of one request. They live here, in its task's memory, and nowhere else; the repr shows none."""

    __slots__ = ("in_json", "in_text")

    def __init__(self, values: Mapping[str, str]) -> None:
        self.in_text = Spelling(_IN_TEXT, values)
        escaped = {name: msgspec.json.encode(value).decode()[1:-1] for name, value in values.items()}
        self.in_json = Spelling(
            _IN_JSON, {spelled: value for name, value in escaped.items() for spelled in _spelled(name)}
        )

    def __repr__(self) -> str:
        return "Placeholders(...)"


def _spelled(name: str) -> tuple[str, ...]:
    inner = name[1:-1]
    return (name, f"\\u003c{inner}\\u003e", f"\\u003C{inner}\\u003E")
