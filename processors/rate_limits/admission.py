"""Admission: does a request fit under every limit? Check all, then take all, in one synchronous block.

State per endpoint lives in the memory of its partition's owner. A replayed offset that a snapshot already covers
counts nothing and gets the decision it had. The clock goes with the snapshot: without it a replay would book
under earlier seconds than the first time, and room would come back too soon.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from contract import refusals
from contract.endpoint import RateLimit
from contract.records import Requester, WindowSnapshot
from contract.refusals import Refusal
from processors.rate_limits.binding import bounds
from processors.rate_limits.ring import Ring


class Booking(NamedTuple):
    """Tokens reserved in a window under a second, to be settled when the usage is known."""

    window: str
    second: int
    amount: int


class Taken(NamedTuple):
    """The request was admitted. `bookings`: token reservations, empty without token limits."""

    bookings: tuple[Booking, ...] = ()


class EndpointWindows:
    """The rate-limit windows of one endpoint, with what a replay must know."""

    def __init__(self, endpoint: str, snapshot: WindowSnapshot | None = None) -> None:
        self.endpoint = endpoint
        windows = snapshot.windows if snapshot else {}
        self.rings = {key: Ring(slots) for key, slots in windows.items()}
        self.covered = snapshot.offset if snapshot else -1
        self.refused = set(snapshot.refused) if snapshot else set()
        self.clock_s = snapshot.clock_s if snapshot else 0

    def admit(
        self, limits: Sequence[RateLimit], requester: Requester, *, offset: int, at_ms: int, tokens: int
    ) -> Taken | Refusal:
        """Admit or refuse the request at `offset`. `tokens`: what it may cost at most, as far as known.

        `at_ms`: when it was received; the endpoint's clock never goes back.
        """
        self.clock_s = now_s = max(self.clock_s, at_ms // 1000)
        found = bounds(limits, requester)
        replayed = offset <= self.covered
        if replayed and offset not in self.refused:
            return Taken()
        amounts = {"calls": 1, "tokens": tokens}
        for bound in found:
            ring = self.rings.get(bound.window)
            used = ring.used(now_s) if ring else 0
            if replayed or used + amounts[bound.unit] > bound.ceiling:
                self.refused.add(offset)
                return refusals.rate_limited(self.endpoint, bound.unit, bound.subject)
        bookings = []
        for bound in found:
            amount = amounts[bound.unit]
            second = self.rings.setdefault(bound.window, Ring()).take(now_s, amount)
            if bound.unit == "tokens":
                bookings.append(Booking(bound.window, second, amount))
        return Taken(tuple(bookings))

    def settle(self, bookings: Iterable[Booking], tokens: int) -> None:
        """Replace reservations by what was used."""
        for booking in bookings:
            ring = self.rings.get(booking.window)
            if ring is not None:
                ring.settle(booking.second, tokens - booking.amount)

    def refuse(self, offset: int) -> None:
        """Whoever replays `offset` refuses it, too. One that is covered keeps the decision it had."""
        if offset > self.covered:
            self.refused.add(offset)

    def snapshot(self, partition: int, offset: int, committed: int) -> WindowSnapshot:
        """The windows as of `offset`; empty windows are left out. No replay begins before offset `committed`."""
        for ring in self.rings.values():
            ring.used(self.clock_s)
        self.rings = {key: ring for key, ring in self.rings.items() if ring.slots()}
        self.refused = {refused for refused in self.refused if refused >= committed}
        return WindowSnapshot(
            endpoint=self.endpoint,
            partition=partition,
            offset=max(offset, self.covered),
            windows={key: ring.slots() for key, ring in self.rings.items()},
            clock_s=self.clock_s,
            refused=tuple(sorted(self.refused)),
        )
