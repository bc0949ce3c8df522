import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from processors import transport as module
from processors.providers.base import HttpAnswer, HttpCall, ProviderUnreachable
from processors.transport import StreamAnswer, Transport
from tests.support.provider import Hang, Reply, Reset, ScriptedProvider, Step, Stream, Truncated


@pytest.fixture(scope="module")
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport()
    yield made
    await made.close()


def call(provider: ScriptedProvider, *steps: Step, **body: Any) -> HttpCall:
    provider.script("m", *steps)
    data = msgspec.json.encode({"model": "m", "messages": []} | body)
    url = f"{provider.url}/chat/completions"
    return HttpCall(url=url, headers={"content-type": "application/json", "authorization": "Bearer k"}, body=data)


async def read(transport: Transport, http: HttpCall) -> list[bytes] | HttpAnswer:
    async with transport.stream(http) as begun:
        return begun if isinstance(begun, HttpAnswer) else [data async for data in begun.events]


async def test_a_whole_answer_comes_with_its_status(provider: ScriptedProvider, transport: Transport) -> None:
    answer = await transport.call(call(provider, Reply()))
    assert answer.status == 200
    assert msgspec.json.decode(answer.body)["object"] == "chat.completion"
    headers = {name.lower(): value for name, value in provider.requests[-1].headers.items()}
    assert headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_an_error_is_an_answer(provider: ScriptedProvider, transport: Transport, status: int) -> None:
    assert (await transport.call(call(provider, Reply(status=status)))).status == status


@pytest.mark.parametrize("step", [Reset(), Truncated()])
async def test_an_answer_that_does_not_come_whole_is_none(
    provider: ScriptedProvider, transport: Transport, step: Step
) -> None:
    with pytest.raises(ProviderUnreachable):
        await transport.call(call(provider, step))
    with pytest.raises(ProviderUnreachable):
        await read(transport, call(provider, step, stream=True))


async def test_a_refused_connection_is_no_answer_and_tells_no_address(transport: Transport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        http = HttpCall(url=f"http://127.0.0.1:{port}/v1", headers={}, body=b"")
        with pytest.raises(ProviderUnreachable) as raised:
            await transport.call(http)
    assert str(port) not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "headers"), [("no address", {}), ("http://127.0.0.1:1/", {"x": "a\r\nb: c"}), ("ftp://127.0.0.1/", {})]
)
async def test_an_address_or_header_that_is_not_valid_is_no_answer(
    transport: Transport, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(ProviderUnreachable):
        await transport.call(HttpCall(url=url, headers=headers, body=b""))


async def test_a_redirect_is_not_followed(provider: ScriptedProvider, transport: Transport) -> None:
    before = len(provider.requests)
    elsewhere = Reply(status=307, body=b"", headers={"location": f"{provider.url}/elsewhere"})
    assert (await transport.call(call(provider, elsewhere))).status == 307
    assert len(provider.requests) == before + 1


async def test_no_answer_is_larger_than_the_bound(provider: ScriptedProvider, transport: Transport) -> None:
    huge = Reply(body=b"x" * (module.ANSWER_BYTES + 1))
    with pytest.raises(ProviderUnreachable, match="too large"):
        await transport.call(call(provider, huge))
    assert len((await transport.call(call(provider, Reply(body=b"x" * module.ANSWER_BYTES)))).body) == (
        module.ANSWER_BYTES
    )


async def test_the_events_of_a_stream_come_in_order(provider: ScriptedProvider, transport: Transport) -> None:
    events = await read(transport, call(provider, Stream(raw=('{"a":1}', '{"b":2}')), stream=True))
    assert events == [b'{"a":1}', b'{"b":2}', b"[DONE]"]


async def test_a_stream_asked_for_may_be_answered_whole(provider: ScriptedProvider, transport: Transport) -> None:
    answer = await read(transport, call(provider, Reply(status=429), stream=True))
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 429


@pytest.mark.parametrize("ending", ["cut", "reset"])
async def test_a_stream_that_is_cut_is_no_clean_end(
    provider: ScriptedProvider, transport: Transport, ending: Any
) -> None:
    http = call(provider, Stream(raw=('{"a":1}',), ending=ending), stream=True)
    seen: list[bytes] = []
    with pytest.raises(ProviderUnreachable):
        async with transport.stream(http) as begun:
            assert isinstance(begun, StreamAnswer)
            async for data in begun.events:
                seen.append(data)
    assert seen in ([b'{"a":1}'], [])


@pytest.mark.parametrize("step", [Hang(), Stream(raw=('{"a":1}',), ending="hang")])
async def test_a_call_that_is_cancelled_is_cancelled_at_the_provider(
    provider: ScriptedProvider, transport: Transport, step: Step
) -> None:
    hung_up = provider.hung_up
    task = asyncio.create_task(read(transport, call(provider, step, stream=True)))
    async with asyncio.timeout(5):
        while not provider.in_flight:
            await asyncio.sleep(0.005)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        while provider.hung_up == hung_up:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("error", [ValueError("ours"), OSError("ours")])
async def test_what_goes_wrong_on_our_side_of_a_stream_is_not_the_providers_doing(
    provider: ScriptedProvider, transport: Transport, error: Exception
) -> None:
    with pytest.raises(type(error), match="ours"):
        async with transport.stream(call(provider, Reply())):
            raise error


async def test_closing_what_was_never_used_is_fine() -> None:
    await Transport().close()
