"""Dead letters as JSON lines in files, and `python -m sinks.dead_letters` to look at them.

The topic keeps them for 14 days, the files as long as there is room for FILES of them. A line is on the
disk before its offset is committed; lines that come again after a crash are recognised and left out.
"""

import argparse
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from contract import codec
from sinks.letters import Letter, printable
from sinks.settings import Settings

FILE_BYTES = 16 * 1024 * 1024
FILES = 64
REMEMBERED = 4_000  # several times what one batch can repeat
PATTERN = "letters-*.jsonl"


class Files:
    """The files of one directory; only one process writes there."""

    def __init__(self, directory: Path, file_bytes: int = FILE_BYTES, files: int = FILES) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory, self._file_bytes, self._files = directory, file_bytes, files
        _cut_torn_line(directory)
        newest = sorted(directory.glob(PATTERN))[-2:]
        self._recent = deque((row.identity for path in newest for row in rows(path)), maxlen=REMEMBERED)

    def append(self, letters: Sequence[Letter]) -> list[Letter]:
        """Write those that are not there yet, durable on return; what was written. OSError leaves no half line."""
        known = set(self._recent)
        fresh = [letter for letter in letters if letter.identity not in known]
        if fresh:
            path = self._current()
            self._write(path, b"".join(codec.encode(letter) + b"\n" for letter in fresh))
            self._recent.extend(letter.identity for letter in fresh)
        return fresh

    def _write(self, path: Path, lines: bytes) -> None:
        with FileIO(path, "ab", opener=_private) as file:
            begun = file.seek(0, os.SEEK_END)
            try:
                rest = memoryview(lines)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(begun)
                raise
        if not begun:
            _sync_directory(self._directory)

    def _current(self) -> Path:
        paths = sorted(self._directory.glob(PATTERN))
        if paths and paths[-1].stat().st_size < self._file_bytes:
            return paths[-1]
        for old in paths[: max(0, len(paths) - self._files + 1)]:
            old.unlink()
        number = int(paths[-1].stem.partition("-")[2]) + 1 if paths else 1
        return self._directory / f"letters-{number:08d}.jsonl"


def rows(path: Path) -> Iterator[Letter]:
    """The letters of a file in order; lines that are none are passed over."""
    with path.open("rb") as lines:
        for line in lines:
            row = codec.read(Letter, line)
            if isinstance(row, Letter):
                yield row


def last(directory: Path, count: int) -> list[Letter]:
    """The last `count` letters, oldest first; empty when there is no directory."""
    kept: deque[Letter] = deque(maxlen=count)
    for path in sorted(directory.glob(PATTERN)):
        kept.extend(rows(path))
    return list(kept)


def line(letter: Letter) -> str:
    """One letter for people: when, where from, how big, why."""
    at = datetime.fromtimestamp(letter.at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    where = f"{letter.topic or '?'}/{letter.partition}/{letter.offset}"
    return printable(f"{at}  {where}  key={letter.key}  {len(letter.content)} bytes  {letter.reason}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the dead letters; 0 also when there are none."""
    parser = argparse.ArgumentParser(prog="headgate dead-letters", description="Records that were laid aside, and why.")
    parser.add_argument("--data", type=Path, help="data directory (default: HEADGATE_DATA)")
    parser.add_argument("--last", type=int, default=20, metavar="N", help="how many (default 20)")
    parser.add_argument("--show", action="store_true", help="with their contents, which may be private")
    asked = parser.parse_args(arguments)
    directory = asked.data / "dead_letters" if asked.data else Settings.from_env().dead_letters
    letters = last(directory, max(0, asked.last))
    for letter in letters:
        print(line(letter))
        if asked.show:
            print("    " + printable(letter.content.decode(errors="backslashreplace")).replace("\n", "\n    "))
    if not letters:
        print(f"No dead letters in {directory}.")
    return 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _cut_torn_line(directory: Path) -> None:
    """Drop what a crash left half written at the end of the newest file: its offset was not committed."""
    paths = sorted(directory.glob(PATTERN))
    if paths and not (content := paths[-1].read_bytes()).endswith(b"\n"):
        os.truncate(paths[-1], content.rfind(b"\n") + 1)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
