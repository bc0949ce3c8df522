"""A record as it comes out of Kafka, without the library that fetched it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol


class Record(Protocol):
    """What a sink reads of a consumed record. `timestamp`: epoch ms."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


Take = Callable[[Sequence[Record]], Awaitable[None]]
