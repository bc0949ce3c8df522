"""The process itself, on a real broker: what it counts, keeps, and does when it is killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contract import topics
from launcher import broker, jars, java
from launcher.obstacle import Obstacle
from launcher.settings import REPOSITORY, Settings
from sinks.dead_letters import last
from tests.sinks.rows import Row, buried, log_record

TOPICS = (topics.LOG, topics.DEAD_LETTERS, topics.REQUESTS)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("broker")
    settings = Settings.from_env(str(home))
    try:
        found = java.find(settings.environ, home / "java")
        if missing := jars.missing(settings.jars, jars.locked()):
            raise Obstacle(f"{len(missing)} jars are not here: run `make setup`.")
    except Obstacle as why:
        pytest.skip(str(why))
    with broker.Broker(home / "kafka", found, settings.jars) as running:
        asyncio.run(create(running.address))
        yield running.address


async def create(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(one.name, one.partitions, 1) for one in TOPICS])
    finally:
        await admin.close()


async def publish(address: str, *records: Row) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for one in records:
            await producer.send_and_wait(one.topic, one.value, one.key, headers=list(one.headers))


class Sinks:
    """A running `python -m sinks.app`."""

    def __init__(self, address: str, data: Path) -> None:
        self.log = data / "sinks.log"
        environ = {"HEADGATE_BROKERS": address, "HEADGATE_DATA": str(data), "HEADGATE_METRICS_PORT": "0"}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinks.app"], cwd=REPOSITORY, env=os.environ | environ, stderr=out
            )
        until(lambda: self.event("ready") is not None)
        self.port = (self.event("ready") or {})["port"]

    def event(self, name: str) -> dict[str, object] | None:
        lines = (msgspec.json.decode(line) for line in self.log.read_bytes().splitlines() if line.endswith(b"}"))
        return next((line for line in lines if line["event"] == name), None)

    def metric(self, sample: str) -> float | None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), None)


@contextmanager
def running(address: str, data: Path) -> Iterator[Sinks]:
    data.mkdir(exist_ok=True)
    sinks = Sinks(address, data)
    try:
        yield sinks
    finally:
        sinks.process.terminate()
        sinks.process.wait(timeout=20)


def until(holds: Callable[[], bool], within_s: float = 30) -> None:
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up, "it did not come true"
        time.sleep(0.05)


def test_a_killed_process_counts_no_row_twice_and_loses_no_letter(brokers: str, tmp_path: Path) -> None:
    answered = 'headgate_requests_total{endpoint="chat",status="200"}'
    laid_aside = 'headgate_dead_letters_total{reason="not JSON",topic="gateway.requests"}'
    with running(brokers, tmp_path) as first:
        asyncio.run(publish(brokers, *[log_record(request_id=str(n)) for n in range(20)], buried(0, b"one")))
        until(lambda: first.metric(answered) == 20 and first.metric(laid_aside) == 1)
        first.process.kill()
    asyncio.run(publish(brokers, log_record(request_id="later"), buried(0, b"two")))
    with running(brokers, tmp_path) as second:
        until(lambda: second.metric(answered) is not None and len(last(tmp_path / "dead_letters", 9)) == 2)
        assert second.metric(answered) == 1
        assert [one.content for one in last(tmp_path / "dead_letters", 9)] == [b"one", b"two"]
        lag = 'headgate_consumer_lag_records{group="headgate-metrics",partition="%d",topic="gateway.log"}'
        until(lambda: all(second.metric(lag % n) == 0 for n in range(topics.LOG.partitions)))


def test_the_lag_of_a_group_that_never_committed_is_all_there_is(brokers: str, tmp_path: Path) -> None:
    asyncio.run(publish(brokers, *[Row(topic=topics.REQUESTS.name, key=b"same") for _ in range(3)]))
    sample = 'headgate_consumer_lag_records{group="headgate-workers",partition="%d",topic="gateway.requests"}'
    with running(brokers, tmp_path) as sinks:
        until(lambda: sinks.metric(sample % 0) is not None)
        assert sorted(sinks.metric(sample % n) or 0 for n in range(8)) == [0] * 7 + [3]


def test_sigterm_ends_it_in_order(brokers: str, tmp_path: Path) -> None:
    with running(brokers, tmp_path) as sinks:
        sinks.process.send_signal(signal.SIGTERM)
        assert sinks.process.wait(timeout=15) == 0
        assert sinks.event("stopped late") is None


def test_it_outlives_a_broker_that_is_not_there_yet(tmp_path: Path) -> None:
    environ = {"HEADGATE_BROKERS": "127.0.0.1:1", "HEADGATE_DATA": str(tmp_path), "HEADGATE_METRICS_PORT": "0"}
    log = tmp_path / "sinks.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sinks.app"], cwd=REPOSITORY, env=os.environ | environ, stderr=out
        )
    try:
        until(lambda: b"feed interrupted" in log.read_bytes())
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.wait()
    assert b'"event":"ready"' not in log.read_bytes()


def test_a_taken_metrics_port_is_one_clear_line_and_exit_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environ = {"HEADGATE_METRICS_PORT": port, "HEADGATE_DATA": str(tmp_path), "HEADGATE_BROKERS": "127.0.0.1:1"}
        ran = subprocess.run(
            [sys.executable, "-m", "sinks.app"],
            cwd=REPOSITORY,
            env=os.environ | environ,
            capture_output=True,
            timeout=30,
        )
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert b"address already in use" in line
