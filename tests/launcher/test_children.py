"""Children: started, listened to, restarted, stopped, never left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest_asyncio

from launcher.children import Child, Children, Part, backoff_s
from launcher.status import Status

READY = 'print(\'{"at":"","level":"INFO","event":"ready"}\', flush=True)'
FOREVER = "import threading; threading.Event().wait()"


class Stage:
    """Children in a directory of their own, and what they said."""

    def __init__(self, home: Path) -> None:
        self.home, self.said, self.failures = home, list[str](), list[int]()
        self.status = Status(home / "status.json")
        self.children = Children(logs=home, status=self.status, say=self.said.append, delay=self.delay)

    def delay(self, failures: int) -> float:
        self.failures.append(failures)
        return 0.01

    def start(self, name: str, program: str, probe: Callable[[], bool] | None = None) -> Child:
        command = (sys.executable, "-c", program)
        return self.children.start(Part(name=name, command=command, environ=dict(os.environ), probe=probe))

    def status_file(self) -> dict[str, str]:
        states: dict[str, str] = json.loads((self.home / "status.json").read_bytes())
        return states


@pytest_asyncio.fixture(loop_scope="function")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.children.kill()
    await stage.children.stop([], grace_s=20)


async def until(condition: Callable[[], bool], within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_child_is_ready_when_it_says_so_and_the_status_file_tells(stage: Stage) -> None:
    child = stage.start("sinks", f"{READY}; {FOREVER}")
    await until(lambda: bool(stage.status.states))
    assert stage.status_file()["sinks"] in ("starting", "ready")
    await asyncio.wait_for(child.ready.wait(), 20)
    assert stage.status_file() == {"sinks": "ready"}
    await stage.children.stop([], grace_s=20)
    assert stage.status_file() == {"sinks": "stopped"}


async def test_a_child_with_a_probe_is_ready_when_the_probe_says_so(stage: Stage) -> None:
    (flag := stage.home / "flag").unlink(missing_ok=True)
    child = stage.start("broker", FOREVER, probe=flag.exists)
    await until(lambda: stage.status.states.get("broker") == "starting")
    assert not child.ready.is_set()
    flag.touch()
    await asyncio.wait_for(child.ready.wait(), 20)
    await stage.children.stop([], grace_s=20)


async def test_a_child_that_dies_is_restarted_each_time_after_more_failures(stage: Stage) -> None:
    stage.start("lake", "raise ValueError('no lake')")
    await until(lambda: len(stage.failures) >= 3)
    await stage.children.stop([], grace_s=20)
    assert stage.failures[:3] == [1, 2, 3]
    assert stage.said[0].startswith("lake ended with code 1 (ValueError: no lake); again in 0.01 s; see ")


async def test_a_child_that_was_killed_is_named_with_its_signal(stage: Stage) -> None:
    stage.start("lake", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    await until(lambda: bool(stage.said))
    await stage.children.stop([], grace_s=20)
    assert "lake ended with signal SIGKILL" in stage.said[0]


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    assert [backoff_s(failures) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_all_it_says_is_in_its_log_file_and_warnings_are_on_the_console(stage: Stage) -> None:
    warning = json.dumps({"at": "", "level": "WARNING", "event": "odd"})
    child = stage.start("sinks", f"print('plain'); print('{warning}'); {READY}; {FOREVER}")
    await asyncio.wait_for(child.ready.wait(), 20)
    await stage.children.stop([], grace_s=20)
    assert stage.said == ["sinks WARNING odd", "sinks ready"]
    assert (stage.home / "sinks.log").read_text().splitlines()[:2] == ["plain", warning]


async def test_a_line_longer_than_can_be_kept_does_not_stop_the_listening(stage: Stage) -> None:
    child = stage.start("sinks", f"print('x' * 10_000_000); {READY}; {FOREVER}")
    await asyncio.wait_for(child.ready.wait(), 20)
    await stage.children.stop([], grace_s=20)


async def test_children_stop_in_the_order_given_and_none_is_restarted_meanwhile(stage: Stage) -> None:
    note = f"pathlib.Path({str(stage.home / 'order')!r}).open('a').write"
    for name in ("ingress", "worker-0", "broker"):
        on_term = f"lambda *_: ({note}('{name} '), exit(0))"
        child = stage.start(
            name, f"import pathlib, signal; signal.signal(signal.SIGTERM, {on_term}); {READY}; signal.pause()"
        )
        await asyncio.wait_for(child.ready.wait(), 20)
    await stage.children.stop([["ingress"], ["worker-0"]], grace_s=20)
    assert (stage.home / "order").read_text().split() == ["ingress", "worker-0", "broker"]
    assert stage.failures == []


async def test_a_child_that_ignores_the_request_is_killed_with_all_it_started(stage: Stage) -> None:
    grandchild = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    child = stage.start("lake", f"{ignore}; {grandchild}; {READY}; {FOREVER}")
    await asyncio.wait_for(child.ready.wait(), 20)
    pid = int((stage.home / "lake.log").read_text().split()[0])
    assert alive(pid)
    await stage.children.stop([], grace_s=0.1)
    await until(lambda: not alive(pid))
    assert "lake does not stop: killed after 0.1 s" in stage.said


async def test_what_a_dead_child_has_started_does_not_outlive_it(stage: Stage) -> None:
    stage.start("lake", "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)")
    await until(lambda: bool(stage.failures))
    pid = int((stage.home / "lake.log").read_text().split()[0])
    await until(lambda: not alive(pid))
    await stage.children.stop([], grace_s=20)


async def test_stopping_does_not_wait_for_a_restart_that_is_due_later(stage: Stage) -> None:
    slow = Children(logs=stage.home, status=stage.status, say=stage.said.append, delay=lambda failures: 600)
    slow.start(Part(name="lake", command=(sys.executable, "-c", "raise SystemExit(3)"), environ=dict(os.environ)))
    await until(lambda: stage.status.states.get("lake") == "restarting")
    async with asyncio.timeout(20):
        await slow.stop([], grace_s=20)


def test_when_the_launcher_is_killed_its_children_are_told_to_stop(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, sys
from pathlib import Path
from launcher.children import Children, Part
from launcher.status import Status
async def main():
    home = Path({str(tmp_path)!r})
    children = Children(logs=home, status=Status(home / "status.json"), say=lambda line: print(line, flush=True))
    command = (sys.executable, "-c", {READY + "; " + FOREVER!r})
    child = children.start(Part(name="sinks", command=command, environ=dict(os.environ)))
    await child.ready.wait()
    print(child._process.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout
        pid = int([launcher.stdout.readline() for _ in range(2)][1])
        assert alive(pid)
        launcher.send_signal(signal.SIGKILL)
        asyncio.run(until(lambda: not alive(pid)))
