from hypothesis import given
from hypothesis import strategies as st

from processors.rate_limits.ring import MINUTE_S, Ring

STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=60)  # seconds later, amount


def test_n_calls_in_a_burst_are_all_counted_and_fit() -> None:
    ring = Ring()
    for taken in range(10):
        assert ring.used(100) == taken
        ring.take(100, 1)


@given(STEPS)
def test_used_is_what_the_last_sixty_one_seconds_hold(steps: list[tuple[int, int]]) -> None:
    ring, taken, now = Ring(), list[tuple[int, int]](), 0
    for later, amount in steps:
        now += later
        assert ring.used(now) == sum(a for second, a in taken if second >= now - MINUTE_S)
        ring.take(now, amount)
        taken.append((now, amount))


@given(STEPS, st.integers(1, 12))
def test_no_sixty_seconds_ever_hold_more_than_the_ceiling(steps: list[tuple[int, int]], ceiling: int) -> None:
    ring, admitted, now = Ring(), list[tuple[int, int]](), 0
    for later, amount in steps:
        now += later
        if ring.used(now) + amount <= ceiling:
            ring.take(now, amount)
            admitted.append((now, amount))
    for start, _ in admitted:
        # An interval that begins anywhere inside second `start` reaches into second `start + 60`.
        assert sum(a for second, a in admitted if start <= second <= start + MINUTE_S) <= ceiling


@given(STEPS)
def test_a_ring_made_of_its_own_slots_is_the_same_ring(steps: list[tuple[int, int]]) -> None:
    ring, now = Ring(), 0
    for later, amount in steps:
        now += later
        ring.used(now)
        ring.take(now, amount)
    again = Ring(ring.slots())
    for later in (0, 30, 30, 30):
        now += later
        assert again.used(now) == ring.used(now)


def test_room_comes_back_after_the_minute() -> None:
    ring = Ring()
    ring.take(100, 5)
    assert [ring.used(now) for now in (159, 160, 161)] == [5, 5, 0]


def test_a_clock_that_goes_back_books_under_the_latest_second() -> None:
    ring = Ring()
    ring.take(100, 1)
    assert ring.take(90, 1) == 100
    assert ring.slots() == [(100, 2)]


def test_settling_corrects_the_second_it_was_booked_under() -> None:
    ring = Ring()
    ring.take(100, 50)
    ring.take(101, 1)
    ring.settle(100, -20)
    assert (ring.slots(), ring.total) == ([(100, 30), (101, 1)], 31)


def test_settling_what_is_over_a_minute_old_changes_nothing() -> None:
    ring = Ring()
    ring.take(100, 50)
    ring.take(170, 1)
    assert ring.used(170) == 1
    ring.settle(100, -20)
    assert ring.total == 1
