"""What the sinks take from their surroundings; nothing else in this house reads them."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the broker is, where files go, where metrics are served. No secret is among them."""

    brokers: str
    data: Path
    metrics_host: str
    metrics_port: int
    log_level: str

    @property
    def dead_letters(self) -> Path:
        """The directory of the dead-letter files."""
        return self.data / "dead_letters"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment; ValueError when the port is no number."""
        env = os.environ if environ is None else environ
        return cls(
            brokers=env.get("HEADGATE_BROKERS", "127.0.0.1:9092"),
            data=Path(env.get("HEADGATE_DATA", ".headgate")),
            metrics_host=env.get("HEADGATE_METRICS_HOST", "127.0.0.1"),
            metrics_port=int(env.get("HEADGATE_METRICS_PORT", "9464")),
            log_level=env.get("HEADGATE_LOG_LEVEL", "INFO"),
        )
