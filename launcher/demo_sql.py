"""`headgate sql`, kept open: statements go in as a person types them, results come back as rows."""

import json
import os
import re
import subprocess
import termios
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from launcher import tether
from launcher.obstacle import Obstacle

PROMPTS = re.compile(rb"^(?:headgate> | +\.\.> )+")
MARK = "headgate_mark"
ECHO_FIELD = 3
LINE_BYTES = 4000  # a terminal takes no longer line


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """A result. `display()` is the vendor's notebooks' way to show one."""

    rows: tuple[dict[str, Any], ...]

    def display(self) -> "Rows":
        """Show it: as a cell's value it is shown anyway."""
        return self

    def single(self) -> Any:
        """The only value of a result of one row and one column; ValueError when it has another shape."""
        ((value,),) = [row.values() for row in self.rows]
        return value


class Terminal:
    """A running `headgate sql --format json`; has `sql(text)` as a Spark session has."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        ours, theirs = os.openpty()  # a prompt answers each statement; a pipe would be read to its end first
        silent(theirs)
        self._process = subprocess.Popen(
            [*command, "--format", "json"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environ, "PYTHONUTF8": "1"},
            preexec_fn=tether.to(os.getpid()),
        )
        os.close(theirs)
        self._typed = ours
        self._count = 0

    def sql(self, text: str) -> Rows:
        """Run one statement; Obstacle with the reason when it fails."""
        self._count += 1
        mark = f"end {self._count}"
        for line in typed(text, mark):
            os.write(self._typed, line)
        assert self._process.stdout is not None  # noqa: S101
        return Rows(rows=tuple(answered(self._process.stdout, mark)))

    def close(self) -> None:
        """Leave; kills it when it does not go within ten seconds."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._typed)
        if self._process.stdout is not None:
            self._process.stdout.close()


def silent(terminal: int) -> None:
    """Switch a terminal's echo off: nobody reads it."""
    state = termios.tcgetattr(terminal)
    state[ECHO_FIELD] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, state)


def typed(text: str, mark: str) -> Iterator[bytes]:
    """The lines to type: the statement, then one whose result says that it is over."""
    statement = text.strip().rstrip(";")
    for line in [*statement.splitlines(), ";", f"SELECT '{mark}' AS {MARK};"]:
        raw = line.encode() + b"\n"
        if len(raw) > LINE_BYTES:
            raise ValueError(f"a line of {len(raw)} bytes is too long for a terminal")
        yield raw


def answered(said: Iterable[bytes] | BinaryIO, mark: str) -> Iterator[dict[str, Any]]:
    """The rows up to the mark; Obstacle when an error comes instead, or the end."""
    trouble: list[str] = []
    for raw in said:
        line = PROMPTS.sub(b"", raw).decode(errors="replace").rstrip()
        row = json.loads(line) if line.startswith("{") else None
        if row is not None and row.get(MARK) == mark:
            if trouble:
                raise Obstacle("\n".join(trouble))
            return
        if row is not None:
            yield row
        elif trouble or line.startswith("error:"):
            trouble.append(line)
    raise Obstacle("The SQL session ended: " + ("\n".join(trouble) or "it said nothing."))
