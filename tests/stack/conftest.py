"""What modules share: gateways on the one broker, a provider and judges that do what they are told."""

from collections.abc import Callable, Iterator

import pytest
from databricks.sdk import WorkspaceClient

from launcher.broker import Broker
from tests.support.guard import ScriptedGuard
from tests.support.people import connected
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


@pytest.fixture(scope="module")
def guard() -> Iterator[ScriptedGuard]:
    """A model that judges as the text says."""
    with ScriptedGuard() as running:
        yield running


@pytest.fixture(scope="module")
def judged(broker: Broker, guard: ScriptedGuard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A gateway with every judge."""
    settings = {
        "HEADGATE_GUARD_URL": guard.url,
        "HEADGATE_GUARD_MODEL": "llama-guard",
        "HEADGATE_GUARD_KIND": "llama-guard-3",
        "HEADGATE_GUARD_KEY": "sk-guard",
        "HEADGATE_GUARD_SECONDS": "1",
        "HEADGATE_TOPICS_URL": guard.url,
        "HEADGATE_TOPICS_MODEL": "topics",
        "HEADGATE_INJECTION_URL": guard.url,
        "HEADGATE_INJECTION_MODEL": "prompt-guard",
        "HEADGATE_INJECTION_KIND": "classify",
        "HEADGATE_INJECTION_KEY": "sk-injection",
    }
    with Services(broker.address, tmp_path_factory.mktemp("judged"), workers=1, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def admin(gateway: Services) -> WorkspaceClient:
    """The module's gateway, as Databricks' SDK reaches it."""
    return connected(gateway, gateway.token)


@pytest.fixture(autouse=True)
def spoken(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Put what a test says it speaks (tests/support/compatibility.py) into the report."""
    for client, route in getattr(request.function, "spoken", ()):
        record_property("spoken", f"{client} | {route}")
