"""The process itself, on a real broker of its own: what it counts, keeps, and does when it is killed."""

import asyncio
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contract import topics
from launcher.broker import Broker
from launcher.java import Java
from sinks.dead_letters import last
from tests.sinks.rows import Row, buried, log_record
from tests.support.services import REPOSITORY, Service, until

TOPICS = (topics.LOG, topics.DEAD_LETTERS, topics.REQUESTS)
WITHIN_S = 30


@pytest.fixture(scope="module")
def brokers(found_java: Java, jars_at: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a broker where nobody else writes: these tests count to the last record."""
    with Broker(tmp_path_factory.mktemp("kafka"), found_java, jars_at) as running:
        asyncio.run(create(running.address))
        yield running.address


async def create(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(one.name, one.partitions, 1) for one in TOPICS])
    finally:
        await admin.close()


def publish(address: str, *records: Row) -> None:
    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=address) as producer:
            for one in records:
                await producer.send_and_wait(one.topic, one.value, one.key, headers=list(one.headers))

    asyncio.run(send())


class Sinks(Service):
    """A running `python -m sinks.app`."""

    def __init__(self, address: str, data: Path, port: int = 0) -> None:
        environ = {"HEADGATE_BROKERS": address, "HEADGATE_DATA": str(data), "HEADGATE_METRICS_PORT": str(port)}
        super().__init__("sinks", "sinks.app", os.environ | environ, data)

    def metric(self, sample: str) -> float | None:
        """A sample's value; None when there is no such sample."""
        (port,) = {event["port"] for event in self.events() if event["event"] == "ready"}
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), None)


@contextmanager
def running(address: str, data: Path) -> Iterator[Sinks]:
    data.mkdir(parents=True, exist_ok=True)
    sinks = Sinks(address, data)
    try:
        sinks.wait_ready()
        yield sinks
    finally:
        if sinks.process.poll() is None:
            sinks.process.terminate()
        sinks.process.wait(timeout=20)


def test_a_killed_process_counts_no_row_twice_and_loses_no_letter(brokers: str, tmp_path: Path) -> None:
    answered = 'headgate_requests_total{endpoint="chat",status="200"}'
    laid_aside = 'headgate_dead_letters_total{reason="not JSON",topic="gateway.requests"}'
    letters = tmp_path / "second" / "dead_letters"
    with running(brokers, tmp_path / "first") as first:
        publish(brokers, *[log_record(request_id=str(n)) for n in range(20)], buried(0, b"one"))
        until(lambda: first.metric(answered) == 20 and first.metric(laid_aside) == 1, WITHIN_S, "all is counted")
        first.kill()
    (tmp_path / "first").rename(tmp_path / "second")
    (tmp_path / "second" / "sinks.log").unlink()
    publish(brokers, log_record(request_id="later"), buried(0, b"two"))
    with running(brokers, tmp_path / "second") as second:
        until(lambda: second.metric(answered) and len(last(letters, 9)) == 2, WITHIN_S, "the later ones have come")
        assert second.metric(answered) == 1
        assert [one.content for one in last(letters, 9)] == [b"one", b"two"]
        lag = 'headgate_consumer_lag_records{group="headgate-metrics",partition="%d",topic="gateway.log"}'
        until(
            lambda: all(second.metric(lag % n) == 0 for n in range(topics.LOG.partitions)), WITHIN_S, "no lag is left"
        )


def test_the_lag_of_a_group_that_never_committed_is_all_there_is(brokers: str, tmp_path: Path) -> None:
    publish(brokers, *[Row(topic=topics.REQUESTS.name, key=b"same") for _ in range(3)])
    sample = 'headgate_consumer_lag_records{group="headgate-workers",partition="%d",topic="gateway.requests"}'
    with running(brokers, tmp_path) as sinks:
        until(lambda: sinks.metric(sample % 0) is not None, WITHIN_S, "the lag is known")
        assert sorted(sinks.metric(sample % n) or 0 for n in range(8)) == [0] * 7 + [3]


def test_sigterm_ends_it_in_order(brokers: str, tmp_path: Path) -> None:
    with running(brokers, tmp_path) as sinks:
        assert sinks.stop() == 0
        assert not sinks.has_logged("stopped late")


def test_it_outlives_a_broker_that_is_not_there_yet(tmp_path: Path) -> None:
    sinks = Sinks("127.0.0.1:1", tmp_path)
    try:
        until(lambda: sinks.has_logged("feed interrupted"), WITHIN_S, "it has missed the broker")
        assert sinks.process.poll() is None
        assert sinks.stop() == 0
        assert not any(event["event"] == "ready" for event in sinks.events())
    finally:
        sinks.kill()


def test_a_taken_metrics_port_is_one_clear_line_and_exit_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environ = {"HEADGATE_METRICS_PORT": port, "HEADGATE_DATA": str(tmp_path), "HEADGATE_BROKERS": "127.0.0.1:1"}
        command = [sys.executable, "-m", "sinks.app"]
        ran = subprocess.run(command, cwd=REPOSITORY, env=os.environ | environ, capture_output=True, timeout=30)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert b"address already in use" in line
