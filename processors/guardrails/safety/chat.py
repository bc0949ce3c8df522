"""An answer in OpenAI's chat form, as far as judges need it: the text, the first word's probability, the tokens."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from processors.guardrails.safety.base import Ask, Fault, Model

T = TypeVar("T")


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    content: str


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    logprob: float = 0.0
    top_logprobs: tuple["_Token", ...] = ()


class _Tokens(msgspec.Struct, frozen=True, kw_only=True):
    content: tuple[_Token, ...] | None = None


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    message: _Message
    logprobs: _Tokens | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int = 0
    total_tokens: int = 0


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge said."""

    choices: tuple[_Choice, ...]
    usage: _Usage | None = None

    @property
    def text(self) -> str:
        """Its answer."""
        return self.choices[0].message.content

    @property
    def broken_off(self) -> bool:
        """Whether it had more to say than it was allowed."""
        return self.choices[0].finish_reason == "length"

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens of its prompt, and all."""
        used = self.usage or _Usage()
        return used.prompt_tokens, used.total_tokens

    def probability(self, word: str) -> float | None:
        """How likely its answer began with `word`, 0..1, however that is cut into tokens; None when it does not say."""
        logprobs = self.choices[0].logprobs
        first = next((token for token in (logprobs and logprobs.content) or () if token.token.strip()), None)
        if first is None:
            return None
        tops = first.top_logprobs or (first,)
        return min(1.0, sum(math.exp(min(0.0, t.logprob)) for t in tops if _begins(t.token, word)))


def _begins(token: str, word: str) -> bool:
    piece = token.strip().lower()
    return bool(piece) and word.startswith(piece)


def ask(model: Model, messages: list[dict[str, str]], policy: str = "", **more: Any) -> Ask:
    """One question; the answer is the likeliest one, without chance."""
    body = {"model": model.name, "messages": messages, "temperature": 0, **more}
    return Ask(path="/chat/completions", body=msgspec.json.encode(body), policy=policy)


def fenced(text: str) -> str:
    """The text between two lines that it cannot contain, for they name its hash."""
    mark = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    return f"BEGIN {mark}\n{text}\nEND {mark}"


def form(field: str, values: Sequence[int] | Sequence[str]) -> dict[str, Any]:
    """The answer's form: JSON with one field that has one of these values."""
    kind = "string" if isinstance(values[0], str) else "integer"
    schema = {
        "type": "object",
        "properties": {field: {"type": kind, "enum": list(values)}},
        "required": [field],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": field, "strict": True, "schema": schema}}


def filled(answer: bytes, form: type[T]) -> tuple[T, tuple[int, int]] | Fault:
    """What an answer in `form` says, and its tokens as `Said.tokens`; nothing but the JSON asked for will do."""
    read = said(answer)
    if isinstance(read, Fault):
        return read
    try:
        return msgspec.json.decode(read.text, type=form), read.tokens
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return Fault(why="its answer is not the JSON asked for")


def said(answer: bytes) -> Said | Fault:
    """The answer, or why it is none."""
    try:
        read = msgspec.json.decode(answer, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Fault(why="its answer is no chat completion")
    return read if read.choices else Fault(why="its answer is empty")
