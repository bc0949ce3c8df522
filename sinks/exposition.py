"""All of aiohttp in this house: `/metrics` over HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serving(text: Callable[[], bytes], host: str, port: int) -> AsyncIterator[int]:
    """Serve `text()` while the block runs; yields the port, which the system chooses for 0.

    OSError when the port is taken.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=text(), headers={"content-type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
