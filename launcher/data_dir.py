"""The data directory: private, one instance at a time, with its first admin's token and master key."""

import fcntl
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from launcher.obstacle import Obstacle

Draw = Callable[[int], bytes]  # so many random bytes


def make(data: Path) -> None:
    """Make it, for its owner alone; Obstacle when it cannot be written."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        data.chmod(0o700)
        (data / "logs").mkdir(exist_ok=True)
        probe = data / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise Obstacle(f"The data directory {data} cannot be written ({problem.strerror}).") from problem


def occupy(data: Path) -> int:
    """Take the directory for this process, until it ends; Obstacle when a live instance has it."""
    handle = os.open(data / "instance.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        holder = os.read(handle, 32).decode(errors="replace").strip()
        os.close(handle)
        raise Obstacle(
            f"The data directory {data} is in use by a running Headgate (process {holder or 'unknown'}): "
            "stop it, or give another --data."
        ) from problem
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


def admin_token(data: Path, preset: str | None, draw: Draw) -> str:
    """The first admin's token: `preset`, else what `admin.token` holds, else a new one.

    Afterwards the file (0600) holds it, for other commands on this directory.
    """
    path = data / "admin.token"
    kept = path.read_text().strip() if path.is_file() else ""
    token = preset or kept or f"dapi{draw(16).hex()}"
    if token != kept:
        _write_private(path, token)
    return token


def master_key(data: Path, draw: Draw) -> None:
    """Make `master.key` (0600, base64 of 32 bytes) unless it is there: what it sealed needs it again."""
    path = data / "master.key"
    if not path.is_file():
        _write_private(path, b64encode(draw(32)).decode())


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
