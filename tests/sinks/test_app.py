"""The wiring of the sinks' process."""

import asyncio
from pathlib import Path

import pytest

from contract import topics
from sinks import app
from sinks.dead_letters import Files, last
from sinks.metrics import Metrics
from sinks.settings import Settings
from tests.sinks.rows import buried, log_record


def test_ready_is_said_once_and_only_when_all_have_started() -> None:
    said: list[str] = []
    started = app.when_all(["log", "letters"], lambda: said.append("ready"))
    started("log")()
    started("log")()
    assert said == []
    started("letters")()
    started("letters")()
    assert said == ["ready"]


async def test_what_does_not_end_after_stop_is_cancelled() -> None:
    stop = asyncio.Event()
    stop.set()
    async with app.stopping(stop, grace_s=0.01):
        await asyncio.Event().wait()


async def test_what_ends_by_itself_is_left_alone() -> None:
    async with app.stopping(asyncio.Event(), grace_s=0):
        await asyncio.sleep(0)


async def test_an_error_inside_is_not_hidden_by_the_stop() -> None:
    with pytest.raises(ValueError, match="inside"):
        async with app.stopping(asyncio.Event(), grace_s=0):
            raise ValueError("inside")


async def test_the_log_is_committed_before_it_is_counted_and_letters_after_they_are_kept(tmp_path: Path) -> None:
    metrics = Metrics()
    log, letters = app.feeds(metrics, Files(tmp_path))
    assert (log.topic, log.commit) == (topics.LOG.name, "before")
    assert (letters.topic, letters.commit) == (topics.DEAD_LETTERS.name, "after")
    await log.take([log_record()])
    await letters.take([buried(1)])
    await letters.take([buried(1)])
    assert metrics.registry.get_sample_value("headgate_requests_total", {"endpoint": "chat", "status": "200"}) == 1
    labels = {"topic": "gateway.requests", "reason": "not JSON"}
    assert metrics.registry.get_sample_value("headgate_dead_letters_total", labels) == 1
    assert [one.letter_offset for one in last(tmp_path, 9)] == [1]


def test_metrics_are_served_on_loopback_unless_told_otherwise() -> None:
    settings = Settings.from_env({})
    assert (settings.metrics_host, settings.metrics_port) == ("127.0.0.1", 9464)
    assert settings.dead_letters == Path(".headgate/dead_letters")


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_env({"HEADGATE_BROKERS": "k:1", "HEADGATE_DATA": "/d", "HEADGATE_METRICS_PORT": "1"})
    assert (settings.brokers, settings.data, settings.metrics_port) == ("k:1", Path("/d"), 1)
