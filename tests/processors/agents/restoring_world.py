"""An endpoint that masks reversibly, requests as its ingress seals them, and what its callers read."""

import json
from typing import Any

from contract import codec
from contract.endpoint import AiGateway, Enabled, Endpoint, InferenceTable
from contract.guardrails import Extensions, Guardrail, Guardrails, Pii
from contract.records import Reply, RequestReceived
from ingress import sealing
from tests.processors.agents.world import MASTER_KEY, TABLE, World, chunk, endpoint, good, request

PHONE, MAIL = "555-123-4567", "bob@example.com"
CARD = "4111 1111\n1111 1111"  # with a line break, which may not stand in JSON as it is
ASKED = {"messages": [{"role": "user", "content": f"Call {PHONE} or {MAIL}, again {PHONE}."}]}
MASKED = "Call <PHONE_NUMBER_1> or <EMAIL_ADDRESS_1>, again <PHONE_NUMBER_1>."
ECHO = good(MASKED)


def reversible(*words: str, fallback: bool = False, table: InferenceTable | None = TABLE, **more: Any) -> AiGateway:
    side = Guardrail(
        safety=False,
        pii_detection=True,
        pii=Pii(behavior="MASK"),
        invalid_keywords=words or None,
        extensions=Extensions(reversible=True),
    )
    return AiGateway(
        guardrails=Guardrails(input=side, **more),
        inference_table_config=table,
        fallback_config=Enabled(enabled=True) if fallback else None,
    )


def masking(*names: str, **more: Any) -> Endpoint:
    return endpoint(reversible(**more), *names)


def sealed(body: Any = None, **more: Any) -> RequestReceived:
    """A request as the ingress publishes it for such an endpoint."""
    return sealing.request_sealed(request(ASKED if body is None else body, **more), MASTER_KEY)


def opened(record: Reply) -> Any:
    """A reply as the ingress hands it on."""
    found = sealing.reply_opened(record, MASTER_KEY)
    assert found is not None
    return found


def answer(world: World) -> Any:
    return json.loads(bytes(opened(world.finish).body))


def content(world: World) -> str:
    text: str = answer(world)["choices"][0]["message"]["content"]
    return text


def read(world: World) -> list[Any]:
    """Every event a caller has read, decoded."""
    text = "".join(opened(record).data for _, record in world.replies)
    events = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
    return [event if event == "[DONE]" else json.loads(event) for event in events]


def on_topics(world: World) -> bytes:
    """Every byte that has gone to any topic."""
    replies = [codec.encode(record) for _, record in world.replies]
    answers = [body for _, _, body in world.answered]
    return b"\n".join([*replies, *answers, *(value or b"" for _, _, value in world.published)])


def nothing_in_clear(world: World, *values: str) -> bool:
    return not any(value.encode() in on_topics(world) for value in values or (PHONE, MAIL))


async def asked(world: World, *steps: Any, record: RequestReceived | None = None) -> World:
    world.provider.steps = list(steps)
    await world.serve(record or sealed())
    assert nothing_in_clear(world)
    return world


def said(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


async def streamed(*events: Any, body: Any = None, world: World | None = None) -> World:
    asked_for = (body or ASKED) | {"stream": True}
    return await asked(world or World(masking()), events, record=sealed(asked_for, stream=True))


def pieces(text: str, size: int) -> list[bytes]:
    return [chunk(text[at : at + size]) for at in range(0, len(text), size)]
