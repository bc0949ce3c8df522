"""Child processes: started, listened to, restarted when they die, stopped in order."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from launcher import lines, tether
from launcher.status import Status

LONGEST_LINE = 4 * 1024 * 1024
LOG_BYTES = 16 * 1024 * 1024
SETTLED_S = 60
POLL_S = 0.1
Say = Callable[[str], None]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep running.

    It is ready when it logs the event `ready`, or, given a `probe`, when that says so.
    """

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    probe: Callable[[], bool] | None = None


def backoff_s(failures: int) -> float:
    """Seconds to wait before the next start, after so many failures in a row.

    >>> [backoff_s(n) for n in range(1, 8)]
    [1, 2, 4, 8, 16, 30, 30]
    """
    return min(1 << (failures - 1), 30)


class Child:
    """Keeps one part running until it is told to stop."""

    def __init__(self, part: Part, status: Status, log: Path, say: Say, delay: Callable[[int], float]) -> None:
        self.part, self.ready = part, asyncio.Event()
        self._status, self._log_path, self._say, self._delay = status, log, say, delay
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._last_words = ""
        self._keeping = asyncio.create_task(self._keep(), name=part.name)

    def expect_end(self) -> None:
        """From now on it may end: it is not started again."""
        self._stopping.set()

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, then after `grace_s` SIGKILL to it and to all it has started."""
        self.expect_end()
        if self._process and self._process.returncode is None:
            self._process.terminate()
        done, _ = await asyncio.wait([self._keeping], timeout=grace_s)
        if not done:
            self._say(f"{self.part.name} does not stop: killed after {grace_s:g} s")
            self.kill()
            await self._keeping

    def kill(self) -> None:
        """End it at once, with all it has started."""
        self.expect_end()
        if self._process:
            _sweep(self._process.pid)

    async def _keep(self) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while not self._stopping.is_set():
            self._status.set(self.part.name, "starting")
            began = loop.time()
            code = await self._run()
            self.ready.clear()
            if self._stopping.is_set():
                break
            failures = 1 if loop.time() - began > SETTLED_S else failures + 1
            await self._mourn(code, self._delay(failures))
        self._status.set(self.part.name, "stopped")

    async def _mourn(self, code: int, wait_s: float) -> None:
        self._status.set(self.part.name, "restarting")
        words = f" ({self._last_words})" if self._last_words else ""
        self._say(f"{self.part.name} ended with {_ending(code)}{words}; again in {wait_s:g} s; see {self._log_path}")
        await _either(self._stopping.wait(), asyncio.sleep(wait_s))

    async def _run(self) -> int:
        async with _pipe() as (output, reader):
            try:
                process = self._process = await self._spawn(output)
            finally:
                os.close(output)
            listening = asyncio.create_task(self._listen(reader))
            probing = asyncio.create_task(self._probe())
            try:
                return await process.wait()
            finally:
                _sweep(process.pid)  # what it has started would hold the pipe open
                probing.cancel()
                await asyncio.gather(listening, probing, return_exceptions=True)

    async def _spawn(self, output: int) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *self.part.command,
            env=self.part.environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the launcher alone, which stops in order
            preexec_fn=tether.to(os.getpid()),
        )
        if self._stopping.is_set():  # asked to stop while it was being born
            process.terminate()
        return process

    async def _listen(self, pipe: asyncio.StreamReader) -> None:
        with _log(self._log_path) as log:
            while raw := await _line(pipe):
                log.write(raw)
                self._hear(lines.read(raw))

    def _hear(self, line: lines.Line) -> None:
        if line.event == "ready" and not self.part.probe:
            self._is_ready()
        if line.plain or line.level in lines.LOUD:
            self._last_words = (line.event or self._last_words)[:300]
        if text := lines.shown(self.part.name, line):
            self._say(text)

    async def _probe(self) -> None:
        if not self.part.probe:
            return
        while not await asyncio.to_thread(self.part.probe):
            await asyncio.sleep(POLL_S)
        self._is_ready()

    def _is_ready(self) -> None:
        if not self._stopping.is_set():
            self._status.set(self.part.name, "ready")
            self.ready.set()


class Children:
    """All of them. `logs`: directory of their log files; `say`: takes a line for the console."""

    def __init__(self, *, logs: Path, status: Status, say: Say, delay: Callable[[int], float] = backoff_s) -> None:
        self._logs, self._status, self._say, self._delay = logs, status, say, delay
        self._children: dict[str, Child] = {}

    def start(self, part: Part) -> Child:
        """Start it and keep it running."""
        log = self._logs / f"{part.name}.log"
        child = Child(part, self._status, log, self._say, self._delay)
        self._children[part.name] = child
        return child

    async def stop(self, order: Iterable[Iterable[str]], grace_s: float) -> None:
        """Stop them, one group after the other; whoever is not named goes last."""
        for child in self._children.values():
            child.expect_end()
        for group in [list(names) for names in order]:
            await self._stop([self._children.pop(name) for name in group if name in self._children], grace_s)
        await self._stop(list(self._children.values()), grace_s)
        self._children.clear()

    def kill(self) -> None:
        """End all at once."""
        for child in self._children.values():
            child.kill()

    async def _stop(self, group: list[Child], grace_s: float) -> None:
        await asyncio.gather(*(child.stop(grace_s) for child in group))


def _log(path: Path) -> BinaryIO:
    if path.is_file() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab", buffering=0)


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """A pipe of our own: with asyncio's, a child that ended counts as running until its pipe is closed."""
    ours, childs = os.pipe()
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0)
    )
    try:
        yield childs, reader
    finally:
        transport.close()


async def _line(pipe: asyncio.StreamReader) -> bytes:
    try:
        return await pipe.readline()
    except ValueError:  # longer than the reader holds: it has been dropped
        return b"(a line too long to keep)\n"


def _sweep(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


async def _either(*waits: Coroutine[object, object, object]) -> None:
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
