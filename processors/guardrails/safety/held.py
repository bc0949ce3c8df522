"""A stream's chunks, held back until a guard has passed what they say: a window at a time, with some text before."""

from collections.abc import Hashable, Iterable
from typing import Any

from processors.payload import texts

Json = dict[str, Any]
WINDOW = 800  # characters of new text that are worth a call
OVERLAP = 200


class Held:
    """A queue: `hold` chunks; when `due`, have `texts` judged, then `release`. Pure: it waits for nothing."""

    def __init__(self) -> None:
        self._chunks: list[Json] = []
        self._fresh: dict[Hashable, str] = {}
        self._tails: dict[Hashable, str] = {}
        self._calls = False  # whether a call of a tool is held

    def hold(self, chunk: Json, said: Iterable[tuple[Hashable, str]]) -> None:
        """Take a chunk and what it says, by choice and field."""
        self._chunks.append(chunk)
        deltas = (choice.get("delta") for choice in texts.dicts(chunk, "choices"))
        self._calls = self._calls or any(isinstance(delta, dict) and delta.get("tool_calls") for delta in deltas)
        for index, text in said:
            self._fresh[index] = self._fresh.get(index, "") + text

    @property
    def due(self) -> bool:
        """Whether a window is full, or calls of tools wait, which are not judged, and no text before them."""
        full = any(len(text) >= WINDOW for text in self._fresh.values())
        return full or (self._calls and not any(self._fresh.values()))

    def texts(self) -> list[str]:
        """What is to be judged, one text for each field that says something new."""
        return [self._tails.get(index, "") + text for index, text in self._fresh.items() if text]

    def release(self) -> list[Json]:
        """All chunks held, in order; their texts are the next ones' past."""
        for index, text in self._fresh.items():
            self._tails[index] = (self._tails.get(index, "") + text)[-OVERLAP:]
        self._fresh.clear()
        self._calls = False
        released, self._chunks = self._chunks, []
        return released
