"""Metrics of one endpoint: its samples with their families' comments, nobody else's."""

import asyncio

from ingress.scrape import metrics_text, of_endpoint

TEXT = """# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{endpoint="a",status="200"} 3
calls_total{endpoint="ab",status="200"} 4
# HELP other Other.
# TYPE other gauge
other 1
# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{endpoint="a",le="1"} 2
seconds_bucket{le="1",endpoint="b"} 2
"""


def test_only_the_endpoints_samples_stay_with_their_comments() -> None:
    assert of_endpoint(TEXT, "a").splitlines() == [
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{endpoint="a",status="200"} 3',
        "# HELP seconds Time.",
        "# TYPE seconds histogram",
        'seconds_bucket{endpoint="a",le="1"} 2',
    ]


def test_an_endpoint_without_samples_has_none() -> None:
    assert of_endpoint(TEXT, "nope") == ""


async def served(answer: bytes) -> str | None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        return await metrics_text(server.sockets[0].getsockname()[1])


async def test_metrics_are_fetched_and_an_error_is_none() -> None:
    assert await served(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nx 1\n") == "x 1\n"
    assert await served(b"HTTP/1.0 500 No\r\n\r\nx 1\n") is None


async def test_nobody_there_is_none() -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert await metrics_text(port) is None
