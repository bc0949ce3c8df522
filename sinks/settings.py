"""What the sinks take from their surroundings; nothing else in this house reads them."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from contract import access
from contract.access import Access


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker is and how it is reached, where files go, where metrics are served."""

    brokers: str
    data: Path
    metrics_host: str
    metrics_port: int
    log_level: str
    kafka: Access = Access()

    @property
    def dead_letters(self) -> Path:
        """The directory of the dead-letter files."""
        return self.data / "dead_letters"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment; ValueError names what does not fit."""
        env = os.environ if environ is None else environ
        return cls(
            brokers=env.get("HEADGATE_BROKERS", "127.0.0.1:9092"),
            data=Path(env.get("HEADGATE_DATA", ".headgate")),
            metrics_host=env.get("HEADGATE_METRICS_HOST", "127.0.0.1"),
            metrics_port=int(env.get("HEADGATE_METRICS_PORT", "9464")),
            log_level=env.get("HEADGATE_LOG_LEVEL", "INFO"),
            kafka=access.from_env(env, lambda name: Path(name).read_text()),
        )
