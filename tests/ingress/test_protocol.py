"""The socket: heads are bounded, everything else is uvicorn's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingress.app import server
from ingress.protocol import HEAD_BYTES
from ingress.settings import Settings
from tests.ingress.world import World, until


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    web = server(World().app, Settings(port=0))
    running = asyncio.create_task(web.serve())
    try:
        async with asyncio.timeout(10):
            await web.listening.wait()
        yield web.servers[0].sockets[0].getsockname()[1]
    finally:
        web.should_exit = True
        await until(running.done, seconds=10)


async def asked(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for at in range(0, len(head), 16 * 1024):
            writer.write(head[at : at + 16 * 1024])
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.readuntil(b"}")
    except (ConnectionError, asyncio.IncompleteReadError):
        return b""
    finally:
        writer.close()


def get(size: int) -> bytes:
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n"
    return head % (b"x" * (size - len(head) + 2))


async def test_a_head_of_reasonable_size_is_answered_and_an_endless_one_is_cut_off() -> None:
    async with listening() as port:
        assert b" 200 " in await asked(port, get(HEAD_BYTES // 2))
        assert await asked(port, get(HEAD_BYTES * 8)) == b""
        assert b" 200 " in await asked(port, get(200))


async def test_one_connection_carries_many_requests_of_any_number_of_bytes_together() -> None:
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(6):
            writer.write(get(HEAD_BYTES // 3))
            await writer.drain()
            async with asyncio.timeout(10):
                assert b" 200 " in await reader.readuntil(b"}}")
        writer.close()
