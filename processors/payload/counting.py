"""Tokens and characters of requests and answers."""

from collections.abc import Iterable

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's own count; a field it did not give is None."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class WithUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Any answer, read for its usage alone."""

    usage: Usage | None = None


def characters(texts: Iterable[str]) -> int:
    """Characters in all texts."""
    return sum(map(len, texts))


def estimated_tokens(characters: int) -> int:
    """The vendor's estimate where the provider gives no count (seed 002): `(text_length + 1) / 4`, whole.

    >>> estimated_tokens(7), estimated_tokens(0)
    (2, 0)
    """
    return (characters + 1) // 4


def usage_of(answer: bytes) -> Usage | None:
    """The answer's usage, empty when it has none; None when the answer is no JSON object."""
    try:
        return msgspec.json.decode(answer, type=WithUsage).usage or Usage()
    except msgspec.ValidationError:
        return Usage() if _is_object(answer) else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_object(answer: bytes) -> bool:
    return isinstance(msgspec.json.decode(answer), dict)
