"""The traffic split: which served entity a request is sent to first."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from contract.endpoint import TrafficRoute


def first_choice(routes: Sequence[TrafficRoute], draw: float) -> str:
    """Name of the served entity that owns `draw` on the line 0..100; never one with 0 %.

    `routes`: in configured order, percentages sum to 100 as the endpoint's checks have seen to.
    `draw`: uniform in [0, 100), in percent; outside, ValueError.
    Source: api-contract.md 2.2, the split decides only the first entity.

    >>> ab = [TrafficRoute(served_entity_name="a", traffic_percentage=30),
    ...       TrafficRoute(served_entity_name="b", traffic_percentage=70)]
    >>> first_choice(ab, 29.9), first_choice(ab, 30.0)
    ('a', 'b')
    """
    if not 0 <= draw < 100:
        raise ValueError(f"draw must be in [0, 100), got {draw}")
    ends = list(accumulate(route.traffic_percentage for route in routes))
    return routes[bisect_right(ends, draw)].served_entity_name
