"""Everything the processors take from the environment, read once."""

import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from contract import access
from contract.access import Access

GUARD_KINDS = ("llama-guard-2", "llama-guard-3", "llama-guard-4", "openai-moderations", "shieldgemma")
INJECTION_KINDS = ("classify", "predict", "chat")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen settings of one worker. Sizes in bytes, times in the unit of their name."""

    brokers: str = "127.0.0.1:9092"
    kafka: Access = Access()
    data: str = ".headgate"
    worker: str = "worker"
    log_level: str = "INFO"
    account_id: str = "00000000-0000-4000-8000-000000000001"
    workspace_id: str = "1"
    group: str = "headgate-workers"
    in_flight: int = 4_000
    in_flight_bytes: int = 512 * 1024 * 1024
    endpoint_share: float = 0.25
    fetch_wait_ms: int = 50
    session_timeout_s: float = 10.0
    drain_s: float = 330.0
    log_raw_payloads: bool = False
    refuse_guarded_streams: bool = False
    guard_url: str = ""
    guard_model: str = ""
    guard_kind: str = ""
    topics_url: str = ""
    topics_model: str = ""
    injection_url: str = ""
    injection_model: str = ""
    injection_kind: str = ""
    guard_timeout_s: float = 10.0

    @staticmethod
    def from_env(env: Mapping[str, str] = os.environ) -> "Settings":
        """Settings from `HEADGATE_*`; ValueError names a variable that does not parse."""
        data = env.get("HEADGATE_DATA", ".headgate")
        return Settings(
            brokers=env.get("HEADGATE_BROKERS", "127.0.0.1:9092"),
            kafka=access.from_env(env, lambda name: Path(name).read_text()),
            data=data,
            worker=f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}",
            log_level=env.get("HEADGATE_LOG_LEVEL", "INFO"),
            account_id=env.get("HEADGATE_ACCOUNT_ID", Settings().account_id),
            workspace_id=env.get("HEADGATE_WORKSPACE_ID", "1"),
            in_flight=_number(env, "HEADGATE_IN_FLIGHT", 4_000),
            in_flight_bytes=_number(env, "HEADGATE_IN_FLIGHT_BYTES", 512 * 1024 * 1024),
            drain_s=float(_number(env, "HEADGATE_DRAIN_SECONDS", 330)),
            log_raw_payloads=env.get("HEADGATE_LOG_RAW_PAYLOADS", "false").lower() == "true",
            refuse_guarded_streams=env.get("HEADGATE_REFUSE_GUARDED_STREAMS", "false").lower() == "true",
            guard_url=_address(env, "HEADGATE_GUARD_URL", "HEADGATE_GUARD_MODEL"),
            guard_model=env.get("HEADGATE_GUARD_MODEL", ""),
            guard_kind=_kind(env, "HEADGATE_GUARD_KIND", "HEADGATE_GUARD_URL", GUARD_KINDS),
            topics_url=_address(env, "HEADGATE_TOPICS_URL", "HEADGATE_TOPICS_MODEL"),
            topics_model=env.get("HEADGATE_TOPICS_MODEL", ""),
            injection_url=_address(env, "HEADGATE_INJECTION_URL", "HEADGATE_INJECTION_MODEL"),
            injection_model=env.get("HEADGATE_INJECTION_MODEL", ""),
            injection_kind=_kind(env, "HEADGATE_INJECTION_KIND", "HEADGATE_INJECTION_URL", INJECTION_KINDS),
            guard_timeout_s=float(_number(env, "HEADGATE_GUARD_SECONDS", 10)),
        )


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not text.isdigit():
        raise ValueError(f"{name} must be a whole number, got {text!r}")
    return int(text)


def _address(env: Mapping[str, str], name: str, model: str) -> str:
    """Where a judge is; one that is somewhere has a model, too."""
    url = env.get(name, "")
    if url and not url.startswith(("http://", "https://")):
        raise ValueError(f"{name} must begin with http:// or https://")
    if url and not env.get(model):
        raise ValueError(f"{model} is required with {name}")
    return url


def _kind(env: Mapping[str, str], name: str, url: str, kinds: Sequence[str]) -> str:
    """A judge's kind: never guessed, because the same answer means different things to two of them."""
    kind = env.get(name, "")
    if (kind or env.get(url)) and kind not in kinds:
        raise ValueError(f"{name} must be one of {', '.join(kinds)}, got {kind!r}")
    return kind


def guard_key(env: Mapping[str, str] = os.environ) -> str:
    """The key of the guard model; empty where it needs none."""
    return env.get("HEADGATE_GUARD_KEY", "")


def topics_key(env: Mapping[str, str] = os.environ) -> str:
    """The key of the judge of topics; empty where it needs none."""
    return env.get("HEADGATE_TOPICS_KEY", "")


def injection_key(env: Mapping[str, str] = os.environ) -> str:
    """The key of the judge of prompt injection; empty where it needs none."""
    return env.get("HEADGATE_INJECTION_KEY", "")


def master_key_text(settings: Settings, env: Mapping[str, str] = os.environ) -> str:
    """The master key, base64 of 32 bytes: from the environment, else from the data directory's file."""
    return env.get("HEADGATE_MASTER_KEY") or (Path(settings.data) / "master.key").read_text().strip()
