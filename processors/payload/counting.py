"""Tokens and characters of requests and answers."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # what a provider may claim: no less than nothing, fits everywhere


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's own count; a field it did not give is None."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None


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
        answer.decode()  # a field that is skipped is not checked for this, but the answer goes on as text
        return msgspec.json.decode(answer, type=WithUsage).usage or Usage()
    except msgspec.ValidationError:
        return Usage() if answer.lstrip(b" \t\r\n").startswith(b"{") else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
