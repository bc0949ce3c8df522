"""Everything the ingress takes from the environment, read once."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from contract import access, limits
from contract.access import Access

MIB = 1024 * 1024


class Hidden:
    """A secret text that never shows itself: `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "<hidden>"

    def reveal(self) -> str:
        """The text itself."""
        return self._text


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen settings of one ingress process. Sizes in bytes, times in the unit of their name.

    `admin_token`, `master_key`: None where the environment has none; then a file in `data` holds them.
    `waiting`, `waiting_bytes`: callers that may wait at once, and their bodies together.
    `metrics_host`, `metrics_port`: where the sinks serve their metrics.
    `stream_bytes`: what may lie ready for one caller that reads slowly.
    """

    brokers: str = "127.0.0.1:9092"
    kafka: Access = Access()
    data: Path = Path(".headgate")
    host: str = "127.0.0.1"
    port: int = 8400
    master_key: Hidden | None = None
    admin_token: Hidden | None = None
    admin_email: str = "admin@headgate.local"
    account_id: str = "00000000-0000-4000-8000-000000000001"
    workspace_id: str = "1"
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9464
    status_file: Path | None = None
    log_level: str = "INFO"
    body_bytes: int = limits.BODY_BYTES
    request_seconds: int = 300
    command_seconds: int = 20
    drain_seconds: int = 30
    waiting: int = 20_000
    waiting_bytes: int = 512 * MIB
    stream_bytes: int = MIB
    retry_after: bool = False

    @staticmethod
    def from_env(env: Mapping[str, str] = os.environ) -> "Settings":
        """Settings from `HEADGATE_*`; ValueError names a variable that does not parse."""
        status = env.get("HEADGATE_STATUS_FILE")
        return Settings(
            brokers=env.get("HEADGATE_BROKERS", "127.0.0.1:9092"),
            kafka=access.from_env(env, lambda name: Path(name).read_text()),
            data=Path(env.get("HEADGATE_DATA", ".headgate")),
            host=env.get("HEADGATE_HOST", "127.0.0.1"),
            port=_number(env, "HEADGATE_PORT", 8400),
            master_key=_hidden(env.get("HEADGATE_MASTER_KEY")),
            admin_token=_hidden(env.get("HEADGATE_ADMIN_TOKEN")),
            admin_email=env.get("HEADGATE_ADMIN_EMAIL", "admin@headgate.local"),
            account_id=env.get("HEADGATE_ACCOUNT_ID", Settings().account_id),
            workspace_id=str(_number(env, "HEADGATE_WORKSPACE_ID", 1)),
            metrics_host=env.get("HEADGATE_METRICS_HOST", "127.0.0.1"),
            metrics_port=_number(env, "HEADGATE_METRICS_PORT", 9464),
            status_file=Path(status) if status else None,
            log_level=env.get("HEADGATE_LOG_LEVEL", "INFO").upper(),
            body_bytes=_number(env, "HEADGATE_BODY_BYTES", limits.BODY_BYTES),
            request_seconds=_number(env, "HEADGATE_REQUEST_SECONDS", 300),
            command_seconds=_number(env, "HEADGATE_COMMAND_SECONDS", 20),
            drain_seconds=_number(env, "HEADGATE_DRAIN_SECONDS", 30),
            waiting=_number(env, "HEADGATE_WAITING", 20_000),
            waiting_bytes=_number(env, "HEADGATE_WAITING_BYTES", 512 * MIB),
            stream_bytes=_number(env, "HEADGATE_STREAM_BYTES", MIB),
            retry_after=env.get("HEADGATE_RETRY_AFTER", "false").lower() == "true",
        )


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} must be a whole number")
    return int(text)


def _hidden(text: str | None) -> Hidden | None:
    return Hidden(text) if text else None


def kept(path: Path, make: Callable[[], str]) -> Hidden:
    """The text of a 0600 file; made once, by whoever comes first.

    The file appears whole (written aside, then linked), so a second process never reads half of it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass  # somebody else was first: theirs counts
        finally:
            aside.unlink()
    return Hidden(path.read_text().strip())
