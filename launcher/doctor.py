"""`headgate doctor`: what is found on this machine, one line each."""

import fcntl
import os
import platform
from collections.abc import Callable
from pathlib import Path

from launcher import jars, java, plan, plugins, ports, stack
from launcher.obstacle import Obstacle
from launcher.settings import Settings


def report(settings: Settings, say: Callable[[str], None]) -> int:
    """Say it all; 1 when something stands in the way of a start, else 0. Changes nothing but a Java shim."""
    sound = True
    for name, look in LOOKS.items():
        try:
            say(f"{name:<10} {look(settings)}")
        except Obstacle as obstacle:
            sound = False
            say(f"{name:<10} NOT WELL: {obstacle}")
    return 0 if sound else 1


def _python(settings: Settings) -> str:
    return f"{platform.python_version()} in {settings.python}"


def _java(settings: Settings) -> str:
    found = java.find(settings.environ, settings.data / "java")
    return f"{found.version} from {found.found} in {found.home}, compiler {'javac' if found.compiler else 'ecj'}"


def _jars(settings: Settings) -> str:
    absent = jars.missing(settings.jars, jars.locked())
    if absent:
        return f"{len(absent)} of {len(jars.locked())} not fetched yet into {settings.jars} (`make setup` does)"
    return f"{len(jars.locked())} whole in {settings.jars}"


def _plugin(settings: Settings) -> str:
    made = settings.jars / plugins.NAME
    return str(made) if made.is_file() else "not compiled yet (`make setup` does)"


def _data(settings: Settings) -> str:
    if not settings.data.exists():
        return f"{settings.data}, made at the first start"
    if not os.access(settings.data, os.W_OK):
        raise Obstacle(f"The data directory {settings.data} cannot be written.")
    return f"{settings.data}, {'in use' if in_use(settings.data) else 'free'}"


def _instance(settings: Settings) -> str:
    instance = plan.read_instance(settings.data)
    if not instance or not in_use(settings.data):
        return "none is running on this data directory"
    return f"{instance.url} {'ready' if stack.healthy(instance.url) else 'not ready'}, broker {instance.brokers}"


def _ports(settings: Settings) -> str:
    wanted = {name: int(settings.environ.get(name) or usual) for name, usual in PORTS.items()}
    return ", ".join(f"{port} {'free' if ports.is_free(port) else 'taken'}" for port in wanted.values())


def in_use(data: Path) -> bool:
    """Whether a live instance has this data directory."""
    try:
        with (data / "instance.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


PORTS = {"HEADGATE_PORT": 8400, "HEADGATE_METRICS_PORT": stack.METRICS_PORT}
LOOKS: dict[str, Callable[[Settings], str]] = {
    "Python": _python,
    "Java": _java,
    "jars": _jars,
    "Spark jar": _plugin,
    "data": _data,
    "ports": _ports,
    "instance": _instance,
}
