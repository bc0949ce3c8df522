"""docker-compose.yml without Docker: every service of ours comes up by its own command and environment."""

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import psutil
import pytest
import requests

from launcher.broker import Broker
from launcher.java import Java
from tests.support.compose import REPOSITORY, Launch, launches
from tests.support.provider import ScriptedProvider
from tests.support.services import Client, free_port, until

GIVEN = {
    "HEADGATE_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "HEADGATE_ADMIN_TOKEN": "dapi0123456789abcdef0123456789abcdef",
    "GRAFANA_PASSWORD": "not-a-real-one",
}
READY_S = 180.0
STOP_S = 60.0


class Running:
    """The services that run here, each in an empty directory with no more than the file and the image set."""

    def __init__(self, home: Path, here: dict[str, str], image: dict[str, str]) -> None:
        self.home, self.here, self._image = home, here, image
        self.launches = {one.name: one for one in launches(GIVEN, here)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, launch: Launch, number: int = 0) -> subprocess.Popen[bytes]:
        """Start one replica of a service."""
        name = f"{launch.name}-{number}"
        (self.home / name).mkdir()
        with self.log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                launch.command, cwd=self.home / name, env=self._image | launch.environment, stdout=log, stderr=log
            )
        return self.processes[name]

    def log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def is_ready(self, name: str) -> bool:
        """Whether it has logged `ready`; AssertionError with its last words when it has ended."""
        text = self.log(name).read_text(errors="replace")
        assert self.processes[name].poll() is None, f"{name} ended: {text[-2000:]}"
        return '"event":"ready"' in text

    def stop(self, name: str) -> int:
        """SIGTERM, as `docker compose stop` does; its exit code."""
        self.processes[name].terminate()
        return self.processes[name].wait(STOP_S)


def image(java: Java) -> dict[str, str]:
    """What the Dockerfile sets, in this machine's words; PATH for the shell scripts that Spark starts with."""
    return {
        "PATH": os.environ["PATH"],
        "JAVA_HOME": str(java.home),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(scope="module")
def running(
    broker: Broker, found_java: Java, jars_at: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("compose")
    here = {
        "HEADGATE_BROKERS": broker.address,
        "HEADGATE_HOST": "127.0.0.1",
        "HEADGATE_PORT": str(free_port()),
        "HEADGATE_METRICS_HOST": "127.0.0.1",
        "HEADGATE_METRICS_PORT": str(free_port()),
        "HEADGATE_DATA": str(home / "data"),
        "HEADGATE_LAKE": str(home / "data" / "lake"),
        "HEADGATE_LAKE_INTERVAL": "2",
        "HEADGATE_JARS": str(jars_at.resolve()),
    }
    services = Running(home, here, image(found_java))
    yield services
    for process in services.processes.values():
        for one in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
            one.kill()
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def up(running: Running) -> Iterator[Client]:
    """The first administrator's way in, once every service is ready; the topics come first, as the file says."""
    assert running.start(running.launches["topics"]).wait(READY_S) == 0, running.log("topics-0").read_text()
    for name, launch in running.launches.items():
        for number in range(launch.replicas if name != "topics" else 0):
            running.start(launch, number)
    for name in running.processes.keys() - {"topics-0"}:
        until(partial(running.is_ready, name), READY_S, f"{name} ready")
    client = Client(f"http://127.0.0.1:{running.here['HEADGATE_PORT']}", GIVEN["HEADGATE_ADMIN_TOKEN"])
    with client.session:
        yield client


def test_every_service_logs_ready_with_as_many_replicas_as_the_file_says(running: Running, up: Client) -> None:
    assert set(running.processes) == {"topics-0", "worker-0", "worker-1", "ingress-0", "sinks-0", "lake-0"}


def test_the_ingress_answers_its_health_check(up: Client) -> None:
    until(lambda: up.call("GET", "/healthz").status_code == 200, READY_S, "healthz is 200")
    assert up.call("GET", "/healthz").json()["status"] == "ready"


def test_a_request_goes_through_and_is_counted_by_the_sinks(
    running: Running, up: Client, provider: ScriptedProvider
) -> None:
    name = "composed"
    up.endpoint(name, provider.url, "composed-model")
    answer = up.ask(name)
    assert answer.status_code == 200, answer.text
    own = f"/api/2.0/serving-endpoints/{name}/metrics"
    until(lambda: f'endpoint="{name}"' in up.call("GET", own).text, READY_S, "the endpoint's own metrics")
    metrics = f"http://127.0.0.1:{running.here['HEADGATE_METRICS_PORT']}/metrics"
    assert f'endpoint="{name}"' in requests.get(metrics, timeout=30).text


def test_the_lake_writes_the_request_where_its_volume_is(running: Running, up: Client) -> None:
    written = Path(running.here["HEADGATE_LAKE"], "system", "serving", "endpoint_usage")
    until(lambda: any(written.rglob("*.parquet")), READY_S, "a file of endpoint_usage")


def test_no_service_keeps_a_file_outside_of_its_volume(running: Running, up: Client) -> None:
    for name in running.processes:
        assert list((running.home / name).iterdir()) == [], name


@pytest.mark.parametrize("name", ["ingress-0", "worker-1", "worker-0", "sinks-0", "lake-0"])
def test_a_service_that_is_stopped_ends_in_time_with_code_0(running: Running, up: Client, name: str) -> None:
    assert running.stop(name) == 0, running.log(name).read_text()[-2000:]
    levels = {
        msgspec.json.decode(line)["level"] for line in running.log(name).read_bytes().splitlines() if line[:1] == b"{"
    }
    assert not levels & {"ERROR", "CRITICAL", "FATAL"}
