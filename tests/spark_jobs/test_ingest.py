"""The job itself, on a real broker: killed between two writes, started again, stopped in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pyspark.sql import DataFrame, SparkSession

from contract import codec, topics
from contract.records import RequestLogged
from contract.state import ServedEntityRow
from launcher import java
from launcher.broker import Broker
from spark_jobs import ingest, names
from tests.spark_jobs import rows

PAYLOAD = names.payload("users", "me", "ep")
PATIENCE_S = 150


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, jars: Path) -> Iterator[Broker]:
    home = tmp_path_factory.mktemp("broker")
    with Broker(home, java.find(os.environ, home / "java"), jars) as started:
        yield started


async def create_topics(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    log = NewTopic(topics.LOG.name, topics.LOG.partitions, 1)
    await admin.create_topics([log, NewTopic(topics.STATE.name, 1, 1, topic_configs={"cleanup.policy": "compact"})])
    await admin.close()


async def send(address: str, records: Sequence[RequestLogged | ServedEntityRow | bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for record in records:
            topic, key = (topics.LOG.name, "bad") if isinstance(record, bytes) else rows.key_of(record)
            value = record if isinstance(record, bytes) else codec.encode(record)
            await producer.send_and_wait(topic, key=key.encode(), value=value)


def until(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)


async def test_killed_between_two_writes_and_started_again_every_request_is_there_once(
    broker: Broker, tmp_path: Path, jars: Path
) -> None:
    lake, log = tmp_path / "lake", tmp_path / "log"
    environ = {
        **os.environ,
        "HEADGATE_BROKERS": broker.address,
        "HEADGATE_LAKE": str(lake),
        "HEADGATE_JARS": str(jars),
        "HEADGATE_DATA": str(tmp_path),
        "HEADGATE_LAKE_INTERVAL": "1",
    }
    await create_topics(broker.address)
    first = [rows.logged(f"first-{i}") for i in range(20)]
    await send(broker.address, [rows.entity(), b"not a record", *first])
    killed = subprocess.run([sys.executable, "-m", "tests.spark_jobs.killed_ingest"], env=environ, timeout=PATIENCE_S)
    assert killed.returncode == -signal.SIGKILL
    assert len(rows.ids(lake, names.ENDPOINT_USAGE)) == 20
    assert rows.ids(lake, PAYLOAD) == []

    second = [rows.logged(f"second-{i}") for i in range(5)]
    with log.open("wb") as stderr:
        job = subprocess.Popen([sys.executable, "-m", "spark_jobs.ingest"], env=environ, stderr=stderr)
    try:
        until(lambda: len(rows.ids(lake, PAYLOAD)) >= 20)
        await send(broker.address, [*second, *first[:3]])
        until(lambda: len(rows.ids(lake, PAYLOAD)) >= 25)
        job.send_signal(signal.SIGTERM)
        assert job.wait(PATIENCE_S) == 0
    finally:
        job.kill()
        job.wait()
    wanted = sorted(record.request_id for record in first + second)
    assert rows.ids(lake, names.ENDPOINT_USAGE) == wanted
    assert rows.ids(lake, PAYLOAD) == wanted
    assert len(rows.read(lake, names.SERVED_ENTITIES)) == 1
    assert [row["value"] for row in rows.read(lake, names.QUARANTINE)] == [b"not a record"]
    events = [line["event"] for line in json_lines(log)]
    assert events.index("ready") < events.index("batch written") < events.index("stopped")


def json_lines(log: Path) -> list[dict[str, str]]:
    """The log's events; the JVM's own first words are no JSON."""
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    return [msgspec.json.decode(line) for line in lines]


def test_stopping_lets_the_batch_at_work_finish_and_starts_no_other(spark: SparkSession, tmp_path: Path) -> None:
    begun, go_on, finished = threading.Event(), threading.Event(), []

    def write(batch: DataFrame, number: int) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        finished.append(batch.count())

    rate = spark.readStream.format("rate").option("rowsPerSecond", 10).load()
    job = ingest.Ingest(rate, write, tmp_path, interval_seconds=0.2)
    assert begun.wait(PATIENCE_S)
    stopping = threading.Event()
    stopping.set()
    codes: list[int] = []
    runner = threading.Thread(target=lambda: codes.append(ingest.run(job, stopping)))
    runner.start()
    assert job.query.isActive
    go_on.set()
    runner.join(PATIENCE_S)
    assert (codes, len(finished)) == ([0], 1)


def test_a_batch_that_fails_ends_the_job_with_1(spark: SparkSession, tmp_path: Path) -> None:
    def write(batch: DataFrame, number: int) -> None:
        raise OSError("disk full")

    rate = spark.readStream.format("rate").load()
    assert ingest.run(ingest.Ingest(rate, write, tmp_path, interval_seconds=0.2), threading.Event()) == 1


def test_a_checkpoint_keeps_its_name_and_a_new_one_has_another(tmp_path: Path) -> None:
    one = ingest.job_name(tmp_path / "one")
    assert ingest.job_name(tmp_path / "one") == one
    assert ingest.job_name(tmp_path / "two") != one
