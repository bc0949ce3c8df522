"""HTTP bodies to records, records to HTTP bodies and headers. Pure."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from contract import endpoint, limits, refusals
from contract.refusals import Refusal

T = TypeVar("T")
RawHeaders = list[tuple[bytes, bytes]]
BEARER = "bearer "
JSON = b"application/json"
EVENTS = b"text/event-stream; charset=utf-8"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What the ingress reads of a query's body; the rest is the worker's."""

    model: str | None = None
    stream: bool | None = None
    client_request_id: str | None = None
    usage_context: dict[str, str] | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ANY_JSON = msgspec.json.Decoder(msgspec.Raw)
SPARE_DEPTH = 200


def envelope(body: bytes) -> Envelope | Refusal:
    """Read a query's envelope; 400 when the body is no JSON object in UTF-8, or names the field that is wrong.

    The whole body is checked here: it goes into a record as it is, and must not make that record unreadable.
    """
    try:
        str(body, "utf-8")
        read = _ENVELOPE.decode(body)
        _check_depth(body)
    except msgspec.ValidationError as error:
        return refusals.invalid(endpoint.field_message(error))
    except UnicodeDecodeError:
        return refusals.malformed_json("not UTF-8")
    except msgspec.DecodeError as error:
        return refusals.malformed_json(str(error))
    except RecursionError:
        return refusals.malformed_json("nested too deeply")
    if read.usage_context and len(msgspec.json.encode(read.usage_context)) > limits.USAGE_CONTEXT_BYTES:
        return refusals.invalid(f"usage_context: must not exceed {limits.USAGE_CONTEXT_BYTES} bytes")
    return read


def _check_depth(body: bytes) -> None:
    """RecursionError for a body that this stack can just read but a worker's, somewhat deeper, could not."""
    if body.count(b"[") + body.count(b"{") > SPARE_DEPTH:
        _ANY_JSON.decode(b"[" * SPARE_DEPTH + body + b"]" * SPARE_DEPTH)


def asked(kind: type[T], body: bytes) -> T | Refusal:
    """A management call's body; 400 when it is malformed, nested beyond reason, or names the field that is wrong."""
    try:
        return endpoint.asked(kind, body)
    except RecursionError:
        return refusals.malformed_json("nested too deeply")


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The first header of that (lower-case) name."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return None


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The bearer token, None when there is none.

    >>> bearer([(b"authorization", b"Bearer dapi123")])
    'dapi123'
    """
    sent = header(headers, b"authorization")
    if sent is None or sent[:7].lower() != BEARER:
        return None
    return sent[7:].strip() or None


def refused(refusal: Refusal, request_id: str) -> Answer:
    """A refusal in the vendor's envelope."""
    return Answer(status=refusal.status, body=refusals.body(refusal, request_id))


def answered(value: Any) -> Answer:
    """A value as JSON, 200."""
    return Answer(body=msgspec.json.encode(value))


def head(content_type: bytes, request_id: str, workspace_id: bytes, config_version: int) -> RawHeaders:
    """The headers every answer carries, but for its length."""
    name = request_id.encode()
    return [
        (b"content-type", content_type),
        (b"x-databricks-request-id", name),
        (b"x-request-id", name),
        (b"x-databricks-org-id", workspace_id),
        (b"x-headgate-config-version", b"%d" % config_version),
    ]


def error_event(refusal: Refusal, request_id: str) -> bytes:
    """A refusal in the middle of a stream: `error` for OpenAI's clients, the vendor's keys for the others.

    api-contract.md 3.3: without a truthy `error` the first kind takes it for one more chunk.
    """
    error = {"message": refusal.message, "code": refusal.error_code, "type": refusal.name}
    event = {"error": error, **refusals.envelope(refusal.error_code, refusal.message, request_id)}
    return b"data: " + msgspec.json.encode(event) + b"\n\n"
