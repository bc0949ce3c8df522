"""`headgate demo`: the whole stack, a provider of its own, and the vendor's notebook walked against it.

Exit code 0 when every step answered as it should, else 1 with the step that did not. Everything is stopped at the end.
"""

import argparse
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import IO, Protocol

import msgspec

from launcher import demo_show, demo_steps, notebook, plan, ports, tether
from launcher.demo_sql import Rows, Terminal
from launcher.demo_steps import Step
from launcher.notebook import Notebook
from launcher.obstacle import Obstacle
from launcher.settings import REPOSITORY, Settings

LAKE_INTERVAL_S = "2"
PORT = 8400
START_WITHIN_S = 900  # the first time it fetches jars
ROWS_WITHIN_S = 90
POLL_S = 1.5  # a count costs the lake's job some of its two cores
STOP_WITHIN_S = 60
EXPORT = "export "
LOOPBACK = "127.0.0.1,localhost"

Say = Callable[[str], object]


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """Where the running gateway is."""

    host: str
    token: str


@contextlib.contextmanager
def running(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A child whose standard output is read here; it is stopped at the end, and when this process dies."""
    child = subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=tether.to(os.getpid()),
        start_new_session=True,
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


def said(child: subprocess.Popen[str], within_s: float) -> Iterator[str]:
    """The lines a child prints, as they come; Obstacle when it ends or nothing comes for `within_s`."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(child.stdout, lines), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=within_s)
        except queue.Empty:
            raise Obstacle(f"{child.args!r} was not ready after {within_s:g} s.") from None
        if not line:
            raise Obstacle(f"It ended with code {child.wait()} before it was ready.")
        yield line.strip()


def _listen(pipe: IO[str] | None, lines: "queue.Queue[str]") -> None:
    with contextlib.suppress(ValueError):  # closed while it was read
        for line in pipe or ():
            lines.put(line)
    lines.put("")


def gateway(child: subprocess.Popen[str]) -> Reached:
    """Wait until `headgate up` says where it is."""
    told: dict[str, str] = {}
    for line in said(child, START_WITHIN_S):
        if line.startswith(EXPORT):
            name, _, value = line.removeprefix(EXPORT).partition("=")
            told[name] = value
        if "DATABRICKS_HOST" in told and "DATABRICKS_TOKEN" in told:
            return Reached(host=told["DATABRICKS_HOST"], token=told["DATABRICKS_TOKEN"])
    raise Obstacle("The gateway did not say where it is.")


def surroundings(environ: Mapping[str, str], reached: Reached) -> dict[str, str]:
    """The clients' environment: this gateway and no other workspace, no proxy on the way to it."""
    kept = {name: value for name, value in environ.items() if not name.startswith("DATABRICKS_")}
    ours = {"DATABRICKS_HOST": reached.host, "DATABRICKS_TOKEN": reached.token, "DATABRICKS_AUTH_TYPE": "pat"}
    return kept | ours | {"NO_PROXY": LOOPBACK, "no_proxy": LOOPBACK}


class Tables(Protocol):
    """Whatever runs a statement over the tables."""

    def sql(self, text: str) -> Rows:
        """Its rows; Obstacle when it fails."""
        ...


class Walk:
    """Goes through the steps; stops at the first that is not as it should be."""

    def __init__(self, book: Notebook, sql: Tables, started: str, say: Say, poll_s: float = POLL_S) -> None:
        self._book, self._sql, self._started, self._say, self._poll_s = book, sql, started, say, poll_s

    def all(self, steps: Sequence[Step]) -> bool:
        """Run the steps; whether all of them went well."""
        return all(self._one(number, step, len(steps)) for number, step in enumerate(steps, 1))

    def _one(self, number: int, step: Step, of: int) -> bool:
        began = time.monotonic()
        for table, count in step.rows.items():
            self._await_rows(table, count)
        outcome = self._book.run(step.cell)
        wrong = step.check(outcome)
        spent = time.monotonic() - began
        self._say(f"\n{'✓' if wrong is None else '✗'} {number}/{of} {step.title}  ({spent:.1f} s)")
        for line in demo_show.lines(outcome):
            self._say(f"    {line}")
        if wrong is not None:
            self._say(f"    {wrong}")
        return wrong is None

    def _await_rows(self, table: str, count: int) -> None:
        """Wait for the lake; what is missing at the end of it shows in the step's own outcome."""
        until = time.monotonic() + ROWS_WITHIN_S
        while self._rows(table) < count and time.monotonic() < until:
            time.sleep(self._poll_s)

    def _rows(self, table: str) -> int:
        try:
            text = f"SELECT count(*) AS n FROM {table} WHERE request_time >= {self._started}"  # noqa: S608 (ours)
            found = self._sql.sql(text)
        except Obstacle:  # the table comes with its first rows
            return 0
        return int(found.single())


def walk(settings: Settings, environ: Mapping[str, str], reached: Reached, base: str, say: Say) -> bool:
    """Walk the notebook against the gateway; `base`: the provider's address."""
    os.environ.clear()  # the SDK reads its surroundings itself
    os.environ.update(surroundings(environ, reached))
    started = f"timestamp_millis({time.time_ns() // 1_000_000})"
    sql = Terminal((*plan.module(settings, "launcher.cli"), "sql", "--data", str(settings.data)), environ)
    try:
        book = Notebook(notebook.read(), {"spark": sql, "OPENAI_API_BASE": base, "STARTED": started})
        return Walk(book, sql, started, say).all(demo_steps.STEPS)
    finally:
        sql.close()


def run(settings: Settings, say: Say) -> bool:
    """Bring everything up, walk, stop everything; whether every step went well."""
    environ = {**settings.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    up = (
        *plan.module(settings, "launcher.cli"), "up", "--data", str(settings.data),
        "--port", str(ports.preferred(PORT)), "--lake-interval", LAKE_INTERVAL_S,
    )  # fmt: skip
    provider = (*plan.module(settings, "launcher.demo_provider"), "--port", "0")
    with running(provider, environ) as demo_provider, running(up, environ) as stack:
        port = next(said(demo_provider, START_WITHIN_S))
        say(f"a provider of our own answers on port {port}")
        return walk(settings, environ, gateway(stack), f"http://127.0.0.1:{port}/v1", say)


def main(arguments: Sequence[str] | None = None) -> int:
    """The demo's exit code."""
    parser = argparse.ArgumentParser(prog="headgate demo", description=__doc__)
    parser.add_argument("--data", metavar="DIR", help="data directory (HEADGATE_DATA, else .headgate)")
    settings = Settings.from_env(parser.parse_args(arguments).data)
    signal.signal(signal.SIGTERM, _interrupted)
    began = time.monotonic()
    try:
        well = run(settings, lambda line: print(line, flush=True))
    except Obstacle as obstacle:
        print(f"✗ {obstacle}", flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
    where = "" if well else f"; the parts' logs are in {settings.data / 'logs'}"
    print(f"\n{'done' if well else 'NOT done'} in {time.monotonic() - began:.0f} s{where}", flush=True)
    return 0 if well else 1


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
