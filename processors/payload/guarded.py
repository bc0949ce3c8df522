"""What guardrails read of a request or an answer, and the same body with other texts in their places.

docs/guardrails.md, "What is guarded", says which and why. Bodies are decoded JSON and are never changed in place.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from processors.payload import arguments, fields
from processors.payload.fields import Place, Put
from processors.payload.texts import OURS, Body, is_tool_turn

Walk = Callable[[Put], Body]  # a body, its texts replaced by what `put` makes of them

# Parameters in which a string is no text: names of things, switches, what the application's developer wrote.
PARAMETERS = frozenset({
    "model", "stream", "stream_options", "stop", "tools", "tool_choice", "functions", "function_call",
    "response_format", "user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "logit_bias", "modalities", "audio", "service_tier", "store", "reasoning_effort", "reasoning", "thinking",
    "verbosity", "web_search_options", "truncation", "encoding_format", "input_type", "truncate",
})  # fmt: skip


class Piece(NamedTuple):
    """A text to be checked. `field`: number of its field in the body; `lead`: characters before the field's own."""

    text: str
    field: int
    lead: int = 0


def request(task: str, body: Body, *, calls: bool) -> Walk:
    """A request's texts: messages, prompts or inputs, and every field that is not known to hold none.

    `calls`: those of tool turns, too.
    """

    def walk(put: Put) -> Body:
        changed: Body = {}
        for key, value in body.items():
            if key == "messages" and task == "llm/v1/chat" and isinstance(value, list):
                changed[key] = [_turn(one, (key, at), put, calls=calls) for at, one in enumerate(value)]
            elif key in PARAMETERS or key in OURS:
                changed[key] = value
            else:
                changed[key] = fields.walked(value, (key,), put)
        return changed

    return walk


def _turn(turn: Any, place: Place, put: Put, *, calls: bool) -> Any:
    if not isinstance(turn, dict):
        return fields.walked(turn, place, put)
    if not is_tool_turn(turn):
        return fields.message(turn, place, put, calls=True)
    if not calls:
        return turn
    return fields.message(turn, place, _json_too(put), calls=True)


def _json_too(put: Put) -> Put:
    """What tools say is JSON more often than not, and then read as such."""
    return lambda place, text, json: put(place, text, json or _is_json(text))


def _is_json(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict | list)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False


def answer(body: Body, *, calls: bool) -> Walk:
    """An answer's texts: all that its choices say. `calls`: the arguments of calls of tools, too."""

    def walk(put: Put) -> Body:
        if not isinstance(body.get("choices"), list):
            return body
        choices = [fields.choice(one, put, calls=calls) if isinstance(one, dict) else one for one in body["choices"]]
        return {**body, "choices": choices}

    return walk


def pieces(walk: Walk) -> list[Piece]:
    """The texts, in the order of the body."""
    found: list[Piece] = []
    fields_seen = 0

    def put(place: Place, text: str, json: bool) -> str:
        nonlocal fields_seen
        if json:
            found.extend(Piece(t.lead + t.text, fields_seen, len(t.lead)) for t in arguments.said(text))
        else:
            found.append(Piece(text, fields_seen))
        fields_seen += 1
        return text

    walk(put)
    return found


class Replaced(NamedTuple):
    """A body with other texts. `changes`: what stands now where another text stood."""

    body: Body
    changes: dict[str, str]


def replaced(walk: Walk, found: Sequence[Piece], texts: Sequence[str]) -> Replaced:
    """The body with `texts` in place of what was found, one for one."""
    changes: dict[str, str] = {}
    others = iter([text[piece.lead :] for piece, text in zip(found, texts, strict=True)])

    def put(place: Place, text: str, json: bool) -> str:
        other = arguments.saying(text, others) if json else next(others)
        if other != text:
            changes[text] = other
        return other

    return Replaced(walk(put), changes)


def swapped(value: Any, changes: dict[str, str]) -> Any:
    """JSON in which each string that was changed elsewhere is changed, too, wherever it stands."""
    return fields.every_string(value, lambda text: changes.get(text, text))


def without_logprobs(body: Body) -> Body:
    """An answer or chunk without its tokens' probabilities, which would say again what was masked."""
    choices = [{**one, "logprobs": None} if _has_logprobs(one) else one for one in body.get("choices") or ()]
    return {**body, "choices": choices}


def _has_logprobs(choice: Any) -> bool:
    return isinstance(choice, dict) and choice.get("logprobs") is not None
