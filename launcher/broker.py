"""Apache Kafka on this machine: one node, broker and controller in one JVM, loopback only."""

import os
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from launcher import jars, ports, tether
from launcher.java import Java
from launcher.kafka_files import LOG4J, Listener, Ports, server_properties
from launcher.obstacle import Obstacle

JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
POLL_S = 0.05
# Metadata, version 1, correlation 1, no client id, no topics: the answer lists the brokers in service.
ASK = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)
# FindCoordinator, version 1, of some group: the first asker makes Kafka create the topic of the groups' offsets,
# and until it is there clients complain. The answer: correlation, throttle time, error.
ASK_GROUPS = struct.pack(">ihhihh8sb", 21, 10, 1, 2, -1, 8, b"headgate", 0)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A broker that can be started: its storage is formatted, its files are written."""

    command: tuple[str, ...]
    address: str
    port: int


def prepare(home: Path, java: Java, jars_at: Path, more: Listener | None = None) -> Prepared:
    """Write the broker's files into `home` and format its storage, the first time with a JVM (2 s)."""
    home.mkdir(parents=True, exist_ok=True)
    chosen = choose_ports(home / "ports.json")
    config, logs = home / "server.properties", home / "logs"
    config.write_text(server_properties(chosen, logs, more))
    (home / "log4j2.properties").write_text(LOG4J)
    run = _jvm(home, java, jars.classpath(jars_at, "kafka"))
    if not (logs / "meta.properties").is_file():
        _format(run, config, () if more is None else more.scram)
    return Prepared(
        command=(*run, "kafka.Kafka", str(config)),
        address=f"127.0.0.1:{chosen.client}",
        port=chosen.client,
    )


def choose_ports(remembered: Path) -> Ports:
    """The ports of last time when they are free, else new ones, which are remembered."""
    try:
        before = msgspec.json.decode(remembered.read_bytes(), type=Ports)
    except (OSError, msgspec.MsgspecError):
        before = None
    if before and ports.is_free(before.client) and ports.is_free(before.controller):
        return before
    client, controller = ports.some_free(2)
    chosen = Ports(client=client, controller=controller)
    remembered.write_bytes(msgspec.json.encode(chosen))
    return chosen


def answers(port: int) -> bool:
    """Whether the broker on `port` is in service: it lists itself among the brokers and coordinates groups."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            listed = _answer(link, ASK, ">i")
            return listed is not None and listed >= 1 and _answer(link, ASK_GROUPS, ">ih") == 0
    except OSError:
        return False


class Broker:
    """A broker for as long as it is needed: `with Broker(home, java, jars_at) as broker: broker.address`.

    `home`: its directory; a second start there finds the topics again. `more`: another listener.
    """

    def __init__(self, home: Path, java: Java, jars_at: Path, more: Listener | None = None) -> None:
        self.home = home
        self._more = more
        self._java, self._jars = java, jars_at
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """Bootstrap servers."""
        return f"127.0.0.1:{self.port}"

    def start(self, within_s: float = 60) -> Self:
        """Start it and return when it is in service; Obstacle when it is not within `within_s`."""
        ready = prepare(self.home, self._java, self._jars, self._more)
        self.port = ready.port
        with (self.home / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                ready.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=tether.to(os.getpid())
            )
        for _ in range(int(within_s / POLL_S)):
            if answers(self.port):
                return self
            if _ended(self._process, POLL_S):
                break
        self.kill()
        raise Obstacle(f"The broker did not start: see {self.home / 'broker.log'}.")

    def stop(self, grace_s: float = 20) -> None:
        """Shut it down in order; kills it when that takes longer than `grace_s`."""
        if self._process is None:
            return
        self._process.terminate()
        if not _ended(self._process, grace_s):
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _jvm(home: Path, java: Java, classpath: Sequence[Path]) -> tuple[str, ...]:
    log4j = f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}"
    return (java.command, *JVM, log4j, "-cp", ":".join(map(str, classpath)))


def _format(run: Sequence[str], config: Path, scram: Sequence[str]) -> None:
    identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    line = [*run, "kafka.tools.StorageTool", "format", "-t", f"h{identity[1:]}", "-c", str(config)]
    line += [word for user in scram for word in ("--add-scram", user)]
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Obstacle(f"Kafka's storage could not be formatted: {done.stdout.strip()[-600:]}")


def _ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _answer(link: socket.socket, request: bytes, fields: str) -> int | None:
    """The last of `fields` in the answer, after its correlation; None when the connection ends before it."""
    link.sendall(request)
    head = _exactly(link, 8)
    if len(head) < 8:
        return None
    body = _exactly(link, struct.unpack(">i", head[:4])[0] - 4)
    size = struct.calcsize(fields)
    number: int | None = struct.unpack(fields, body[:size])[-1] if len(body) >= size else None
    return number


def _exactly(link: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (more := link.recv(count - len(got))):
        got += more
    return got
