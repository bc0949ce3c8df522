"""Health and discovery: no token, no broker; ready means every part is."""

from pathlib import Path

import pytest

from ingress.settings import Settings
from tests.ingress.world import World


async def test_discovery_needs_neither_token_nor_broker_and_holds_what_the_sdk_takes() -> None:
    world = World(Settings(workspace_id="42"))
    world.up = world.state.ready = world.state.reachable = False
    answer = await world.call("GET", "/.well-known/databricks-config", token=None)
    assert answer.status_code == 200
    assert answer.json() == {"workspace_id": "42", "account_id": Settings().account_id, "cloud": "aws"}


async def test_all_ready_is_200() -> None:
    answer = await World().call("GET", "/healthz", token=None)
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


async def test_an_own_part_that_is_not_ready_is_503_and_named() -> None:
    world = World()
    world.own = {"bus": True, "state": False}
    answer = await world.call("GET", "/healthz", token=None)
    assert answer.status_code == 503 and answer.json()["ingress"] == {"bus": "ready", "state": "starting"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"broker":"ready","ingress":"starting"}', 200),
        ('{"broker":"ready","worker-0":"restarting"}', 503),
        ("{", 503),
        (None, 503),
    ],
)
async def test_the_other_parts_count_as_the_launcher_says(tmp_path: Path, text: str | None, status: int) -> None:
    file = tmp_path / "status.json"
    if text is not None:
        file.write_text(text)
    answer = await World(Settings(status_file=file)).call("GET", "/healthz", token=None)
    assert answer.status_code == status and answer.json()["parts"]["ingress"] == "ready"
