"""Bodies: read whole or refused, and whatever happens nothing stays booked."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from contract.refusals import Refusal
from ingress import edge
from ingress.edge import Bodies
from ingress.waiting import Budget

CHUNKED = [(b"transfer-encoding", b"chunked")]


def sized(size: int) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % size)]


async def read(bodies: Bodies, headers: list[tuple[bytes, bytes]], chunks: Iterable[bytes | None]) -> bytes | Refusal:
    """`None` among the chunks: the caller hangs up."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        chunk = left.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    return await bodies.read({"headers": headers}, receive)


@pytest.mark.parametrize("headers", [sized(6), CHUNKED])
async def test_a_body_comes_whole_however_it_is_cut(headers: list[tuple[bytes, bytes]]) -> None:
    budget = Budget(100)
    bodies = Bodies(10, budget)
    body = await read(bodies, headers, [b"ab", b"", b"cd", b"ef"])
    assert body == b"abcdef" and budget.taken == 6
    bodies.release(body)
    assert budget.taken == 0


async def test_a_declared_length_over_the_limit_is_413_before_anything_is_read() -> None:
    budget = Budget(100)
    found = await read(Bodies(10, budget), sized(11), [])
    assert isinstance(found, Refusal) and found.status == 413 and budget.taken == 0


@pytest.mark.parametrize("declared", [b"six", "²".encode("latin-1"), b"-1", b""])
async def test_a_declared_length_that_is_no_number_declares_nothing(declared: bytes) -> None:
    budget = Budget(100)
    assert await read(Bodies(10, budget), [(b"content-length", declared)], [b"abcdef"]) == b"abcdef"


async def test_chunks_over_the_limit_are_413_as_soon_as_they_are() -> None:
    budget = Budget(100)
    found = await read(Bodies(10, budget), CHUNKED, [b"x" * 6, b"x" * 6, b"never read"])
    assert isinstance(found, Refusal) and found.status == 413 and budget.taken == 0


async def test_what_may_become_too_much_together_is_503() -> None:
    budget = Budget(15)
    bodies = Bodies(10, budget)
    assert await read(bodies, sized(6), [b"abcdef"]) == b"abcdef"
    found = await read(bodies, CHUNKED, [b"x"])
    assert isinstance(found, Refusal) and found.status == 503 and budget.taken == 6


async def test_a_caller_who_hangs_up_leaves_nothing_booked() -> None:
    budget = Budget(100)
    found = await read(Bodies(10, budget), sized(6), [b"ab", None])
    assert isinstance(found, Refusal) and found.name == "caller_gone" and budget.taken == 0


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.01)
    budget = Budget(100)

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    found = await Bodies(10, budget).read({"headers": sized(6)}, never)
    assert isinstance(found, Refusal) and found.status == 400 and budget.taken == 0


async def test_a_cancelled_read_leaves_nothing_booked() -> None:
    budget = Budget(100)

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    reading = asyncio.create_task(Bodies(10, budget).read({"headers": sized(6)}, never))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert budget.taken == 0
