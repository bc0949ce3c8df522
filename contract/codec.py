"""Bytes to record or `Unreadable`, record to bytes. JSON on every topic."""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")
ENCODER = msgspec.json.Encoder()


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is no record of the expected kind. `why` never quotes the value."""

    why: str


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast(Any, kind))


def encode(record: Any) -> bytes:
    """Record -> JSON bytes."""
    return ENCODER.encode(record)


def read(kind: type[T], value: bytes | None) -> T | Unreadable:
    """JSON bytes -> `kind`, or `Unreadable`; never raises on what the bytes hold."""
    if value is None:
        return Unreadable(why="empty value")
    try:
        return cast(T, _decoder(cast(Hashable, kind)).decode(value))
    except msgspec.DecodeError as error:
        return Unreadable(why=str(error))
    except UnicodeDecodeError:
        return Unreadable(why="not UTF-8")
    except RecursionError:
        return Unreadable(why="nested too deeply")
