"""`make bench`: what Headgate adds to a provider call, beside the bare provider, in turn about on one machine.

`python -m tests.bench --provider-port 9100 --beside URL TOKEN PID` measures another gateway in the same rounds: URL is
its chat completions address, its model `mock` must lead to the mock provider on that port, PID is its process.

Needs the mock provider and load generator of ../shared/bench and a C compiler; says so and ends well when they are
not there. Everything is on: usage tracking, inference table, event log with full payloads.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from launcher import jars, java
from launcher.broker import Broker
from tests.support.services import REPOSITORY, Services, free_port, until

BENCH = REPOSITORY.parent / "shared" / "bench"
ROUNDS = 3
SECONDS = 5
STREAM_MODEL = "mock-n20-i5-ts"
TABLE = {"enabled": True, "catalog_name": "bench", "schema_name": "bench"}


def built(into: Path) -> tuple[Path, Path]:
    """The mock provider and the load generator, compiled."""
    for name in ("mock", "load"):
        subprocess.run(["cc", "-O2", "-o", into / name, BENCH / f"{name}.c", "-lm"], check=True)
    return into / "mock", into / "load"


def cpu_seconds(data: Path) -> float:
    """CPU used so far by every process of the gateway, the broker included."""
    total = 0.0
    for process in psutil.process_iter():
        try:
            if str(data) in process.environ().get("HEADGATE_DATA", "") or str(data) in " ".join(process.cmdline()):
                times = process.cpu_times()
                total += times.user + times.system
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


class Load:
    """The load generator against one address."""

    def __init__(self, program: Path, url: str, token: str, bodies: Path) -> None:
        self._command = [str(program), "-u", url, "-H", f"Authorization: Bearer {token}", "-w", "1"]
        self._bodies = bodies

    def run(self, clients: int, *, stream: bool = False) -> dict[str, Any]:
        """One measurement: the generator's JSON."""
        body = self._bodies / ("stream.json" if stream else "body.json")
        more = ["-b", str(body), "-c", str(clients), "-d", str(SECONDS), *(["-s"] if stream else [])]
        said = subprocess.run([*self._command, *more], capture_output=True, text=True, check=True)
        measured: dict[str, Any] = json.loads(said.stdout)
        assert measured["ok"] == measured["started"], f"not every reply was right: {measured}"
        return measured


def bodies(into: Path) -> Path:
    """The request bodies: the bench's own, and the same as a stream."""
    body = json.loads((BENCH / "body.json").read_text())
    (into / "body.json").write_text(json.dumps(body))
    (into / "stream.json").write_text(json.dumps({**body, "model": STREAM_MODEL, "stream": True}))
    return into


def tree_cpu_seconds(pid: int) -> float:
    """CPU used so far by a process and its children."""
    root = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children(recursive=True)])


class Beside(NamedTuple):
    """Another gateway, measured in the same rounds."""

    load: Load
    pid: int


def crowded(load: Load, cpu: Callable[[], float]) -> tuple[float, float]:
    """Replies per second and CPU ms per request at 64 clients."""
    before = cpu()
    crowd = load.run(64)
    return crowd["ok_rps"], (cpu() - before) * 1000 / crowd["total"]


def measure(direct: Load, ours: Load, data: Path, beside: Beside | None) -> list[dict[str, float]]:
    """`ROUNDS` rounds, bare provider and gateways in turn."""
    rounds = []
    for _ in range(ROUNDS):
        bare, added = direct.run(1)["latency_ms"], ours.run(1)["latency_ms"]
        bare_first, first = direct.run(1, stream=True)["ttft_ms"], ours.run(1, stream=True)["ttft_ms"]
        replies, cpu_ms = crowded(ours, lambda: cpu_seconds(data))
        rounds.append(
            {
                "added p50, 1 client, ms": added["p50"] - bare["p50"],
                "added p99, 1 client, ms": added["p99"] - bare["p99"],
                "added time to first token p50, ms": first["p50"] - bare_first["p50"],
                "replies/s, 64 clients": replies,
                "CPU ms per request, 64 clients": cpu_ms,
            }
        )
        if beside is not None:
            rounds[-1] |= other(beside, bare["p50"], replies, cpu_ms)
    return rounds


def other(beside: Beside, bare_p50: float, replies: float, cpu_ms: float) -> dict[str, float]:
    """The other gateway's figures, and ours against them."""
    added = beside.load.run(1)["latency_ms"]["p50"] - bare_p50
    their_replies, their_cpu_ms = crowded(beside.load, lambda: tree_cpu_seconds(beside.pid))
    return {
        "the other's added p50, ms": added,
        "the other's replies/s": their_replies,
        "the other's CPU ms per request": their_cpu_ms,
        "replies/s, ours to theirs": replies / their_replies,
        "CPU per request, theirs to ours": their_cpu_ms / cpu_ms,
    }


def report(rounds: list[dict[str, float]]) -> None:
    """Print each figure's median and spread."""
    print(f"{'':36s} {'median':>8s} {'min':>8s} {'max':>8s}   ({ROUNDS} rounds of {SECONDS} s)")
    for name in rounds[0]:
        values = [measured[name] for measured in rounds]
        print(f"{name:36s} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}")


def main() -> int:
    """Entry of `make bench`."""
    if not BENCH.is_dir() or shutil.which("cc") is None:
        print(f"make bench needs {BENCH.name}/mock.c and load.c beside the project, and a C compiler: nothing measured")
        return 0
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--provider-port", type=int, default=0)
    parser.add_argument("--beside", nargs=3, metavar=("URL", "TOKEN", "PID"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        mock, load = built(home)
        port = options.provider_port or free_port()
        provider = subprocess.Popen([mock, str(port)], stdout=subprocess.DEVNULL)
        try:
            bench(home, load, f"http://127.0.0.1:{port}/v1", options.beside)
        finally:
            provider.terminate()
            provider.wait()
    return 0


def bench(home: Path, load: Path, provider: str, beside: list[str] | None) -> None:
    """Bring up a broker, one worker and an ingress, and measure."""
    found = java.find({}, home / "java")
    jars_at = REPOSITORY / ".headgate" / "jars"
    jars.ensure(jars_at, found, print)
    with Broker(home / "kafka", found, jars_at) as broker, Services(broker.address, home / "data") as gateway:
        for model in ("mock", STREAM_MODEL):
            gateway.endpoint(model, provider, model, inference_table_config=TABLE)
        until(lambda: gateway.ask("mock").status_code == 200, 10, "a first answer")
        at = bodies(home)
        ours = Load(load, f"{gateway.url}/serving-endpoints/chat/completions", gateway.token, at)
        direct = Load(load, f"{provider}/chat/completions", "none", at)
        ours.run(64)
        there = Beside(Load(load, beside[0], beside[1], at), int(beside[2])) if beside else None
        report(measure(direct, ours, home, there))


if __name__ == "__main__":
    sys.exit(main())
