import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.endpoint import TrafficRoute
from processors.routing.split import first_choice


def routes(*shares: int) -> list[TrafficRoute]:
    return [TrafficRoute(served_entity_name=f"e{n}", traffic_percentage=share) for n, share in enumerate(shares)]


@st.composite
def splits(draw: st.DrawFn) -> list[TrafficRoute]:
    cuts = sorted(draw(st.lists(st.integers(0, 100), max_size=6)))
    ends = [0, *cuts, 100]
    return routes(*(after - before for before, after in itertools.pairwise(ends)))


@given(splits(), st.floats(0, 100, exclude_max=True))
def test_an_entity_with_0_percent_is_never_first(split: list[TrafficRoute], draw: float) -> None:
    chosen = first_choice(split, draw)
    assert next(route for route in split if route.served_entity_name == chosen).traffic_percentage > 0


@given(splits())
def test_each_entity_owns_its_percentage_of_all_draws(split: list[TrafficRoute]) -> None:
    chosen = [first_choice(split, hundredth + 0.5) for hundredth in range(100)]
    assert [chosen.count(route.served_entity_name) for route in split] == [r.traffic_percentage for r in split]


def test_the_frequency_comes_near_the_share() -> None:
    draw = random.Random(7)
    chosen = [first_choice(routes(10, 0, 90), draw.random() * 100) for _ in range(20_000)]
    assert abs(chosen.count("e0") - 2_000) < 200
    assert chosen.count("e1") == 0


@pytest.mark.parametrize("draw", [-0.1, 100.0, float("nan")])
def test_a_draw_outside_the_line_is_a_defect(draw: float) -> None:
    with pytest.raises(ValueError, match="draw"):
        first_choice(routes(100), draw)
