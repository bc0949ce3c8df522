import pytest

from processors.routing.fallback import moves_on, order
from tests.processors.agents.world import entities


@pytest.mark.parametrize(
    ("first", "fallback", "expected"),
    [
        ("a", True, "abc"),
        ("b", True, "bcd"),
        ("c", True, "cda"),
        ("d", True, "dab"),
        ("a", False, "a"),
        ("d", False, "d"),
    ],
)
def test_fallbacks_follow_the_configured_order_wrap_round_and_are_two_at_most(
    first: str, fallback: bool, expected: str
) -> None:
    assert "".join(entity.name for entity in order(entities("a", "b", "c", "d"), first, fallback)) == expected


def test_nobody_is_tried_twice() -> None:
    assert [entity.name for entity in order(entities("a", "b"), "b", True)] == ["b", "a"]


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504, 529, 599])
def test_these_failures_move_on(status: int) -> None:
    assert moves_on(status)


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 403, 404, 408, 422, 428, 499])
def test_these_answers_stay(status: int) -> None:
    assert not moves_on(status)
