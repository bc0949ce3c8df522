"""Which windows a request must find room in."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from contract.endpoint import RateLimit
from contract.records import Requester
from processors.rate_limits import keys

Unit = Literal["calls", "tokens"]
UNITS: tuple[Unit, ...] = ("calls", "tokens")


class Bound(NamedTuple):
    """One ceiling over one window. `window`: key of the minute counted; `subject`: whom the refusal names."""

    window: str
    unit: Unit
    ceiling: int
    subject: str


def bounds(limits: Sequence[RateLimit], requester: Requester) -> list[Bound]:
    """Every ceiling that holds for `requester`: per unit the endpoint's, and the one of highest precedence."""
    found: list[Bound] = []
    for unit in UNITS:
        ceilings = [(limit, ceiling) for limit in limits if (ceiling := getattr(limit, unit)) is not None]
        found += [
            Bound(f"endpoint|{unit}", unit, ceiling, "endpoint")
            for limit, ceiling in ceilings
            if limit.key == "endpoint"
        ]
        personal = [
            (row.rank, ceiling, Bound(f"{row.window(limit, requester)}|{unit}", unit, ceiling, row.subject))
            for limit, ceiling in ceilings
            for row in keys.ROWS.get(limit.key, ())
            if row.speaks_of(limit, requester)
        ]
        if personal:
            found.append(max(personal)[2])
    return found
