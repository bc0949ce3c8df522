import asyncio
from collections.abc import Iterator

import psutil
import pytest

from processors.checking import Checker
from processors.guardrails import check
from processors.guardrails.base import Rules

LONG = ["to bob@example.com " + "word " * (check.INLINE_CHARACTERS // 5)]
MASK = Rules(pii="MASK")


@pytest.fixture
def checker() -> Iterator[Checker]:
    checker = Checker()
    yield checker
    checker.stop()


async def warmed(checker: Checker) -> set[psutil.Process]:
    """Wait for the process that checks long texts; all those that are new since."""
    before = set(psutil.Process().children(recursive=True))
    assert await checker.check(LONG, MASK) == check.apply(LONG, MASK)
    async with asyncio.timeout(60):
        while not checker.ready:
            await asyncio.sleep(0.05)
    return set(psutil.Process().children(recursive=True)) - before


async def test_a_short_text_is_checked_at_once(checker: Checker) -> None:
    verdict = await checker.check(["to bob@example.com"], MASK)
    assert verdict.masked == ("to <EMAIL_ADDRESS>",)
    assert not checker.ready


async def test_a_long_text_has_the_same_verdict_before_and_after_its_process_is_ready(checker: Checker) -> None:
    await warmed(checker)
    assert await checker.check(LONG, MASK) == check.apply(LONG, MASK)


async def test_a_lost_process_loses_no_verdict_and_is_replaced(checker: Checker) -> None:
    for process in await warmed(checker):
        process.kill()
    async with asyncio.timeout(60):
        while checker.ready:  # the pool notices the loss a moment later
            assert await checker.check(LONG, MASK) == check.apply(LONG, MASK)
    await warmed(checker)
    assert await checker.check(LONG, MASK) == check.apply(LONG, MASK)
