"""Queries of endpoints that mask reversibly: sealed on their way out, opened on their way back, never silently lost."""

import base64
import json
from typing import Any

import msgspec

from contract import codec
from contract.records import Reply, ReplyChunk, ReplyFinished, ReplyStarted, RequestReceived
from processors.sealing import Transit
from tests.ingress.world import BOOT_ID, CHAT, MASTER_KEY, Line, World, finished

INVOKE = "/serving-endpoints/chat/invocations"
ENDPOINTS = "/api/2.0/serving-endpoints"
SIDE = {"pii": {"behavior": "MASK"}, "extensions": {"reversible": True}}
BODY = b'{"messages": [{"role":"user", "content":"555-123-4567"}]}'
TRANSIT = Transit(base64.b64encode(MASTER_KEY).decode())


async def masking() -> World:
    world = World()
    assert (await world.post(ENDPOINTS, {**CHAT, "ai_gateway": {"guardrails": {"input": SIDE}}})).status_code == 200
    return world


def streamed(request: RequestReceived, *texts: str) -> list[Reply]:
    """A stream of that many pieces, sealed as a worker seals it."""
    of: dict[str, Any] = {"request_id": request.request_id, "boot_id": BOOT_ID, "attempt": "a"}
    first, *more = (f"data: {json.dumps(text)}\n\n" for text in texts)
    chunks = [ReplyChunk(**of, seq=seq, data=data) for seq, data in enumerate(more, 1)]
    end = ReplyFinished(**of, seq=len(texts), status=200, data="data: [DONE]\n\n")
    replies: list[Reply] = [ReplyStarted(**of, data=first), *chunks, end]
    return [TRANSIT.reply(reply) for reply in replies]


async def test_the_body_is_on_the_topic_for_the_workers_alone() -> None:
    world = await masking()
    await world.call("POST", INVOKE, content=BODY)
    (record,) = world.queries()
    assert b"555-123" not in codec.encode(record) and bytes(record.body) == b"null"
    assert TRANSIT.body(record) == BODY


async def test_an_answer_is_opened_byte_for_byte() -> None:
    world = await masking()
    body = msgspec.Raw(b'{"odd":  "spacing 555-123-4567",\n "n": 1.0}')
    world.worker = lambda r: [TRANSIT.reply(finished(r, body=body))]
    answer = await world.call("POST", INVOKE, content=BODY)
    assert (answer.status_code, answer.content) == (200, bytes(body))


async def test_a_stream_is_opened_piece_by_piece() -> None:
    world = await masking()
    world.worker = lambda r: streamed(r, "call", "555-123-4567")
    line = Line(BODY)
    await line.ask(world.app, INVOKE)
    assert (line.status, line.text) == (200, 'data: "call"\n\ndata: "555-123-4567"\n\ndata: [DONE]\n\n')


async def test_an_answer_that_cannot_be_opened_is_refused_with_the_reason() -> None:
    world = await masking()
    other = Transit(base64.b64encode(b"o" * 32).decode())
    world.worker = lambda r: [other.reply(finished(r))]
    answer = await world.call("POST", INVOKE, content=BODY)
    assert (answer.status_code, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert "master keys" in answer.json()["message"]


async def test_a_stream_of_which_a_piece_cannot_be_opened_ends_with_an_error_event() -> None:
    world = await masking()

    def worker(request: RequestReceived) -> list[Reply]:
        first, second, end = streamed(request, "call", "555-123-4567")
        return [first, msgspec.structs.replace(second, sealed=first.sealed), end]

    world.worker = worker
    line = Line(BODY)
    await line.ask(world.app, INVOKE)
    first, error = line.text.strip().split("\n\n")
    assert first == 'data: "call"' and json.loads(error[6:])["error_code"] == "INTERNAL_ERROR"
    assert world.cancelled[:1] == [world.queries()[0].request_id]


async def test_other_endpoints_are_not_touched() -> None:
    world = World()
    assert (await world.post(ENDPOINTS, CHAT)).status_code == 200
    await world.call("POST", INVOKE, content=BODY)
    (record,) = world.queries()
    assert (bytes(record.body), record.sealed) == (BODY, b"")
