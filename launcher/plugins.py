"""Compile `spark_jobs/jvm/*.java` into `headgate-spark.jar`, beside the jars it is used with."""

import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from launcher import ivy, jars
from launcher.java import Java
from launcher.obstacle import Obstacle

NAME = "headgate-spark.jar"
OPTIONS = ("-source", "17", "-target", "17", "-nowarn", "-proc:none", "-encoding", "UTF-8")


def ensure(sources: Path, directory: Path, java: Java, say: Callable[[str], None]) -> Path | None:
    """Make `<directory>/headgate-spark.jar` newer than every source; None when there are no sources.

    Obstacle with the compiler's words when they do not compile.
    """
    files = sorted(sources.glob("*.java"))
    made = directory / NAME
    if not files:
        return None
    if not made.is_file() or made.stat().st_mtime <= max(file.stat().st_mtime for file in files):
        say(f"compiling {len(files)} Java files of {sources.name}")
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            _compile(files, Path(scratch), compiler(directory, java))
            _pack(Path(scratch), made)
    return made


def compiler(directory: Path, java: Java) -> list[str]:
    """The command that compiles: this Java's own `javac`, else ecj run by this Java."""
    if java.compiler:
        return [java.compiler]
    tool = jars.classpath(directory, "tools")
    return [java.command, "-cp", str(tool[0]), "org.eclipse.jdt.internal.compiler.batch.Main"]


def _compile(files: Sequence[Path], classes: Path, command: Sequence[str]) -> None:
    path = f"{ivy.pyspark_jars()}/*"
    if len(command) > 1:  # ecj knows no wildcard
        path = ":".join(str(jar) for jar in sorted(ivy.pyspark_jars().glob("*.jar")))
    line = [*command, *OPTIONS, "-cp", path, "-d", str(classes), *map(str, files)]
    run = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode:
        raise Obstacle(f"{files[0].parent} does not compile:\n{run.stdout.strip()}")


def _pack(classes: Path, made: Path) -> None:
    fresh = made.with_suffix(".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(classes.rglob("*.class")):
            archive.write(file, file.relative_to(classes))
    fresh.replace(made)
