"""One rate-limit window: amounts per second over a sliding minute."""

from collections import deque

MINUTE_S = 60


class Ring:
    """What was taken in the last minute, in one-second slots; the oldest slot counts in full.

    At second `now` the slots `now-60 .. now` count, so no 60 s interval ever holds more than was allowed,
    and at the worst room comes back one second late. `now` must not go backwards: `take` and `used` clamp it.
    """

    __slots__ = ("_slots", "total")

    def __init__(self, slots: list[tuple[int, int]] | None = None) -> None:
        self._slots: deque[list[int]] = deque([second, amount] for second, amount in slots or [])
        self.total = sum(amount for _, amount in self._slots)

    def used(self, now_s: int) -> int:
        """Amount taken in the minute that ends with second `now_s`."""
        slots = self._slots
        while slots and slots[0][0] < now_s - MINUTE_S:
            self.total -= slots.popleft()[1]
        return self.total

    def take(self, now_s: int, amount: int) -> int:
        """Count `amount` at `now_s`; returns the second it was booked under."""
        slots = self._slots
        if slots and slots[-1][0] >= now_s:
            now_s = slots[-1][0]
            slots[-1][1] += amount
        else:
            slots.append([now_s, amount])
        self.total += amount
        return now_s

    def settle(self, second: int, difference: int) -> None:
        """Correct what was booked under `second` by `difference`; nothing when that second is over a minute old."""
        for slot in reversed(self._slots):
            if slot[0] == second:
                slot[1] += difference
                self.total += difference
                return
            if slot[0] < second:
                return

    def slots(self) -> list[tuple[int, int]]:
        """The window's content, oldest first, for a snapshot."""
        return [(second, amount) for second, amount in self._slots]
