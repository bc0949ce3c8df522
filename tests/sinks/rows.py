"""Records and log rows to feed the sinks with."""

from collections.abc import Sequence
from typing import Any

import msgspec

from contract import codec
from contract.records import RequestLogged


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A consumed record, as `sinks.record.Record` wants it."""

    topic: str = "gateway.dead_letters"
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_790_000_000_000
    key: bytes | None = b"key"
    value: bytes | None = b"value"
    headers: Sequence[tuple[str, bytes]] = ()


def buried(offset: int, value: bytes = b"{broken", reason: str = "not JSON", **more: Any) -> Row:
    """A dead letter as the workers publish it."""
    headers = [("reason", reason.encode()), ("topic", b"gateway.requests"), ("partition", b"3"), ("offset", b"17")]
    return Row(offset=offset, value=value, headers=headers, **more)


def logged(**facts: Any) -> RequestLogged:
    """A log row with `facts` over an answered request's."""
    usual: dict[str, Any] = {
        "request_id": "6f0c1f3e",
        "received_at_ms": 1_790_000_000_000,
        "endpoint_id": "e1",
        "endpoint_name": "chat",
        "served_entity_id": "s1",
        "served_entity_name": "gpt",
        "requester": "somebody@example.com",
        "status_code": 200,
        "account_id": "a",
        "workspace_id": "1",
    }
    return RequestLogged(**usual | facts)


def log_record(**facts: Any) -> Row:
    """The same as it lies on the topic."""
    return Row(topic="gateway.log", value=codec.encode(logged(**facts)))
