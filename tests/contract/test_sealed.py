"""What is sealed between ingress and workers: for which endpoints, bound to what, and for ever in the same form."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract import codec, sealed
from contract.endpoint import AiGateway
from contract.guardrails import Extensions, Guardrail, Guardrails, Pii
from contract.records import Reply, ReplyChunk, ReplyFinished, ReplyStarted, RequestReceived
from ingress import sealing
from processors.sealing import Transit
from tests.processors.agents.world import endpoint, request

EXAMPLES = Path(__file__).parent / "examples"
KEY = b"k" * 32
SEALED = sorted(EXAMPLES.glob("*/*sealed*.json"))


def side(behavior: Any = "MASK", extensions: Extensions | None = None) -> Guardrail:
    return Guardrail(safety=False, pii_detection=True, pii=Pii(behavior=behavior), extensions=extensions)


REVERSIBLE = Extensions(reversible=True)


@pytest.mark.parametrize(
    ("gateway", "is_so"),
    [
        (None, False),
        (AiGateway(), False),
        (AiGateway(guardrails=Guardrails()), False),
        (AiGateway(guardrails=Guardrails(input=side())), False),
        (AiGateway(guardrails=Guardrails(input=side(extensions=Extensions(whole_words=True)))), False),
        (AiGateway(guardrails=Guardrails(output=side(extensions=REVERSIBLE))), False),
        (AiGateway(guardrails=Guardrails(input=side("BLOCK", REVERSIBLE))), False),
        (AiGateway(guardrails=Guardrails(input=side(extensions=Extensions(reversible=True, observe=True)))), False),
        (AiGateway(guardrails=Guardrails(input=side(extensions=REVERSIBLE))), True),
    ],
)
def test_an_endpoint_masks_reversibly_when_its_requests_are_masked_so(gateway: AiGateway | None, is_so: bool) -> None:
    assert sealed.is_reversible(endpoint(gateway)) is is_so


def test_no_endpoint_masks_nothing() -> None:
    assert not sealed.is_reversible(None)


def test_every_request_has_a_key_of_its_own_that_is_not_the_master_key() -> None:
    keys = {sealed.key_of(KEY, "r1"), sealed.key_of(KEY, "r2"), sealed.key_of(b"o" * 32, "r1"), KEY}
    assert len(keys) == 4 and {len(key) for key in keys} == {32}


def test_no_two_records_of_a_request_are_bound_to_the_same_place() -> None:
    of: dict[str, Any] = {"request_id": "r1", "boot_id": "b", "attempt": "a"}
    records: list[RequestReceived | Reply] = [
        request(),
        request(request_id="r2"),
        ReplyStarted(**of, data=""),
        ReplyStarted(**of | {"attempt": "b"}, data=""),
        ReplyChunk(**of, seq=0, data=""),
        ReplyChunk(**of, seq=1, data=""),
        ReplyFinished(**of, seq=1, status=200),
        ReplyFinished(**of | {"attempt": ""}, seq=1, status=200),
    ]
    assert len({sealed.bound_to(record) for record in records}) == len(records)


def content(path: Path) -> str:
    """What an example holds, opened by whom it is for."""
    if path.parent.name == "gateway.requests":
        record = codec.read(RequestReceived, path.read_bytes())
        assert isinstance(record, RequestReceived) and bytes(record.body) == b"null"
        return (Transit(base64.b64encode(KEY).decode()).body(record) or b"").decode()
    reply: Any = msgspec.json.decode(path.read_bytes(), type=Reply)
    opened = sealing.reply_opened(reply, KEY)
    assert opened is not None and not opened.sealed and reply != opened
    return opened.data + (bytes(opened.body).decode() if isinstance(opened, ReplyFinished) else "")


@pytest.mark.parametrize("path", SEALED, ids=[path.stem for path in SEALED])
def test_what_was_sealed_once_opens_for_ever(path: Path) -> None:
    assert "555-123" not in path.read_text()
    said = content(path)
    assert any(word in said for word in ("555-123-4567", "Calling ", "[DONE]"))


def test_there_is_an_example_of_each_sealed_record() -> None:
    kinds = {json.loads(path.read_bytes()).get("kind", "request") for path in SEALED}
    assert kinds == {"request", "started", "chunk", "finished"}


def test_a_record_in_clear_has_nothing_sealed() -> None:
    assert msgspec.json.decode(codec.encode(request()))["sealed"] == ""
