"""The wire: bodies are read as far as the ingress needs and no record can become unreadable by them."""

import msgspec
import pytest

from contract import codec, refusals
from contract.codec import Unreadable
from contract.records import Requester, RequestReceived
from contract.refusals import Refusal
from ingress import wire
from ingress.wire import Envelope
from tests.support import errors


def read(body: bytes) -> Envelope:
    found = wire.envelope(body)
    assert isinstance(found, Envelope), found
    return found


def refused(body: bytes) -> Refusal:
    found = wire.envelope(body)
    assert isinstance(found, Refusal)
    return found


def test_the_envelope_is_read_and_fields_of_others_are_passed_over() -> None:
    body = b'{"model":"m","stream":true,"client_request_id":"c","usage_context":{"a":"b"},"messages":[{}],"new":1}'
    assert read(body) == Envelope(model="m", stream=True, client_request_id="c", usage_context={"a": "b"})


def test_nulls_are_as_good_as_absent() -> None:
    assert read(b'{"model":null,"stream":null,"usage_context":null}') == Envelope()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{]", b'{"a":1}x', b'{"a":NaN}', b"\xff", b'{"a":"\xff"}', b'{"a":"\x01"}']
)
def test_a_malformed_body_is_said_to_be_malformed(body: bytes) -> None:
    refusal = refused(body)
    assert (refusal.status, refusal.error_code) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[]", "body"),
        (b"null", "body"),
        (b'{"model":1}', "model"),
        (b'{"stream":"yes"}', "stream"),
        (b'{"client_request_id":[]}', "client_request_id"),
        (b'{"usage_context":{"a":1}}', "usage_context"),
        (b'{"usage_context":[]}', "usage_context"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, field: str) -> None:
    refusal = refused(body)
    assert refusal.status == 400 and refusal.message.startswith(field)


def test_a_usage_context_of_10_kib_passes_and_more_does_not() -> None:
    def context(size: int) -> bytes:
        return msgspec.json.encode({"usage_context": {"k": "x" * (size - len('{"k":""}'))}})

    assert read(context(10 * 1024)).usage_context
    assert refused(context(10 * 1024 + 1)).message.startswith("usage_context")


@pytest.mark.parametrize("depth", [50, 300, 600, 700, 800, 900, 950, 1000, 5000, 100_000])
def test_a_body_that_passes_leaves_its_record_readable_at_any_depth(depth: int) -> None:
    body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    found = wire.envelope(body)
    if isinstance(found, Refusal):
        assert found.error_code == "MALFORMED_REQUEST" and depth > 500
        return
    record = RequestReceived(
        request_id="r",
        endpoint="e",
        requester=Requester(name="n"),
        received_at_ms=0,
        deadline_ms=1,
        reply_slot=0,
        boot_id="b",
        body=msgspec.Raw(body),
    )
    again = codec.read(RequestReceived, codec.encode(record))
    assert not isinstance(again, Unreadable) and bytes(again.body) == body


@pytest.mark.parametrize(
    ("sent", "token"),
    [
        (b"Bearer dapi1", "dapi1"),
        (b"bearer  dapi1 ", "dapi1"),
        (b"Basic abc", None),
        (b"Bearer", None),
        (b"Bearer   ", None),
        (b"", None),
    ],
)
def test_the_bearer_token_is_taken_from_its_header(sent: bytes, token: str | None) -> None:
    assert wire.bearer([(b"host", b"x"), (b"authorization", sent)]) == token


def test_no_header_no_token() -> None:
    assert wire.bearer([]) is None


def test_an_error_event_is_one_data_line_that_both_kinds_of_clients_understand() -> None:
    text = wire.error_event(refusals.too_late(), "r1")
    assert text.startswith(b"data: ") and text.endswith(b"\n\n") and text.count(b"\n") == 2
    event = errors.named(msgspec.json.decode(text.removeprefix(b"data: ")), "r1")
    assert event["error"]["code"] == event["error_code"] == "DEADLINE_EXCEEDED"
    assert event["error"]["message"] == event["message"] and event["error"]["type"]


def test_a_management_body_nested_beyond_reason_is_malformed() -> None:
    found = wire.asked(dict, b'{"a":' + b"[" * 100_000)
    assert isinstance(found, Refusal) and found.error_code == "MALFORMED_REQUEST"
