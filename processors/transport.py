"""All aiohttp of this house: an `HttpCall` out, an `HttpAnswer` or a stream of event data back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp

from processors.providers.base import HttpAnswer, HttpCall, ProviderUnreachable
from processors.providers.sse import Events, TooLong

ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_S = 10.0
IDLE_S = 15.0


class StreamAnswer(NamedTuple):
    """A stream that has begun: every event's data, in order. ProviderUnreachable when it breaks."""

    events: AsyncIterator[bytes]


class Transport:
    """Provider calls over one connection pool. No redirects: a provider must not pick our next address."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=1 << 18
            )
        return self._session

    async def call(self, call: HttpCall) -> HttpAnswer:
        """The whole answer, whatever its status."""
        async with self._response(call) as response:
            return HttpAnswer(status=response.status, body=await _whole(response))

    @asynccontextmanager
    async def stream(self, call: HttpCall) -> AsyncIterator[HttpAnswer | StreamAnswer]:
        """A stream of events when the provider starts one, else its whole answer."""
        async with self._response(call) as response:
            if response.status == 200 and response.content_type == "text/event-stream":
                yield StreamAnswer(_events(response))
            else:
                yield HttpAnswer(status=response.status, body=await _whole(response))

    @asynccontextmanager
    async def _response(self, call: HttpCall) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            response = await self._open_session().post(
                call.url, data=call.body, headers=call.headers, allow_redirects=False
            )
        except aiohttp.ClientError as error:
            raise ProviderUnreachable(type(error).__name__) from error
        except OSError as error:
            raise ProviderUnreachable("connection lost") from error
        except ValueError as error:
            raise ProviderUnreachable("the address or a header of the provider is not valid") from error
        async with response:  # outside the `try`: what the caller's block raises is not the provider's doing
            yield response

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    try:
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > ANSWER_BYTES:
                raise ProviderUnreachable("answer too large")
    except (aiohttp.ClientError, OSError) as error:
        raise ProviderUnreachable("the answer broke off") from error
    return bytes(body)


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    events = Events()
    try:
        async for piece in response.content.iter_any():
            for data in events.feed(piece):
                yield data
    except TooLong as error:
        raise ProviderUnreachable("an event is too large") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ProviderUnreachable("the stream broke off") from error
    for data in events.rest():
        yield data
