"""`headgate up` as a process of a test: what it says, where it is, which processes it has."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.support.services import REPOSITORY, Client, free_port, until

READY_S = 180.0  # generous: a shared machine may be slow, and whoever polls loses nothing by it
STOP_S = 90.0


def surroundings(jars: Path, **more: str) -> dict[str, str]:
    """This machine's environment without Headgate's own variables, but for where the jars are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}
    return {**kept, "HEADGATE_JARS": str(jars), "PYTHONPATH": str(REPOSITORY), **more}


def without_java(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The environment of a machine that has every command of this one except Java's."""
    directory.mkdir()
    for folder in environ["PATH"].split(os.pathsep):
        for command in Path(folder).iterdir() if Path(folder).is_dir() else ():
            link = directory / command.name
            if not command.name.startswith("java") and not link.is_symlink():
                link.symlink_to(command)
    hidden = {name: value for name, value in environ.items() if name != "JAVA_HOME"} | {"PATH": str(directory)}
    assert shutil.which("java", path=hidden["PATH"]) is None
    return hidden


def headgate(environ: Mapping[str, str], *arguments: object, within_s: float = READY_S) -> tuple[int, str, str]:
    """Run one command of the launcher to its end: exit code, standard output, standard error."""
    line = [sys.executable, "-m", "launcher.cli", *map(str, arguments)]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=within_s, check=False)
    return done.returncode, done.stdout, done.stderr


def processes(data: Path) -> list[psutil.Process]:
    """Every live process that was started for this data directory, whoever its parent is by now."""
    return [process for process in psutil.process_iter() if _belongs(process, str(data))]


def _belongs(process: psutil.Process, data: str) -> bool:
    try:
        return process.environ().get("HEADGATE_DATA") == data
    except psutil.Error:  # it ended meanwhile, or is somebody else's
        return False


class Up(Client):
    """One `headgate up`. Started by making it; `with` it, so that nothing of it outlives a test that fails."""

    def __init__(self, data: Path, environ: Mapping[str, str], *options: str) -> None:
        self.data = data.resolve()
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}", "")
        self.options = options
        self._out, self._err = data.with_suffix(".out"), data.with_suffix(".err")
        line = [sys.executable, "-m", "launcher.cli", "up", "--data", str(data), "--port", str(self.port), *options]
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(line, env=environ, stdout=out, stderr=err, start_new_session=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for process in processes(self.data):
            process.kill()

    @property
    def said(self) -> str:
        """Its standard output."""
        return self._out.read_text()

    @property
    def console(self) -> str:
        """Its standard error: what somebody at the terminal reads."""
        return self._err.read_text()

    def wait_ready(self) -> Self:
        """Wait for its two lines to copy, and take the token from them."""

        def exported() -> bool:
            assert self.process.poll() is None, f"it ended: {self.console}"
            return self.said.count("export ") == 2 and self.said.endswith("\n")

        until(exported, READY_S, "headgate up is ready")
        self.token = self.said.strip().rpartition("DATABRICKS_TOKEN=")[2]
        self.session.headers["Authorization"] = f"Bearer {self.token}"
        return self

    def health(self) -> dict[str, Any]:
        """What `/healthz` says."""
        told: dict[str, Any] = self.call("GET", "/healthz").json()
        return told

    def pid_of(self, part: str) -> int:
        """The process that runs a module, as in `processors.app`."""
        (found,) = [p.pid for p in psutil.Process(self.process.pid).children() if p.cmdline()[-1] == part]
        return found

    def end(self, number: signal.Signals) -> int:
        """Send the launcher a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def wait_gone(self) -> None:
        """Wait until no process of it is left."""
        until(lambda: not processes(self.data), STOP_S, f"nothing is left of {self.data}")
