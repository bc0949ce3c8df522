"""Fallback: which served entities are tried, in which order, and after which failures."""

from collections.abc import Sequence

from contract.endpoint import ServedEntity
from contract.limits import FALLBACKS

NO_ANSWER = 0  # status of an attempt that brought no usable answer: unreachable, reset, truncated


def order(entities: Sequence[ServedEntity], first: str, fallback: bool) -> list[ServedEntity]:
    """The entities to try: `first`, then the others in configured order from there on, wrapping round.

    At most two fallbacks, none when `fallback` is off. The traffic split has no say here (api-contract.md 2.2).
    """
    start = next(i for i, entity in enumerate(entities) if entity.name == first)
    turned = [*entities[start:], *entities[:start]]
    return turned[: 1 + FALLBACKS] if fallback else turned[:1]


def moves_on(status: int) -> bool:
    """Whether an attempt that ended with `status` is followed by the next entity: 429, 5xx or no answer.

    >>> [moves_on(status) for status in (0, 200, 400, 429, 500, 529)]
    [True, False, False, True, True, True]
    """
    return status in (NO_ANSWER, 429) or status >= 500
