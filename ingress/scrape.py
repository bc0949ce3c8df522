"""Metrics as the sinks show them, and the part that belongs to one endpoint."""

import asyncio
import re
from collections.abc import Iterator

SECONDS = 2.0
COMMENT = re.compile(r"# (?:HELP|TYPE) (\S+)")


async def metrics_text(port: int, host: str = "127.0.0.1") -> str | None:
    """What `host:port/metrics` says; None when nobody answers in time."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _get(host, port)
    except (OSError, TimeoutError):
        return None


async def _get(host: str, port: int) -> str | None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        # HTTP/1.0: the answer comes in one piece and ends with the connection
        writer.write(f"GET /metrics HTTP/1.0\r\nHost: {host}\r\nAccept: text/plain\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return body.decode() if b" 200 " in head.split(b"\r\n", 1)[0] else None


def of_endpoint(text: str, endpoint: str) -> str:
    """The samples labelled with `endpoint`, each family after its comments.

    >>> of_endpoint('# TYPE n counter\\nn{endpoint="a"} 1\\nn{endpoint="b"} 2\\n', "b")
    '# TYPE n counter\\nn{endpoint="b"} 2\\n'
    """
    return "".join(f"{line}\n" for line in _lines(text.splitlines(), f'endpoint="{endpoint}"'))


def _lines(lines: list[str], label: str) -> Iterator[str]:
    comments: list[str] = []
    family = ""
    for line in lines:
        comment = COMMENT.match(line)
        if comment:
            if comment[1] != family:
                comments, family = [], comment[1]
            comments.append(line)
        elif label in line:
            yield from comments
            comments = []
            yield line
