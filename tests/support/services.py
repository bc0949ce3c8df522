"""Headgate's real services as processes of a test: workers, ingress, and what lies on the event log."""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from aiokafka import AIOKafkaConsumer, TopicPartition

from contract import codec
from contract.records import RequestLogged
from contract.topics import LOG

REPOSITORY = Path(__file__).resolve().parents[2]
READY_S = 60.0
POLL_S = 0.05


def until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """Poll for `condition` to be true and return what it says; AssertionError names `what` when it never is."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        said = condition()
        if said:
            return said
        time.sleep(POLL_S)
    raise AssertionError(f"not within {within_s} s: {what}")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """One process; its JSON log lines are read back from its file."""

    def __init__(self, name: str, module: str, environ: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("ab") as into:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module], env=dict(environ), stdout=into, stderr=into, cwd=REPOSITORY
            )

    def events(self) -> list[dict[str, Any]]:
        """The events logged so far."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def has_logged(self, event: str) -> bool:
        """Whether an event of that name has been logged."""
        assert self.process.poll() is None or event != "ready", f"{self.name} ended: {self.log.read_text()[-2000:]}"
        return any(line.get("event") == event for line in self.events())

    def wait_ready(self) -> Self:
        """Wait until it says that it is ready."""
        until(lambda: self.has_logged("ready"), READY_S, f"{self.name} ready")
        return self

    def stop(self, within_s: float = 30.0) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(within_s)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)


class Client:
    """Speaks HTTP to a gateway, as its first admin."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: Any = None, **how: Any) -> requests.Response:
        """One HTTP request as the admin."""
        return self.session.request(method, self.url + path, json=body, timeout=how.pop("timeout", 60), **how)

    def endpoint(self, name: str, base_url: str, *models: str, task: str = "llm/v1/chat", **gateway: Any) -> None:
        """Create an endpoint over OpenAI-shaped `models` at `base_url`; the first one gets all the traffic."""
        self.secret()
        entities = [_entity(model, base_url, task) for model in models]
        routes = [{"served_model_name": model, "traffic_percentage": 100 * (n == 0)} for n, model in enumerate(models)]
        config = {"served_entities": entities, "traffic_config": {"routes": routes}}
        body: dict[str, Any] = {"name": name, "config": config}
        gateway = {"usage_tracking_config": {"enabled": True}, **gateway}
        answer = self.call("POST", "/api/2.0/serving-endpoints", {**body, "ai_gateway": gateway})
        assert answer.status_code == 200, answer.text

    def secret(self) -> None:
        """Put the secret that the endpoints' models name."""
        self.call("POST", "/api/2.0/secrets/scopes/create", {"scope": "tests"})
        secret = {"scope": "tests", "key": "key", "string_value": "sk-test"}
        assert self.call("POST", "/api/2.0/secrets/put", secret).status_code == 200

    def ask(self, endpoint: str, content: str = "hello", **body: Any) -> requests.Response:
        """A chat request."""
        messages = {"messages": [{"role": "user", "content": content}]}
        return self.call("POST", f"/serving-endpoints/{endpoint}/invocations", {**messages, **body})


class Services(Client):
    """A gateway on a broker: one ingress, as many workers as asked for. `with` it."""

    def __init__(self, brokers: str, data: Path, workers: int = 1, **more: str) -> None:
        self.data = data
        self.brokers = brokers
        super().__init__(f"http://127.0.0.1:{free_port()}", "dapi" + "0" * 31 + "1")
        data.mkdir(parents=True, exist_ok=True)
        self.environ = {
            **os.environ,
            "HEADGATE_BROKERS": brokers,
            "HEADGATE_DATA": str(data),
            "HEADGATE_PORT": self.url.rpartition(":")[2],
            "HEADGATE_MASTER_KEY": base64.b64encode(b"k" * 32).decode(),
            "HEADGATE_ADMIN_TOKEN": self.token,
            "HEADGATE_STATUS_FILE": "",
            **more,
        }
        self._workers = workers
        self.workers: list[Service] = []
        self._services: list[Service] = []

    def __enter__(self) -> Self:
        subprocess.run([sys.executable, "-m", "processors.provision"], env=self.environ, cwd=REPOSITORY, check=True)
        try:
            self._start_all()
        except BaseException:  # whoever fails to enter is never asked to leave
            self._stop_all()
            raise
        return self

    def _start_all(self) -> None:
        self.ingress = self.start("ingress", "ingress.app")
        for _ in range(self._workers):
            self.add_worker(ready=False)
        for service in self._services:
            service.wait_ready()
        until(lambda: self.call("GET", "/api/2.0/preview/scim/v2/Me").status_code == 200, READY_S, "the first admin")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()

    def _stop_all(self) -> None:
        self.session.close()
        for service in reversed(self._services):
            if service.process.poll() is None:
                service.process.terminate()
        for service in self._services:
            try:
                service.process.wait(20)
            except subprocess.TimeoutExpired:
                service.kill()

    def start(self, name: str, module: str) -> Service:
        """Start one more process."""
        service = Service(name, module, self.environ, self.data)
        self._services.append(service)
        return service

    def add_worker(self, ready: bool = True) -> Service:
        """Start one more worker."""
        worker = self.start(f"worker-{len(self.workers)}", "processors.app")
        self.workers.append(worker)
        return worker.wait_ready() if ready else worker

    def logged(self, endpoint: str) -> list[RequestLogged]:
        """The endpoint's rows on the event log, in no order; duplicates included."""
        return [row for row in asyncio.run(_log(self.brokers)) if row.endpoint_name == endpoint]

    def logged_once(self, endpoint: str, rows: int, within_s: float = 20.0) -> list[RequestLogged]:
        """Wait for `rows` distinct requests on the event log and return one row of each."""

        def distinct() -> list[RequestLogged]:
            found = {row.request_id: row for row in self.logged(endpoint)}
            return list(found.values()) if len(found) >= rows else []

        found: list[RequestLogged] = until(distinct, within_s, f"{rows} rows of {endpoint}") if rows else []
        return found


def _entity(model: str, base_url: str, task: str) -> dict[str, Any]:
    config = {"openai_api_key": "{{secrets/tests/key}}", "openai_api_base": base_url}
    external = {"name": model, "provider": "openai", "task": task, "openai_config": config}
    return {"name": model, "external_model": external}


async def _log(brokers: str) -> list[RequestLogged]:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        partitions = [TopicPartition(LOG.name, number) for number in range(LOG.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        rows: list[RequestLogged] = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                rows += [row for r in records if isinstance(row := codec.read(RequestLogged, r.value), RequestLogged)]
        return rows
    finally:
        await consumer.stop()
