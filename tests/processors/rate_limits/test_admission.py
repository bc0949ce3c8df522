from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import codec
from contract.endpoint import RateLimit
from contract.records import Requester, WindowSnapshot
from contract.refusals import Refusal
from processors.rate_limits.admission import Booking, EndpointWindows, Taken

MINUTE_MS = 60_000
NAMES = ("ann", "bob", "eve")
GROUPS = {"ann": ("red",), "bob": ("red",), "eve": ()}


def limit(key: str, principal: str | None = None, **ceiling: int) -> RateLimit:
    return RateLimit(**{"key": key, "principal": principal, "renewal_period": "minute", **ceiling})  # type: ignore[arg-type]


LIMITS = [limit("endpoint", calls=6), limit("user", calls=2), limit("user_group", "red", calls=3)]
TOKENS = [limit("endpoint", tokens=40), limit("user", tokens=15)]


def requester(name: str) -> Requester:
    return Requester(name=name, groups=GROUPS[name])


Asked = tuple[str, int, int]  # requester, milliseconds received, tokens
ASKED = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 150_000), st.integers(1, 12)), min_size=1, max_size=40
)


def admit(windows: EndpointWindows, offset: int, asked: Asked, limits: list[RateLimit]) -> Taken | Refusal:
    name, at_ms, tokens = asked
    return windows.admit(limits, requester(name), offset=offset, at_ms=at_ms, tokens=tokens)


def contents(windows: EndpointWindows) -> Any:
    snapshot = windows.snapshot(0, 0, 0)
    return {key: slots for key, slots in snapshot.windows.items() if slots}


@given(ASKED, st.sampled_from([LIMITS, TOKENS, LIMITS + TOKENS]), st.data())
def test_a_replay_from_any_snapshot_decides_the_same_and_counts_nothing_twice(
    asked: list[Asked], limits: list[RateLimit], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(asked) - 1), "the snapshot's offset")
    committed = data.draw(st.integers(0, at + 1), "the offset a new owner starts from")
    first = EndpointWindows("e")
    decisions: list[bool] = []
    snapshot = None
    for offset, one in enumerate(asked):
        decisions.append(isinstance(admit(first, offset, one, limits), Taken))
        if offset == at:
            snapshot = first.snapshot(0, at, committed)
    again = EndpointWindows("e", codec.read(WindowSnapshot, codec.encode(snapshot)))  # type: ignore[arg-type]
    replayed = [
        isinstance(admit(again, offset, asked[offset], limits), Taken) for offset in range(committed, len(asked))
    ]
    assert replayed == decisions[committed:]
    assert contents(again) == contents(first)


@given(ASKED)
def test_no_sixty_seconds_hold_more_than_any_ceiling(asked: list[Asked]) -> None:
    windows = EndpointWindows("e")
    ordered = sorted(asked, key=lambda one: one[1])
    taken = [one for offset, one in enumerate(ordered) if isinstance(admit(windows, offset, one, LIMITS), Taken)]
    for _, start, _ in taken:
        minute = [name for name, at_ms, _ in taken if start <= at_ms < start + MINUTE_MS]
        assert len(minute) <= 6
        assert all(minute.count(name) <= 2 for name in ("eve",))
        assert sum(name in ("ann", "bob") for name in minute) <= 3


@pytest.mark.parametrize("count", [1, 2, 10, 100])
def test_exactly_n_of_a_burst_are_admitted(count: int) -> None:
    windows, limits = EndpointWindows("e"), [limit("endpoint", calls=count)]
    decided = [admit(windows, offset, ("ann", 5_000 + offset, 0), limits) for offset in range(count + 3)]
    assert [isinstance(one, Taken) for one in decided] == [True] * count + [False] * 3


def test_a_refused_call_takes_nothing_from_any_window() -> None:
    windows, limits = EndpointWindows("e"), [limit("endpoint", calls=2), limit("user", calls=1)]
    assert isinstance(admit(windows, 0, ("ann", 0, 0), limits), Taken)
    assert isinstance(admit(windows, 1, ("ann", 0, 0), limits), Refusal)
    assert isinstance(admit(windows, 2, ("bob", 0, 0), limits), Taken)
    assert isinstance(admit(windows, 3, ("eve", 0, 0), limits), Refusal)


def test_a_group_limit_is_one_bucket_for_its_members() -> None:
    windows, limits = EndpointWindows("e"), [limit("user_group", "red", calls=2)]
    decided = [admit(windows, offset, (name, 0, 0), limits) for offset, name in enumerate(("ann", "bob", "ann"))]
    assert [isinstance(one, Taken) for one in decided] == [True, True, False]


def test_the_refusal_names_whose_limit_it_was() -> None:
    refusal = admit(EndpointWindows("e"), 0, ("ann", 0, 0), [limit("user", calls=0)])
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error_code, refusal.name) == (429, "REQUEST_LIMIT_EXCEEDED", "rate_limited")
    assert "user" in refusal.message


def test_a_token_reservation_is_replaced_by_what_was_used() -> None:
    windows, limits = EndpointWindows("e"), [limit("endpoint", tokens=100)]
    taken = admit(windows, 0, ("ann", 1_000, 90), limits)
    assert taken == Taken((Booking("endpoint|tokens", 1, 90),))
    assert isinstance(admit(windows, 1, ("bob", 2_000, 20), limits), Refusal)
    windows.settle(taken.bookings, 30)
    assert isinstance(admit(windows, 2, ("bob", 3_000, 70), limits), Taken)
    assert isinstance(admit(windows, 3, ("bob", 4_000, 1), limits), Refusal)


def test_what_was_used_beyond_the_reservation_counts() -> None:
    windows, limits = EndpointWindows("e"), [limit("endpoint", tokens=100)]
    taken = admit(windows, 0, ("ann", 0, 10), limits)
    assert isinstance(taken, Taken)
    windows.settle(taken.bookings, 150)
    assert isinstance(admit(windows, 1, ("bob", 59_000, 1), limits), Refusal)
    assert isinstance(admit(windows, 2, ("bob", 61_000, 1), limits), Taken)


def test_a_request_refused_for_another_reason_is_refused_in_the_replay_and_counts_nothing() -> None:
    limits = [limit("endpoint", calls=5)]
    windows = EndpointWindows("e")
    admit(windows, 0, ("ann", 0, 0), limits)
    windows.refuse(1)
    again = EndpointWindows("e", windows.snapshot(0, 1, 0))
    assert isinstance(admit(again, 0, ("ann", 0, 0), limits), Taken)
    assert isinstance(admit(again, 1, ("ann", 0, 0), limits), Refusal)
    assert again.rings["endpoint|calls"].total == 1


def test_refused_offsets_are_kept_until_they_are_committed() -> None:
    windows = EndpointWindows("e")
    for offset in range(3):
        windows.refuse(offset)
    assert windows.snapshot(0, 2, committed=1).refused == (1, 2)
    assert windows.snapshot(0, 2, committed=3).refused == ()


def test_a_snapshot_never_claims_less_than_the_one_it_came_from() -> None:
    first = EndpointWindows("e")
    admit(first, 10, ("ann", 0, 0), LIMITS)
    again = EndpointWindows("e", first.snapshot(0, 10, 0))
    admit(again, 7, ("ann", 0, 0), LIMITS)
    assert again.snapshot(0, 7, 0).offset == 10


def test_windows_that_have_run_empty_leave_the_memory() -> None:
    windows = EndpointWindows("e")
    admit(windows, 0, ("ann", 0, 0), LIMITS)
    admit(windows, 1, ("bob", 100_000, 0), LIMITS)
    assert set(contents(windows)) == {"endpoint|calls", "group:red|calls"}
    assert list(contents(windows).values()) == [[(100, 1)], [(100, 1)]]
