"""A configuration of the size of a company: views start quickly and answer as fast as small ones."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaProducer

from contract import codec
from contract.endpoint import Endpoint
from contract.state import Group, Principal, Token, View, group
from contract.topics import MESSAGE_BYTES, STATE
from ingress.views import StateReader
from launcher.broker import Broker
from launcher.java import Java
from processors.views import Followed, Follower
from tests.support.provider import ScriptedProvider
from tests.support.services import Services

USERS, ENDPOINTS, TOKENS, GROUPS = 10_000, 1_000, 100_000, 500
VIEW_S = 5.0
EVERYBODY_S = 1.0  # to find all groups of everybody anew, as after a change of any group; a query asks for one of them


def _resources() -> Iterator[tuple[str, bytes]]:
    names = [f"user{n}@example.com" for n in range(USERS)]
    for n, name in enumerate(names):
        yield f"principal/{name}", codec.encode(Principal(id=str(n), name=name, display_name=name))
    for n in range(GROUPS):
        members = tuple(names[n * 20 : n * 20 + 40])
        yield f"group/g{n}", codec.encode(Group(id=f"g{n}", name=f"g{n}", members=members))
    every = tuple(group(f"g{n}") for n in range(GROUPS))
    yield "group/staff", codec.encode(Group(id="staff", name="staff", members=every))
    yield "group/company", codec.encode(Group(id="company", name="company", members=(group("staff"),)))
    for n in range(ENDPOINTS):
        endpoint = Endpoint(
            id=f"{n:032x}",
            name=f"endpoint-{n}",
            creator=names[n],
            creator_display_name=names[n],
            created_at_ms=1,
            updated_at_ms=1,
        )
        yield f"endpoint/endpoint-{n}", codec.encode(endpoint)
    for n in range(TOKENS):
        token = Token(token_id=str(n), hash=f"{n:064x}", owner=names[n % USERS], created_at_ms=1)
        yield f"token/{token.hash}", codec.encode(token)


async def _fill(brokers: str) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, linger_ms=20, max_batch_size=1 << 20, max_request_size=MESSAGE_BYTES
    )
    async with producer:
        deliveries = [await producer.send(STATE.name, value, key=key.encode()) for key, value in _resources()]
        await asyncio.gather(*deliveries)


class Big(NamedTuple):
    """A gateway with a large configuration, and what a query took it when it was small."""

    gateway: Services
    small_ms: float


@pytest.fixture(scope="module")
def big(
    found_java: Java, jars_at: Path, provider: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Big]:
    """On a broker of its own: its configuration would slow the others' tests down."""
    home = tmp_path_factory.mktemp("big")
    with Broker(home / "kafka", found_java, jars_at) as broker, Services(broker.address, home / "data") as gateway:
        gateway.endpoint("among-many", provider.url, "among-many-model")
        small_ms = _median_ms(gateway, "among-many")
        asyncio.run(_fill(broker.address))
        yield Big(gateway, small_ms)


def _median_ms(gateway: Services, endpoint: str) -> float:
    took = []
    for _ in range(40):
        started = time.monotonic()
        assert gateway.ask(endpoint).status_code == 200
        took.append((time.monotonic() - started) * 1000)
    return statistics.median(took)


async def test_both_views_of_a_large_configuration_are_there_in_under_five_seconds(big: Big) -> None:
    reader = StateReader(big.gateway.brokers, "scale")
    started = time.monotonic()
    reading = asyncio.create_task(reader.run())
    while not reader.ready:
        await asyncio.sleep(0.01)
    assert time.monotonic() - started < VIEW_S
    reading.cancel()
    view = View()
    follower = Follower(big.gateway.brokers, {STATE: Followed(lambda r: view.fold(r.key.decode(), r.value, r.offset))})
    started = time.monotonic()
    await follower.start()
    assert time.monotonic() - started < VIEW_S
    await follower.stop()
    for filled in (reader.view, view):
        assert len(filled.tokens) > TOKENS
        assert len(filled.endpoints) > ENDPOINTS
        assert len(filled.groups_of) > GROUPS
        started = time.monotonic()
        found = [filled.memberships(f"user{n}@example.com") for n in range(USERS)]
        assert time.monotonic() - started < EVERYBODY_S
        assert found[30] == ("g0", "g1", "staff", "company")


def test_a_query_among_many_is_answered_as_fast(big: Big) -> None:
    big.gateway.endpoint("one-more", "http://127.0.0.1:9", "one-more-model")  # the views are past the fill now
    assert _median_ms(big.gateway, "among-many") < 2 * big.small_ms + 5
