"""The jars: which ones (`jars.lock`), whether they are whole, and fetching them once.

Three class paths, each a directory below HEADGATE_JARS: `kafka` is the broker's, `spark` is what
Spark gets besides pyspark's own, `tools` compiles `spark_jobs/jvm` where Java has no compiler.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from launcher import ivy
from launcher.java import Java
from launcher.obstacle import Obstacle

LOCK = Path(__file__).with_name("jars.lock")
Say = Callable[[str], None]


class Jar(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the lock."""

    classpath: str
    coordinates: str
    sha256: str

    @property
    def path(self) -> str:
        """Where it lies below the jars' directory."""
        return f"{self.classpath}/{ivy.jar_name(self.coordinates)}"


def locked(lock: Path = LOCK) -> tuple[Jar, ...]:
    """The rows of the lock, in its order."""
    rows = [line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    return tuple(Jar(classpath=where, coordinates=what, sha256=digest) for where, what, digest in rows)


def classpath(directory: Path, name: str) -> list[Path]:
    """The jars of one class path, sorted, so that a command line is the same each time."""
    return [directory / jar.path for jar in sorted(locked(), key=lambda jar: jar.path) if jar.classpath == name]


def ensure(directory: Path, java: Java, say: Say, rows: Sequence[Jar] | None = None) -> None:
    """Make every locked jar lie whole in `directory`; fetches what is missing.

    All are hashed each time: 75 MB take a tenth of a second. Obstacle names a corrupt one.
    Safe when two starts share the directory: the second waits and then finds them.
    """
    rows = locked() if rows is None else rows
    if not missing(directory, rows):
        return
    with _alone(directory):
        wanted = missing(directory, rows)
        if wanted:
            _fetch(directory, wanted, java, say)


def missing(directory: Path, rows: Sequence[Jar]) -> list[Jar]:
    """Which of `rows` are not there; Obstacle when one is there but is not what the lock says."""
    absent = []
    for jar in rows:
        path = directory / jar.path
        if not path.is_file():
            absent.append(jar)
        elif digest(path) != jar.sha256:
            raise Obstacle(
                f"The jar {path} is corrupt (its sha256 is not the one in {LOCK.name}): delete it and run `make setup`."
            )
    return absent


def digest(path: Path) -> str:
    """A file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(directory: Path, wanted: Sequence[Jar], java: Java, say: Say) -> None:
    done = 0

    def got(name: str) -> None:
        nonlocal done
        done += 1
        if done % 10 == 0 or done == len(wanted):
            say(f"jars: {done} of {len(wanted)} ({name})")

    say(f"jars: downloading {len(wanted)}, once, into {directory}")
    for name in dict.fromkeys(jar.classpath for jar in wanted):
        part = [jar for jar in wanted if jar.classpath == name]
        with tempfile.TemporaryDirectory(dir=directory) as fresh:
            ivy.fetch([jar.coordinates for jar in part], Path(fresh), java, got)
            _admit(Path(fresh), directory, part)


def _admit(fresh: Path, directory: Path, part: Sequence[Jar]) -> None:
    for jar in part:
        downloaded, final = fresh / Path(jar.path).name, directory / jar.path
        if digest(downloaded) != jar.sha256:
            raise Obstacle(f"The download of {jar.coordinates} is not what {LOCK.name} says (its sha256 differs).")
        final.parent.mkdir(exist_ok=True)
        downloaded.replace(final)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise Obstacle(f"The jars' directory {directory} cannot be written ({problem.strerror}).") from problem
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
