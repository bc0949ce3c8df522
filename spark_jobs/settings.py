"""What the lake's programs take from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from contract import access
from contract.access import Access


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are. `interval_seconds`: between micro-batches. `jars`: holds `spark/` and `headgate-spark.jar`."""

    brokers: str
    data: Path
    lake: Path
    jars: Path
    interval_seconds: float
    log_level: str
    kafka: Access = Access()


def text(file: str) -> str:
    """What a file says."""
    return Path(file).read_text()


def from_env(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read HEADGATE_*; what is unset gets the embedded stack's value. ValueError for an interval that is none."""
    data = Path(environ.get("HEADGATE_DATA", ".headgate")).absolute()
    interval = float(environ.get("HEADGATE_LAKE_INTERVAL", "10"))
    if interval <= 0:
        raise ValueError(f"HEADGATE_LAKE_INTERVAL must be above 0, got {interval}")
    return Settings(
        brokers=environ.get("HEADGATE_BROKERS", "127.0.0.1:9092"),
        data=data,
        lake=Path(environ.get("HEADGATE_LAKE", data / "lake")).absolute(),
        jars=Path(environ.get("HEADGATE_JARS", data / "jars")).absolute(),
        interval_seconds=interval,
        log_level=environ.get("HEADGATE_LOG_LEVEL", "INFO"),
        kafka=access.from_env(environ, text),
    )
