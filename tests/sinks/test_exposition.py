"""`/metrics` over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import pytest

from sinks import exposition

T = TypeVar("T")


def ask(path: str, text: Callable[[], bytes] = lambda: b"headgate_up 1\n") -> tuple[int, str, bytes]:
    async def asked(port: int) -> tuple[int, str, bytes]:
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.headers["content-type"], await answer.read()

    return served(text, asked)


def served(text: Callable[[], bytes], use: Callable[[int], Awaitable[T]]) -> T:
    async def run() -> T:
        async with exposition.serving(text, "127.0.0.1", 0) as port:
            return await use(port)

    return asyncio.run(run())


def test_metrics_are_served_as_prometheus_text() -> None:
    assert ask("/metrics") == (200, "text/plain; version=0.0.4; charset=utf-8", b"headgate_up 1\n")


def test_nothing_else_is_served() -> None:
    assert ask("/")[0] == 404
    assert ask("/debug")[0] == 404


def test_a_taken_port_is_an_os_error() -> None:
    async def second(port: int) -> None:
        async with exposition.serving(lambda: b"", "127.0.0.1", port):
            raise AssertionError("two listeners on one port")

    with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        served(lambda: b"", second)


def test_the_port_is_free_again_afterwards() -> None:
    async def twice() -> tuple[int, int]:
        async with exposition.serving(lambda: b"", "127.0.0.1", 0) as first:
            pass
        async with exposition.serving(lambda: b"", "127.0.0.1", first) as second:
            return first, second

    first, second = asyncio.run(twice())
    assert first == second
