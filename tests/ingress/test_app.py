"""The process: starts without a broker, says what it lacks, stops in order."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def ingress(data: Path, **env: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    environment = os.environ | {
        "HEADGATE_BROKERS": f"127.0.0.1:{free_port()}",
        "HEADGATE_DATA": str(data),
        "HEADGATE_PORT": str(port),
    }
    with (data / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "ingress.app"], env=environment | env, stderr=log)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def answer(url: str, **headers: str) -> httpx.Response:
    until = time.monotonic() + 30
    while True:
        try:
            return httpx.get(url, headers=headers, timeout=10)
        except httpx.ConnectError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def test_without_a_broker_it_listens_says_so_and_stops_at_once_with_0(tmp_path: Path) -> None:
    with ingress(tmp_path) as (process, url):
        assert answer(f"{url}/.well-known/databricks-config").status_code == 200
        health = answer(f"{url}/healthz")
        assert health.status_code == 503 and health.json()["ingress"]["bus"] == "starting"
        assert answer(f"{url}/api/2.0/token/list", authorization="Bearer x").status_code == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    log = (tmp_path / "log").read_text()
    token = (tmp_path / "admin.token").read_text()
    assert token.startswith("dapi") and len(token) == 36
    assert token not in log and (tmp_path / "master.key").read_text() not in log
    assert '"event":"ready"' not in log and "Traceback" not in log


@pytest.mark.parametrize("name", ["HEADGATE_PORT", "HEADGATE_MASTER_KEY"])
def test_a_wrong_setting_is_one_sentence_that_does_not_quote_it(tmp_path: Path, name: str) -> None:
    with ingress(tmp_path, **{name: "hush-hush"}) as (process, _):
        assert process.wait(timeout=20) == 1
    log = (tmp_path / "log").read_text()
    assert log.startswith("ingress: ") and "hush-hush" not in log and len(log.splitlines()) == 1
