"""Waiting: every caller gets its own answer, once, in order, or is told why not."""

import asyncio
import base64
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.records import Reply, ReplyChunk, ReplyFinished, ReplyStarted
from ingress import sealing
from ingress.waiting import Budget, Piece, Silence, Stream, Waiter, Waiters
from processors.sealing import Transit
from tests.ingress.world import until

NULL = msgspec.Raw(b"null")
KEY = b"k" * 32
R = TypeVar("R", bound=Reply)


def started(attempt: str = "a", request_id: str = "r") -> ReplyStarted:
    return ReplyStarted(request_id=request_id, boot_id="b", attempt=attempt, data="0")


def chunk(seq: int, attempt: str = "a", data: str | None = None) -> ReplyChunk:
    return ReplyChunk(request_id="r", boot_id="b", attempt=attempt, seq=seq, data=str(seq) if data is None else data)


def finished(seq: int = 0, attempt: str = "a", **more: object) -> ReplyFinished:
    fields = {"request_id": "r", "boot_id": "b", "status": 200, "data": "end", "body": NULL}
    return ReplyFinished(**fields | {"seq": seq, "attempt": attempt} | more)  # type: ignore[arg-type]


def waiters(limit: int = 10, stream_bytes: int = 100) -> tuple[Waiters, list[str]]:
    cancelled: list[str] = []
    room = Waiters(
        boot_id="b",
        limit=limit,
        stream_bytes=stream_bytes,
        cancel=cancelled.append,
        opened=lambda reply: sealing.reply_opened(reply, KEY),
    )
    return room, cancelled


async def test_a_reply_wakes_who_waits_for_it_and_nobody_else() -> None:
    room, _ = waiters()
    mine, other = room.open("r"), room.open("other")
    assert mine and other
    room.deliver(finished())
    assert isinstance(await mine.take(1), ReplyFinished)
    assert await other.take(0) is Silence.LATE


async def test_a_reply_that_comes_while_one_waits_is_taken_at_once() -> None:
    room, _ = waiters()
    waiter = room.open("r")
    assert waiter
    taking = asyncio.create_task(waiter.take(60))
    await asyncio.sleep(0)
    room.deliver(finished())
    assert isinstance(await taking, ReplyFinished)


async def test_the_first_end_wins_and_later_ones_are_dropped() -> None:
    waiter = Waiter("r", 100)
    assert waiter.offer(finished(attempt="a"))
    assert waiter.offer(finished(attempt="b"))
    first = await waiter.take(1)
    assert isinstance(first, ReplyFinished) and first.attempt == "a"
    assert await waiter.take(0) is Silence.LATE


@pytest.mark.parametrize("reply", [finished(boot_id="before"), finished(request_id="nobody")])
async def test_replies_of_other_boots_and_of_nobody_are_dropped(reply: Reply) -> None:
    room, _ = waiters()
    waiter = room.open("r")
    assert waiter
    room.deliver(reply)
    assert await waiter.take(0) is Silence.LATE


def sealed(reply: R) -> R:
    return Transit(base64.b64encode(KEY).decode()).reply(reply)


async def test_what_came_sealed_is_taken_as_the_worker_meant_it() -> None:
    replies: list[Reply] = [started(), chunk(1), finished(2)]
    room, cancelled = waiters()
    waiter = room.open("r")
    assert waiter
    for reply in replies:
        room.deliver(sealed(reply))
    assert [await waiter.take(0) for _ in replies] == replies
    whole = finished(0, "", data="", body=msgspec.Raw(b'{"a":1}'))
    other = room.open("r")
    assert other
    room.deliver(sealed(whole))
    assert await other.take(0) == whole and cancelled == []


@pytest.mark.parametrize("change", [{"seq": 2}, {"attempt": "b"}, {"sealed": b"ABC"}, {"sealed": b"?" * 40}])
async def test_a_reply_that_cannot_be_opened_is_a_500_that_says_so_and_ends_the_call(change: dict[str, Any]) -> None:
    room, cancelled = waiters()
    waiter = room.open("r")
    assert waiter
    room.deliver(msgspec.structs.replace(sealed(finished(1)), **change))
    reply = await waiter.take(0)
    assert isinstance(reply, ReplyFinished) and reply.status == 500 and b"master keys" in bytes(reply.body)
    assert cancelled == ["r"] and Stream(started()).piece(reply).broken


async def test_what_is_for_others_is_not_even_opened() -> None:
    room, cancelled = waiters()
    room.deliver(finished(sealed=b"ABC"))
    assert cancelled == []


async def test_a_caller_who_has_gone_is_woken() -> None:
    waiter = Waiter("r", 100)
    taking = asyncio.create_task(waiter.take(60))
    await asyncio.sleep(0)
    waiter.hang_up()
    assert await taking is Silence.GONE
    assert await waiter.take(60) is Silence.GONE


def test_places_are_bounded_and_given_back() -> None:
    room, _ = waiters(limit=1)
    first = room.open("1")
    assert first and room.open("2") is None
    room.close(first)
    assert room.open("2") is not None and len(room) == 1


async def test_what_piles_up_for_a_slow_reader_is_dropped_and_the_request_cancelled_once() -> None:
    room, cancelled = waiters(stream_bytes=100)
    waiter = room.open("r")
    assert waiter
    for seq in range(1, 9):
        room.deliver(chunk(seq, data="x" * 30))
    assert cancelled == ["r"]
    assert await waiter.take(0) is Silence.OVERFLOW


async def test_one_piece_may_be_larger_than_what_may_pile_up() -> None:
    waiter = Waiter("r", 100)
    assert waiter.offer(finished(body=msgspec.Raw(b'"' + b"x" * 1000 + b'"')))
    assert isinstance(await waiter.take(1), ReplyFinished)


async def test_a_reader_who_keeps_up_never_overflows() -> None:
    waiter = Waiter("r", 100)
    for seq in range(1, 50):
        assert waiter.offer(chunk(seq, data="x" * 90))
        assert isinstance(await waiter.take(1), ReplyChunk)


async def test_late_is_said_when_the_time_is_over() -> None:
    waiter = Waiter("r", 100)
    taking = asyncio.create_task(waiter.take(0.01))
    await until(taking.done)
    assert taking.result() is Silence.LATE


def test_a_stream_lets_pieces_through_in_order_to_its_end() -> None:
    stream = Stream(started())
    assert [stream.piece(reply) for reply in (chunk(1), chunk(2), finished(3))] == [
        Piece(data="1"),
        Piece(data="2"),
        Piece(data="end", last=True),
    ]


def test_a_stream_drops_what_it_has_seen() -> None:
    stream = Stream(started())
    stream.piece(chunk(1))
    assert [stream.piece(reply) for reply in (started(), chunk(1), chunk(2))] == [Piece(), Piece(), Piece(data="2")]


@pytest.mark.parametrize("reply", [chunk(2), finished(2), finished(0)], ids=["chunk", "late end", "early end"])
def test_a_gap_breaks_a_stream(reply: Reply) -> None:
    assert Stream(started()).piece(reply).broken


@pytest.mark.parametrize("reply", [started("b"), chunk(1, "b"), finished(1, "b"), finished(1, "")])
def test_another_attempt_breaks_a_stream(reply: Reply) -> None:
    assert Stream(started()).piece(reply).broken


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ab")), max_size=12))
def test_whatever_arrives_what_is_let_through_is_a_prefix_of_the_pinned_attempt(
    arrivals: list[tuple[int, str]],
) -> None:
    stream = Stream(started("a"))
    passed = []
    for seq, attempt in arrivals:
        piece = stream.piece(started(attempt) if seq == 0 else chunk(seq, attempt))
        if piece.broken:
            break
        passed.append(piece.data)
    told = [data for data in passed if data]
    assert told == [str(seq) for seq in range(1, len(told) + 1)]


def test_a_budget_is_never_overdrawn_and_comes_back() -> None:
    budget = Budget(10)
    assert budget.take(10) and not budget.take(1)
    budget.give(4)
    assert budget.take(4) and budget.taken == 10
