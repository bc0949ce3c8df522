"""A gateway with two workers on the shared broker, and a provider that does what it is told."""

from collections.abc import Callable, Iterator

import pytest

from launcher.broker import Broker
from tests.support.provider import ScriptedProvider
from tests.support.services import Services


@pytest.fixture(scope="session")
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Two workers and an ingress; stopped with the module, so that the next one has the consumer group to itself."""
    with Services(broker.address, tmp_path_factory.mktemp("gateway"), workers=2) as running:
        yield running


@pytest.fixture(autouse=True)
def spoken(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Put what a test says it speaks (tests/support/compatibility.py) into the report."""
    for client, route in getattr(request.function, "spoken", ()):
        record_property("spoken", f"{client} | {route}")
