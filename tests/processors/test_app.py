from collections.abc import AsyncIterator

import pytest

from contract import codec
from contract.records import Cancelled
from processors import app
from processors.agents.case import Case
from processors.app import Worker
from processors.settings import Settings
from tests.processors.agents.world import endpoint, request
from tests.processors.events import Event, Message


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """A worker that is wired and not started."""
    made = Worker(Settings(brokers="127.0.0.1:1"))
    yield made
    await made.follower.stop()


def cancelled(request_id: str) -> bytes:
    return codec.encode(Cancelled(request_id=request_id))


async def test_a_hang_up_reaches_the_request_it_is_for(worker: Worker) -> None:
    case = worker.cases["r1"] = Case(request(), endpoint(), None)
    worker.hang_up(cancelled("r1"))
    assert case.gone
    assert worker.hung_up == {}


async def test_a_hang_up_before_its_request_is_remembered_within_bounds(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "REMEMBERED_HANG_UPS", 2)
    for name in ("r1", "r2", "r3"):
        worker.hang_up(cancelled(name))
    assert list(worker.hung_up) == ["r2", "r3"]


async def test_what_is_no_hang_up_is_left_out(worker: Worker) -> None:
    worker.hang_up(b"no record")
    worker.hang_up(None)
    assert worker.hung_up == {}


async def test_a_crash_stops_the_worker_with_a_failure(worker: Worker) -> None:
    worker.crash(RuntimeError("lost"))
    assert worker.failed
    assert worker.stopping.is_set()


async def test_an_event_is_fresh_while_its_generation_owns_the_partitions(worker: Worker) -> None:
    now = worker.app.consumer_generation_id
    event = Event(Message(offset=0, generation_id=now))
    assert not worker.fresh(event), "no partition has been assigned yet"
    worker.gate.open_lanes()
    assert worker.fresh(event)
    assert not worker.fresh(Event(Message(offset=0, generation_id=now + 1)))
