"""Which parts an instance has, with which command and environment; pure but for the paths' names."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from launcher.broker import Prepared, answers
from launcher.children import Part
from launcher.settings import REPOSITORY, Settings

# Whoever answers callers stops first and can still drain into the workers; the broker stops last.
STOP_ORDER = (("ingress",), ("worker", "sinks", "lake"), ("broker",))


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `headgate up` was asked for."""

    host: str = "127.0.0.1"
    port: int = 8400
    workers: int = 1
    lake: bool = True
    lake_interval: int = 10
    sinks: bool = True


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a running instance; kept in `<data>/instance.json` for the other commands."""

    url: str
    brokers: str
    metrics_port: int


def environment(settings: Settings, java_home: Path | None, instance: Instance | None) -> dict[str, str]:
    """What every child gets: the launcher's own environment, and where everything is.

    Without an instance, HEADGATE_BROKERS and HEADGATE_URL stay as they are outside.
    """
    data = settings.data
    ours = {
        "HEADGATE_DATA": str(data),
        "HEADGATE_JARS": str(settings.jars),
        "HEADGATE_LAKE": settings.environ.get("HEADGATE_LAKE") or str(data / "lake"),
        "HEADGATE_STATUS_FILE": str(data / "status.json"),
        "HEADGATE_TOKEN_FILE": settings.environ.get("HEADGATE_TOKEN_FILE") or str(data / "admin.token"),
        "PYSPARK_PYTHON": settings.python,
        "PYSPARK_DRIVER_PYTHON": settings.python,
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
    }
    if java_home:
        ours["JAVA_HOME"] = str(java_home)
    if instance:
        ours |= {"HEADGATE_BROKERS": instance.brokers, "HEADGATE_URL": instance.url}
        ours["HEADGATE_KAFKA_SECURITY_PROTOCOL"] = "PLAINTEXT"  # our own broker, on loopback
    return settings.environ | ours


def serving_environment(options: Options, instance: Instance) -> dict[str, str]:
    """What the services need besides: where they listen, how often the lake is filled."""
    return {
        "HEADGATE_HOST": options.host,
        "HEADGATE_PORT": str(options.port),
        "HEADGATE_METRICS_PORT": str(instance.metrics_port),
        "HEADGATE_LAKE_INTERVAL": str(options.lake_interval),
    }


def module(settings: Settings, name: str) -> tuple[str, ...]:
    """The command that runs a module; `-P` keeps the caller's directory off the import path."""
    return (settings.python, "-P", "-m", name)


def broker_part(prepared: Prepared, environ: Mapping[str, str]) -> Part:
    """The broker: ready when it answers, for Kafka logs no `ready`."""
    return Part(name="broker", command=prepared.command, environ=environ, probe=lambda: answers(prepared.port))


def service_parts(settings: Settings, options: Options, environ: Mapping[str, str]) -> list[Part]:
    """Everything after the broker and the topics, in no order: these wait for one another."""
    modules = {f"worker-{n}": "processors.app" for n in range(options.workers)} | {"ingress": "ingress.app"}
    if options.sinks:
        modules["sinks"] = "sinks.app"
    if options.lake:
        modules["lake"] = "spark_jobs.ingest"
    return [Part(name=name, command=module(settings, name_), environ=environ) for name, name_ in modules.items()]


def stop_order(names: list[str]) -> list[list[str]]:
    """The parts' names in the groups that stop together, first to last."""
    return [[name for name in names if name.startswith(group)] for group in STOP_ORDER]


def read_instance(data: Path) -> Instance | None:
    """The instance that last ran on this directory; None when there was none."""
    try:
        return msgspec.json.decode((data / "instance.json").read_bytes(), type=Instance)
    except (OSError, msgspec.MsgspecError):
        return None
