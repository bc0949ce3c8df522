"""What the routes are handed: the seams between HTTP and everything that moves bytes."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from contract.state import View

Now = Callable[[], int]
"""Epoch milliseconds."""
NewId = Callable[[], str]
"""A fresh request id: the text of a random UUID."""
Cancel = Callable[[str], None]
"""Tell the workers, without waiting, that nobody waits for this request id any more."""


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """This run of the process: its id, its slot on `gateway.replies`, its clock, its chance."""

    boot_id: str
    slot: int
    now: Now
    new_id: NewId


class Publish(Protocol):
    """Hands one record to the broker."""

    async def __call__(self, topic: str, key: str, value: bytes, *, spread: bool = False) -> bool:
        """True once the broker has acknowledged it; False, within two seconds, when it has not.

        `spread`: the key does not decide the partition; any will do.
        """


class State(Protocol):
    """The configuration as this process knows it, and how far that is."""

    @property
    def view(self) -> View:
        """The configuration; changes only between two awaits."""

    @property
    def ready(self) -> bool:
        """Whether the view has reached the end that the topic had at start."""

    async def reached(self, offset: int, seconds: float) -> bool:
        """Wait until the view holds `offset`; False after `seconds`."""

    async def caught_up(self, seconds: float) -> bool:
        """Wait until the view holds what the topic holds now; False after `seconds`."""
