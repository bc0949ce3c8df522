"""docker-compose.yml as data, and each of our services as a command and environment to start here."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = REPOSITORY / "docker-compose.yml"
REFERENCE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<how>:[-?])?(?P<rest>[^}]*)\}")


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One service as a process of this machine. `environment` is what the file sets, no more."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    replicas: int


def services(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """Every service of the file, anchors merged, references as they are written."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text())["services"]
    return found


def ours(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """The services that run our own image."""
    return {name: service for name, service in services(file).items() if service.get("image") == "headgate"}


def resolved(text: str, given: Mapping[str, str]) -> str:
    """Compose's own `${NAME:-default}` and `${NAME:?why}`; KeyError for a required one that is not given."""

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if given.get(name):
            return given[name]
        if match["how"] == ":-":
            return match["rest"]
        raise KeyError(f"{name} is required: {match['rest']}")

    return REFERENCE.sub(value, text)


def launches(given: Mapping[str, str], here: Mapping[str, str], file: Path = FILE) -> list[Launch]:
    """Our services in the file's order, to be started on this machine.

    `given`: what `.env` would hold. `here`: values for this machine (broker, ports, directories) that replace
    what the file says; a variable that a service does not set is not added, so that what it lacks shows.
    """
    return [
        Launch(
            name=name,
            command=tuple(sys.executable if word == "python" else word for word in service["command"]),
            environment={
                key: here.get(key, resolved(value, given)) for key, value in service.get("environment", {}).items()
            },
            replicas=service.get("deploy", {}).get("replicas", 1),
        )
        for name, service in ours(file).items()
    ]
