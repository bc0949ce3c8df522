"""Reversible masking in streams, and many requests at once: each caller reads his own values, nobody else's."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.records import ReplyChunk, ReplyFinished, ReplyStarted
from processors.agents.restoring import Chunks, Restoring
from processors.gate import Bounds
from processors.guardrails.reversible import Placeholders
from processors.payload.merging import Merged
from processors.providers.base import HttpAnswer, HttpCall
from processors.transport import StreamAnswer
from tests.processors.agents.restoring_world import (
    ASKED,
    CARD,
    MASKED,
    PHONE,
    on_topics,
    opened,
    pieces,
    read,
    reversible,
    said,
    sealed,
    streamed,
)
from tests.processors.agents.world import (
    BROKEN,
    DONE,
    USAGE_CHUNK,
    World,
    chunk,
    endpoint,
    good,
    spoken,
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_a_stream_is_restored_across_its_pieces_and_logged_with_placeholders(size: int) -> None:
    world = await streamed(*pieces(MASKED, size), chunk(last=True), USAGE_CHUNK, DONE)
    assert spoken(read(world)) == ASKED["messages"][0]["content"]
    assert read(world)[-1] == "[DONE]"
    assert json.loads(str(world.row.response))["choices"][0]["message"]["content"] == MASKED
    assert all(record.sealed and not record.data for _, record in world.replies)


async def test_a_stream_never_shows_half_a_placeholder_nor_an_empty_piece() -> None:
    world = await streamed(*pieces(MASKED, 1), chunk(last=True), DONE)
    texts = [spoken([event]) for event in read(world) if event != "[DONE]"]
    assert not any("<" in text or ">" in text for text in texts)
    assert all(texts[:-1])


async def test_the_beginning_of_a_placeholder_that_never_comes_is_not_lost() -> None:
    for end in ((chunk(last=True), DONE), (chunk("", last=True), DONE), (DONE,)):
        world = await streamed(chunk("a <PHONE_"), *end)
        assert spoken(read(world)) == "a <PHONE_"
        assert read(world)[-1] == "[DONE]"


def call_chunk(index: int, arguments: str, **more: Any) -> bytes:
    function = {"arguments": arguments, **more}
    delta = {"tool_calls": [{"index": index, "function": function}]}
    return msgspec.json.encode({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


async def test_pieces_of_two_tool_calls_and_of_reasoning_are_restored_each_by_itself() -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "so <CREDIT_C"}}]}
    more = {"choices": [{"index": 0, "delta": {"reasoning_content": "ARD_1>"}}]}
    world = await streamed(
        msgspec.json.encode(thought),
        call_chunk(0, "", name="f"),
        call_chunk(0, '{"to":"\\u003cCREDIT_'),
        call_chunk(1, '{"or":"<CREDIT_CARD_', name="g"),
        msgspec.json.encode(more),
        call_chunk(0, 'CARD_1\\u003e"}'),
        call_chunk(1, '1>","x":"<CREDIT_"}'),
        msgspec.json.encode({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        DONE,
        body=said(f"Call {CARD}."),
    )
    deltas = [choice["delta"] for event in read(world)[:-1] for choice in event["choices"]]
    arguments = ["", ""]
    for call in (call for delta in deltas for call in delta.get("tool_calls", ())):
        arguments[call["index"]] += call["function"]["arguments"]
    assert [json.loads(text) for text in arguments] == [{"to": CARD}, {"or": CARD, "x": "<CREDIT_"}]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == f"so {CARD}"


VALUES = {"<CREDIT_CARD_1>": CARD, "<PHONE_NUMBER_1>": PHONE, "<PHONE_NUMBER_2>": 'a "b"'}
PLACES = st.sampled_from(["content", "reasoning_content", "text", 0, 1])  # a number: of a tool call
SAYS = st.sampled_from([*VALUES, "<", "PHONE_NUMBER_", "1>", "<PHONE_", "\\u003cCREDIT_CARD_", "1\\u003e", "\\", "x"])


def piece(index: int, place: str | int, text: str, last: bool) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": index, "finish_reason": "stop" if last else None}
    if place == "text":
        return {"choices": [{**choice, "text": text}]}
    called = {"tool_calls": [{"index": place, "function": {"name": "", "arguments": text}}]}
    return {"choices": [{**choice, "delta": {place: text} if isinstance(place, str) else called}]}


@given(st.lists(st.tuples(st.integers(0, 1), PLACES, SAYS), max_size=25), st.booleans(), st.booleans())
def test_whatever_comes_in_pieces_reads_as_the_merged_answer_restored(
    said: list[tuple[int, str | int, str]], ends: bool, json_answers: bool
) -> None:
    restoring = Restoring(Placeholders(VALUES), json_answers=json_answers)
    chunks, plain, restored = Chunks(restoring), Merged(), Merged()
    events = [piece(*one, last=False) for one in said]
    if ends:
        events += [piece(index, "content", "", last=True) for index in {one[0] for one in said}]
    for event in events:
        plain.add(event)
        restored.add(json.loads(chunks.event(event) or b"{}"))
    for rest in chunks.rest():
        restored.add(json.loads(rest))
    whole = json.loads(restoring.answer(msgspec.json.encode(plain.answer())))
    assert without_empty(restored.answer()) == without_empty(whole)


def without_empty(value: Any) -> Any:
    """The value without what says nothing."""
    if isinstance(value, dict):
        return {key: kept for key, inner in value.items() if (kept := without_empty(inner)) not in ("", [], {}, None)}
    return [without_empty(inner) for inner in value] if isinstance(value, list) else value


async def test_choices_do_not_share_what_is_held_back() -> None:
    def of(index: int, text: str, last: bool = False) -> bytes:
        choice = {"index": index, "delta": {"content": text}, "finish_reason": "stop" if last else None}
        return msgspec.json.encode({"choices": [choice]})

    world = await streamed(
        of(0, "<PHONE_"), of(1, "NUMBER_1>"), of(0, "NUMBER_1>", last=True), of(1, "", last=True), DONE
    )
    choices = [choice for event in read(world)[:-1] for choice in event["choices"]]
    by_index = ["".join(c["delta"].get("content", "") for c in choices if c["index"] == n) for n in (0, 1)]
    assert by_index == [PHONE, "NUMBER_1>"]


async def test_a_held_back_piece_goes_at_the_end_of_the_part_it_belongs_to() -> None:
    def parts(text: str) -> bytes:
        content = [{"type": "text", "text": text}]
        return msgspec.json.encode({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]})

    world = await streamed(parts("it is <PHONE_NUMBER_1"), parts("> <PH"), chunk(last=True), DONE)
    events = [event["choices"][0]["delta"].get("content") for event in read(world)[:-1]]
    assert "".join(part["text"] for content in events for part in content) == f"it is {PHONE} <PH"


async def test_a_stream_that_breaks_ends_with_an_error_event_and_is_still_sealed() -> None:
    world = await streamed(chunk("Call <PHONE_NUMBER_1>"), BROKEN)
    assert spoken(read(world)) == f"Call {PHONE}"
    assert read(world)[-1]["error_code"] == "PROVIDER_UNREACHABLE"


async def test_a_stream_of_another_shape_than_expected_harms_nobody() -> None:
    odd = [
        {"choices": "none"},
        {"choices": [5, {"index": 0, "delta": "<PHONE_NUMBER_1"}]},
        {"choices": [{"index": 0, "delta": {"content": [["<"], "<PHONE", {"text": "<PHONE"}]}}]},
        {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]},
    ]
    world = await streamed(*(msgspec.json.encode(one) for one in odd), DONE)
    assert (world.row.status_code, world.crashes) == (200, [])


class Echo:
    """A provider that says what it was told, after letting others go first."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def _told(self, call: HttpCall) -> str:
        text: str = json.loads(call.body)["messages"][-1]["content"]
        self.read.append(text)
        for _ in range(hash(text) % 5):
            await asyncio.sleep(0)
        return text

    async def call(self, call: HttpCall) -> HttpAnswer:
        return good(await self._told(call))

    @asynccontextmanager
    async def stream(self, call: HttpCall) -> AsyncIterator[StreamAnswer]:
        text = await self._told(call)

        async def events() -> AsyncIterator[bytes]:
            for event in (*pieces(text, 5), chunk(last=True), DONE):
                await asyncio.sleep(0)
                yield event

        yield StreamAnswer(events())


def texts_of(world: World) -> dict[str, str]:
    """What each caller has read, whole or streamed."""
    by_request: dict[str, list[Any]] = {}
    for _, record in world.replies:
        by_request.setdefault(record.request_id, []).append(opened(record))
    return {request_id: text_of(replies) for request_id, replies in by_request.items()}


def text_of(replies: Sequence[ReplyStarted | ReplyChunk | ReplyFinished]) -> str:
    last = replies[-1]
    assert isinstance(last, ReplyFinished) and last.status == 200
    if not last.attempt:
        text: str = json.loads(bytes(last.body))["choices"][0]["message"]["content"]
        return text
    events = "".join(reply.data for reply in replies).split("\n\n")
    return spoken([json.loads(event[6:]) for event in events if event.startswith("data: {")])


async def test_five_hundred_at_once_read_each_their_own_values_and_nobody_elses() -> None:
    world = World(endpoint(reversible(table=None)), bounds=Bounds(requests=1_000, size=1 << 24, share=1.0))
    world.provider = echo = Echo()  # type: ignore[assignment]
    texts = {f"r{n}": f"Call 555-{n:03}-{n * 7 % 10_000:04} or user{n}@example.com, request {n}" for n in range(500)}
    records = [
        sealed(said(text) | {"stream": stream}, request_id=request_id, stream=stream)
        for number, (request_id, text) in enumerate(texts.items())
        for stream in [number % 2 == 1]
    ]
    await world.serve(*records)
    assert texts_of(world) == texts
    assert len(echo.read) == 500
    assert all("Call <PHONE_NUMBER_1> or <EMAIL_ADDRESS_1>, request " in text for text in echo.read)
    topics = on_topics(world)
    assert b"@example.com" not in topics and b"555-" not in topics
    assert (world.cases, world.crashes) == ({}, [])


@given(st.lists(st.integers(min_value=1, max_value=9), max_size=20), st.booleans())
@settings(max_examples=25)
async def test_a_stream_cut_anywhere_reads_as_the_whole_answer_does(cuts: list[int], done: bool) -> None:
    text, events = MASKED + " <PHONE", []
    for cut in cuts:
        events.append(chunk(text[:cut]))
        text = text[cut:]
    world = await streamed(*events, chunk(text, last=True), *([DONE] if done else []))
    assert spoken(read(world)) == ASKED["messages"][0]["content"] + " <PHONE"
