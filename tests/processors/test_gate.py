import asyncio
import itertools
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.gate import Bounds, Entry, Gate, Load
from tests.processors.events import Event, Message, lane

BOUNDS = Bounds(requests=1000, size=1000, share=1.0)
WEIGHTLESS = Load("e", 0)
LANE = ("gateway.requests", 0)


class Held:
    """A gate whose tasks end when they are told to."""

    def __init__(self, bounds: Bounds = BOUNDS) -> None:
        self.crashes: list[BaseException] = []
        self.gate = Gate(bounds, self.crashes.append)
        self.ends: list[asyncio.Future[None]] = []

    def start(self, event: Event, load: Load = WEIGHTLESS, **more: Any) -> Entry:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ends.append(end)

        async def finish() -> None:
            await end

        return self.gate.start(event, load, finish(), **more)

    async def end(self, number: int, error: BaseException | None = None) -> None:
        left = self.gate.requests
        if error is None:
            self.ends[number].set_result(None)
        else:
            self.ends[number].set_exception(error)
        while self.gate.requests == left:
            await asyncio.sleep(0)


def head_run(done: set[int]) -> list[int]:
    """What may be acknowledged: every offset before which nothing is missing."""
    return list(itertools.takewhile(lambda offset: offset in done, itertools.count()))


@pytest.mark.parametrize("count", range(1, 6))
async def test_offsets_are_released_in_order_from_the_head_whatever_ends_first(count: int) -> None:
    for order in itertools.permutations(range(count)):
        held, acks = Held(), list[int]()
        for event in lane(count, acks):
            held.start(event)
        done: set[int] = set()
        for number in order:
            await held.end(number)
            done.add(number)
            assert acks == head_run(done)


def covered_run(done: set[int], needy: set[int], covered: int) -> list[int]:
    free = {offset for offset in done if offset not in needy or offset <= covered}
    return head_run(free)


@settings(max_examples=60)
@given(st.data())
def test_with_snapshots_an_offset_goes_when_all_before_are_done_and_covered(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    needy = data.draw(st.sets(st.integers(0, count - 1)))
    steps: list[tuple[str, int]] = [("end", number) for number in data.draw(st.permutations(range(count)))]
    for offset in data.draw(st.lists(st.integers(0, count - 1), max_size=4)):
        steps.insert(data.draw(st.integers(0, len(steps))), ("cover", offset))

    async def play() -> None:
        held, acks = Held(), list[int]()
        for event in lane(count, acks):
            held.start(event, needs_cover=event.message.offset in needy)
        done, covered = set[int](), -1
        for what, number in steps:
            if what == "end":
                await held.end(number)
                done.add(number)
            else:
                held.gate.cover(LANE, number)
                covered = max(covered, number)
            assert acks == covered_run(done, needy, covered)

    asyncio.run(play())


async def test_partitions_do_not_wait_for_each_other() -> None:
    held, slow, fast = Held(), list[int](), list[int]()
    held.start(lane(1, slow, partition=0)[0])
    held.start(lane(1, fast, partition=1)[0])
    await held.end(1)
    assert (slow, fast) == ([], [0])


async def test_a_hand_over_acks_everything_once_and_later_ends_ack_nothing() -> None:
    held, acks = Held(), list[int]()
    held.gate.open_lanes()
    for event in lane(3, acks):
        held.start(event, needs_cover=True, work=event.message.offset)
    await held.end(1)
    entries = held.gate.close_lanes()
    assert not held.gate.open
    assert [(entry.work, entry.done) for entry in entries] == [(0, False), (1, True), (2, False)]
    held.gate.ack_all(entries)
    await held.end(0)
    await held.end(2)
    held.gate.cover(LANE, 10)
    assert acks == [0, 1, 2]
    assert held.gate.requests == 0


async def test_a_delivery_is_waited_for_at_a_hand_over_and_a_request_is_not() -> None:
    held, acks = Held(), list[int]()
    letter, asked = lane(2, acks)
    held.start(letter)
    held.start(asked, work="a request")
    entries = held.gate.close_lanes()
    waits = asyncio.create_task(held.gate.delivered(entries))
    await asyncio.sleep(0)
    assert not waits.done()
    await held.end(0)
    await waits
    held.gate.ack_all(entries)
    assert acks == [0, 1]


async def test_a_delivery_that_fails_at_a_hand_over_keeps_its_offset_and_all_behind_it() -> None:
    held, acks, others = Held(), list[int](), list[int]()
    before, letter, behind = lane(3, acks)
    held.start(before, work="a request")
    held.start(letter)
    held.start(behind, work="a request")
    held.start(lane(1, others, partition=1)[0], work="a request")
    entries = held.gate.close_lanes()
    waits = asyncio.create_task(held.gate.delivered(entries))
    await held.end(1, RuntimeError("no broker"))
    await waits
    held.gate.ack_all(entries)
    assert (acks, others) == ([0], [0])
    assert len(held.crashes) == 1


async def test_a_cover_from_before_a_hand_over_releases_nothing_after_it() -> None:
    held, acks = Held(), list[int]()
    held.gate.cover(LANE, 10)
    held.gate.close_lanes()
    held.start(lane(1, acks)[0], needs_cover=True)
    await held.end(0)
    assert acks == []


async def test_a_task_that_fails_is_not_acked_and_crashes_the_worker() -> None:
    held, acks = Held(), list[int]()
    first, second = lane(2, acks)
    held.start(first)
    held.start(second)
    failure = RuntimeError("broken")
    await held.end(0, failure)
    await held.end(1)
    assert held.crashes == [failure]
    assert acks == []


async def test_a_task_that_is_cancelled_is_not_acked() -> None:
    held, acks = Held(), list[int]()
    held.start(lane(1, acks)[0])
    await asyncio.sleep(0)
    held.ends[0].cancel()
    while held.gate.requests:
        await asyncio.sleep(0)
    assert acks == []
    assert isinstance(held.crashes[0], asyncio.CancelledError)


@pytest.mark.parametrize("load", [Load("e", 1), Load("e", 500)])
async def test_a_full_worker_takes_no_more_until_something_ends(load: Load) -> None:
    held = Held(Bounds(requests=2, size=1000, share=1.0))
    for event in lane(2, []):
        held.start(event, load)
    waiting = asyncio.create_task(held.gate.room())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    await held.end(0)
    await waiting
    await held.end(1)


async def test_bytes_in_flight_fill_a_worker_too() -> None:
    held = Held(Bounds(requests=100, size=10, share=1.0))
    held.start(lane(1, [])[0], Load("e", 10))
    waiting = asyncio.create_task(held.gate.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await held.end(0)
    await waiting


async def test_an_endpoint_may_hold_its_share_of_requests_and_no_more() -> None:
    held = Held(Bounds(requests=8, size=1000, share=0.25))
    for event in lane(2, []):
        assert not held.gate.share_is_full(Load("greedy", 1))
        held.start(event, Load("greedy", 1))
    assert held.gate.share_is_full(Load("greedy", 1))
    assert not held.gate.share_is_full(Load("other", 1))
    await held.end(0)
    assert not held.gate.share_is_full(Load("greedy", 1))
    await held.end(1)


async def test_an_endpoint_may_hold_its_share_of_bytes_and_no_more() -> None:
    held = Held(Bounds(requests=100, size=400, share=0.25))
    held.start(lane(1, [])[0], Load("greedy", 60))
    assert held.gate.share_is_full(Load("greedy", 41))
    assert not held.gate.share_is_full(Load("greedy", 40))
    await held.end(0)


async def test_draining_says_whether_all_tasks_have_ended() -> None:
    held = Held()
    held.start(lane(1, [])[0])
    assert not await held.gate.drained(0)
    held.ends[0].set_result(None)
    assert await held.gate.drained(5)


async def _lines_for(count: int) -> int:
    """Lines of the gate that run while `count` events end, the head last."""
    held = Held(Bounds(requests=10_000, size=1000, share=1.0))
    for offset in range(count):
        held.start(Event(Message(offset=offset)))
    await asyncio.sleep(0)
    lines = 0

    def trace(frame: FrameType, what: str, _: Any) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.endswith("gate.py"):
            return None
        lines += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for end in reversed(held.ends):
            end.set_result(None)
        while held.gate.requests:
            await asyncio.sleep(0)
    finally:
        sys.settrace(before)
    return lines


async def test_an_end_costs_the_same_however_many_are_in_flight() -> None:
    few, many = await _lines_for(50), await _lines_for(500)
    assert many < few * 11
