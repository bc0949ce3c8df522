"""Reversible masking around a call: placeholders into the request, the caller's own values into what leaves for him.

What is logged, judged and guarded holds the placeholders; only the copy that goes to the caller holds the values, and
it leaves this process sealed (contract/sealed.py).
"""

import re
from itertools import pairwise
from typing import Any

import msgspec

from processors.agents.case import Case
from processors.guardrails.base import Verdict
from processors.guardrails.reversible import Placeholders, Restorer, Spelling, number
from processors.payload import texts
from processors.payload.merging import index_of
from processors.providers.base import ProviderUnreachable
from processors.providers.sse import LINE_BYTES

Json = dict[str, Any]
Path = tuple[str | int, ...]
SAID = ("text", "message", "delta")  # of a choice: where it speaks; log probabilities are of single tokens
JSON_ANSWERS = ("json_object", "json_schema")
TRACE = re.compile(rb"_[0-9]")  # what every placeholder has; an answer without it is left as it came


def numbered(case: Case, body: Json, found: list[str], verdict: Verdict) -> Verdict:
    """The verdict with numbered placeholders in its masked texts; the case keeps their values where they are wanted.

    `body`: the request as made for the provider; none of the numbers in it is used.
    """
    masked, values = number(found, verdict.spans, texts.encoded(body))
    if values and case.transit is not None:
        case.restoring = Restoring(Placeholders(values), json_answers=_wants_json(body))
    return msgspec.structs.replace(verdict, masked=masked)


def _wants_json(body: Json) -> bool:
    wanted = body.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") in JSON_ANSWERS


class Restoring:
    """The values of one request, and where in its answer the texts are JSON, in which a value has to be escaped."""

    def __init__(self, placeholders: Placeholders, *, json_answers: bool = False) -> None:
        self._placeholders = placeholders
        self._json_fields = {"arguments", "content", "text"} if json_answers else {"arguments"}

    def spelling(self, field: str) -> Spelling:
        """How placeholders are written in the texts of a field."""
        return self._placeholders.in_json if field in self._json_fields else self._placeholders.in_text

    def answer(self, answer: bytes) -> bytes:
        """A whole answer with the values in all its choices' texts; ProviderUnreachable when that is too large."""
        if not TRACE.search(answer):
            return answer
        body = texts.decoded(answer)
        choices = [self._choice(choice) for choice in texts.dicts(body, "choices")]
        return bounded({**body, "choices": choices}) if choices else answer

    def _choice(self, choice: Json) -> Json:
        return {key: self._value(value, key) if key in SAID else value for key, value in choice.items()}

    def _value(self, value: Any, field: str) -> Any:
        match value:
            case str():
                return self.spelling(field).restored(value)
            case dict():
                return {key: self._value(inner, key) for key, inner in value.items()}
            case list():
                return [self._value(inner, field) for inner in value]
        return value


class Chunks:
    """A stream's chunks with the values in them: a `Restorer` for each text of each choice."""

    def __init__(self, restoring: Restoring) -> None:
        self._restoring = restoring
        self._restorers: dict[int, dict[Path, Restorer]] = {}

    def event(self, chunk: Json) -> bytes | None:
        """The chunk as far as it may go; None when all it said is held back. ProviderUnreachable: it is too large."""
        restored = self._chunk(chunk)
        return None if restored is None else bounded(restored)

    def _chunk(self, chunk: Json) -> Json | None:
        choices = [self._choice(choice) for choice in texts.dicts(chunk, "choices")]
        if not choices:
            return chunk
        if chunk.get("usage") or any(map(says_something, choices)):
            return {**chunk, "choices": choices}
        return None if any(map(says_something, texts.dicts(chunk, "choices"))) else chunk

    def rest(self) -> list[bytes]:
        """What is held back when the stream ends without finishing its choices, as chunks."""
        choices = [self._flushed({"index": index, "finish_reason": None}) for index in self._restorers]
        return [texts.encoded({"choices": [choice]}) for choice in choices if says_something(choice)]

    def _choice(self, choice: Json) -> Json:
        restorers = self._restorers.setdefault(index_of(choice), {})
        fed = {key: self._fed(value, (key,), restorers) if key in SAID else value for key, value in choice.items()}
        return self._flushed(fed) if choice.get("finish_reason") else fed

    def _fed(self, value: Any, path: Path, restorers: dict[Path, Restorer]) -> Any:
        match value:
            case str():
                if path not in restorers:
                    restorers[path] = Restorer(self._restoring.spelling(_field(path)))
                return restorers[path].feed(value)
            case dict():
                return {key: self._fed(inner, (*path, key), restorers) for key, inner in value.items()}
            case list():
                return [
                    self._fed(item, (*path, _number(item, n)), restorers) if isinstance(item, dict) else item
                    for n, item in enumerate(value)
                ]
        return value

    def _flushed(self, choice: Json) -> Json:
        """The choice with all that is held back of its texts at their ends. `choice`: may be changed."""
        for path, restorer in self._restorers.get(index_of(choice), {}).items():
            if restorer.held:
                _append(choice, path, restorer.finish())
        return choice


def bounded(body: Json) -> bytes:
    """JSON no larger than what a provider itself may send: placeholders and values may be longer than one another.

    ProviderUnreachable when it is; a record of Kafka's would not hold it.
    """
    encoded = texts.encoded(body)
    if len(encoded) > LINE_BYTES:
        raise ProviderUnreachable("its answer is too large once masked or restored")
    return encoded


def says_something(choice: Json) -> bool:
    """Whether a choice of a chunk says anything, or that it ends."""
    delta = choice.get("delta")
    said = isinstance(delta, dict) and any(delta.values())
    return said or bool(choice.get("text") or choice.get("finish_reason"))


def _field(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def _number(item: Any, place: int) -> int:
    """Which of a list's items one is a piece of: pieces of tool calls say so, others come in the same order."""
    index = item.get("index") if isinstance(item, dict) else None
    return index if isinstance(index, int) else place


def _append(container: Any, path: Path, text: str) -> None:
    """Put `text` at the end of the text at `path`, making whatever is not there; a path ends in a field's name."""
    for step, after in pairwise(path):
        container = _inner(container, step, [] if isinstance(after, int) else {})
    said = container.get(path[-1])
    container[path[-1]] = (said if isinstance(said, str) else "") + text


def _inner(container: Any, step: str | int, empty: Any) -> Any:
    """The container at `step`, of the type of `empty`; an item of a list is found by its number."""
    if isinstance(step, str):
        if not isinstance(container.get(step), type(empty)):
            container[step] = empty
        return container[step]
    for place, item in enumerate(container):
        if isinstance(item, dict) and _number(item, place) == step:
            return item
    container.append({"index": step})
    return container[-1]
