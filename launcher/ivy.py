"""Fetch jars by their Maven coordinates, through the Ivy that pyspark ships."""

import importlib.util
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from launcher.java import Java
from launcher.obstacle import Obstacle

# Sums are ours to check (sha256, against the lock), and a locked list needs nobody's metadata.
SETTINGS = """<ivysettings>
  <property name="ivy.checksums" value=""/>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""
MODULE = """<ivy-module version="2.0">
  <info organisation="headgate" module="jars"/>
  <dependencies>{rows}</dependencies>
</ivy-module>
"""
ROW = '<dependency org="{}" name="{}" rev="{}" transitive="false"/>'
FETCHED = re.compile(r"\[SUCCESSFUL \]\s+\S+?#(\S+?);")


def pyspark_jars() -> Path:
    """The directory of pyspark's own jars; Obstacle when pyspark is not installed."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or not spec.origin:
        raise Obstacle("The package pyspark is not installed here: run `make setup`.")
    return Path(spec.origin).parent / "jars"


def fetch(coordinates: Sequence[str], into: Path, java: Java, got: Callable[[str], None]) -> None:
    """Put the jars of `coordinates` (group:artifact:version) into `into`; calls `got` for each one as it comes.

    Obstacle with Ivy's own last words when one cannot be had.
    """
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        said = []
        for line in _run(_command(coordinates, into, Path(scratch), java)):
            said.append(line)
            if match := FETCHED.search(line):
                got(match[1])
    missing = [c for c in coordinates if not (into / jar_name(c)).is_file()]
    if missing:
        hint = next(
            (line for line in reversed(said) if "xception" in line or "error" in line.lower()), "no reason given"
        )
        raise Obstacle(f"Could not download {missing[0]} ({hint.strip()}): check the network and run it again.")


def jar_name(coordinates: str) -> str:
    """The file name of a jar: artifact-version.jar."""
    _, artifact, version = coordinates.split(":")
    return f"{artifact}-{version}.jar"


def _command(coordinates: Iterable[str], into: Path, scratch: Path, java: Java) -> list[str]:
    settings, module = scratch / "settings.xml", scratch / "ivy.xml"
    settings.write_text(SETTINGS)
    module.write_text(MODULE.format(rows="".join(ROW.format(*c.split(":")) for c in coordinates)))
    ivy = next(pyspark_jars().glob("ivy-*.jar"), None)
    if ivy is None:
        raise Obstacle("pyspark is installed without its jars: run `make setup`.")
    options = [
        "-settings", str(settings), "-ivy", str(module), "-cache", str(scratch / "cache"),
        "-retrieve", f"{into}/[artifact]-[revision].[ext]",
    ]  # fmt: skip
    return [java.command, f"-Divy.default.ivy.user.dir={scratch}", "-cp", str(ivy), "org.apache.ivy.Main", *options]


def _run(command: Sequence[str]) -> Iterable[str]:
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as ivy:
        assert ivy.stdout is not None  # noqa: S101
        yield from ivy.stdout
