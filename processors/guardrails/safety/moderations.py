"""OpenAI's moderations form: it judges a text, not a conversation, and counts no tokens."""

from collections.abc import Sequence

import msgspec

from processors.guardrails.safety import taxonomy
from processors.guardrails.safety.base import Ask, Fault, Judgement, Model, Wire
from processors.payload.turns import Conversation


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float] = {}


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    results: tuple[_Result, ...]


def asks(model: Model, window: Conversation) -> Sequence[Ask]:
    """One call about the last turn."""
    body = msgspec.json.encode({"model": model.name, "input": window[-1].text})
    return (Ask(path="/moderations", body=body),)


def read(asked: Ask, answer: bytes) -> Judgement | Fault:
    """Its categories under the vendor's nearest keys; one that is new to us is a key of its own."""
    try:
        results = msgspec.json.decode(answer, type=_Answer).results
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Fault(why="its answer is no moderation")
    if len(results) != 1:
        return Fault(why="its answer is not about one text")
    (result,) = results
    scores: dict[str, float] = {}
    for name, score in result.category_scores.items():
        scores[_key(name)] = max(scores.get(_key(name), 0.0), score)
    found = [_key(name) for name, hit in result.categories.items() if hit]
    return Judgement(flagged=result.flagged, categories=taxonomy.flags(taxonomy.OPENAI, found), scores=scores or None)


def _key(name: str) -> str:
    return taxonomy.OPENAI.get(name, name.replace("/", "-").replace("_", "-"))


WIRE = Wire(asks, read)
