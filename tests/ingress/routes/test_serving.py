"""Queries: refused with the vendor's words, accepted only when the broker has them, answered as the workers say."""

import asyncio

import msgspec
import pytest

from contract import codec, state, topics
from contract.records import Reply, ReplyChunk, ReplyFinished, ReplyStarted, RequestReceived
from contract.state import Permission
from ingress.settings import Settings
from tests.ingress.world import ADMIN, BOOT_ID, CHAT, USER, USER_TOKEN, Line, World, finished, until
from tests.support import errors

CHAT_PATH = "/serving-endpoints/chat/completions"
INVOKE = "/serving-endpoints/chat/invocations"
ENDPOINTS = "/api/2.0/serving-endpoints"


async def with_chat(settings: Settings | None = None) -> World:
    world = World(settings)
    assert (await world.post(ENDPOINTS, CHAT)).status_code == 200
    return world


def grant(world: World, level: str) -> None:
    endpoint = world.view.endpoints["chat"]
    permission = msgspec.convert({"endpoint_id": endpoint.id, "levels": {USER: level}}, Permission)
    world.write(state.key("permission", endpoint.id), permission)


def started(request: RequestReceived, attempt: str = "a", entity: str = "") -> ReplyStarted:
    return ReplyStarted(
        request_id=request.request_id,
        boot_id=BOOT_ID,
        attempt=attempt,
        data='data: {"i":0}\n\n',
        served_entity_name=entity,
    )


def chunk(request: RequestReceived, seq: int, attempt: str = "a", data: str | None = None) -> ReplyChunk:
    text = data or f'data: {{"i":{seq}}}\n\n'
    return ReplyChunk(request_id=request.request_id, boot_id=BOOT_ID, attempt=attempt, seq=seq, data=text)


def end(request: RequestReceived, seq: int, attempt: str = "a") -> ReplyFinished:
    return finished(request, attempt=attempt, seq=seq, data="data: [DONE]\n\n")


async def test_an_answer_comes_back_verbatim_with_its_status_and_headers() -> None:
    world = await with_chat()
    body = msgspec.Raw(b'{"odd":  "spacing",\n "n": 1.0}')
    world.worker = lambda r: [finished(r, status=418, body=body, served_entity_name="small", config_version=77)]
    answer = await world.post(INVOKE, {"messages": []})
    assert answer.status_code == 418 and answer.content == bytes(body)
    request = world.queries()[0]
    assert answer.headers["x-databricks-request-id"] == answer.headers["x-request-id"] == request.request_id
    assert answer.headers["served-model-name"] == "small"
    assert answer.headers["x-headgate-config-version"] == "77"
    assert answer.headers["x-databricks-org-id"] == "1"
    assert answer.headers["content-type"] == "application/json"


async def test_the_record_holds_the_body_byte_for_byte_and_what_the_worker_needs() -> None:
    world = await with_chat()
    body = b'{ "model":"chat", "messages":[],"client_request_id":"c","usage_context":{"team":"x"} , "stream":false}'
    await world.call("POST", CHAT_PATH, content=body)
    record = world.queries()[0]
    assert bytes(record.body) == body
    assert (record.endpoint, record.task, record.stream) == ("chat", "llm/v1/chat", False)
    assert (record.client_request_id, record.usage_context) == ("c", {"team": "x"})
    assert (record.requester.name, record.reply_slot, record.boot_id) == (ADMIN, 3, BOOT_ID)
    assert record.deadline_ms - record.received_at_ms == 300_000
    assert record.config_version == world.view.config_offset


async def test_the_key_is_the_request_unless_the_endpoint_is_limited() -> None:
    world = await with_chat()
    await world.post(INVOKE, {})
    limit = {"rate_limits": [{"calls": 1, "key": "endpoint", "renewal_period": "minute"}]}
    assert (await world.call("PUT", f"{ENDPOINTS}/chat/ai-gateway", json=limit)).status_code == 200
    await world.post(INVOKE, {})
    keys = [
        (key, spread)
        for (topic, key, _), spread in zip(world.published, world.spread, strict=True)
        if topic == topics.REQUESTS.name
    ]
    assert keys == [(world.queries()[0].request_id, True), ("chat", False)]


@pytest.mark.parametrize("path", [CHAT_PATH, INVOKE])
async def test_without_a_token_nothing_is_published(path: str) -> None:
    world = await with_chat()
    answer = await world.post(path, {"model": "chat"}, token=None)
    assert answer.status_code == 401 and answer.json()["error_code"] == "UNAUTHENTICATED"
    assert world.queries() == []


async def test_an_unknown_endpoint_is_404_in_the_query_paths_own_words() -> None:
    world = await with_chat()
    for path, body in ((CHAT_PATH, {"model": "nope"}), ("/serving-endpoints/nope/invocations", {})):
        answer = await world.post(path, body)
        assert answer.status_code == 404 and answer.json()["error_code"] == "ENDPOINT_NOT_FOUND"
    assert world.queries() == []


async def test_a_served_entity_in_the_path_reaches_the_worker_and_an_unknown_one_is_404() -> None:
    world = await with_chat()
    assert (await world.post("/serving-endpoints/chat/served-models/small/invocations", {})).status_code == 200
    assert (world.queries()[0].endpoint, world.queries()[0].served_entity) == ("chat", "small")
    answer = await world.post("/serving-endpoints/chat/served-models/nope/invocations", {})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "'nope'" in answer.json()["message"] and len(world.queries()) == 1


async def test_an_endpoint_just_made_on_another_ingress_is_found() -> None:
    made = (await with_chat()).view.endpoints["chat"]
    world = World()
    world.state.elsewhere = lambda: world.view.fold("endpoint/chat", codec.encode(made), 99)
    assert (await world.post(INVOKE, {})).status_code == 200


@pytest.mark.parametrize(("level", "status"), [(None, 403), ("CAN_VIEW", 403), ("CAN_QUERY", 200), ("CAN_MANAGE", 200)])
async def test_who_may_not_query_is_403(level: str | None, status: int) -> None:
    world = await with_chat()
    if level:
        grant(world, level)
    answer = await world.post(INVOKE, {}, token=USER_TOKEN)
    assert answer.status_code == status
    assert len(world.queries()) == (status == 200)


@pytest.mark.parametrize("route", ["completions", "embeddings"])
async def test_a_route_of_another_task_is_400_and_names_both(route: str) -> None:
    world = await with_chat()
    answer = await world.post(f"/serving-endpoints/{route}", {"model": "chat"})
    assert answer.status_code == 400
    assert "llm/v1/chat" in answer.json()["message"] and f"llm/v1/{route}" in answer.json()["message"]


async def test_a_route_without_an_endpoint_in_its_path_needs_the_model() -> None:
    answer = await (await with_chat()).post(CHAT_PATH, {"messages": []})
    assert answer.status_code == 400 and answer.json()["message"].startswith("model")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"stream":1}', b"\xff"])
async def test_a_body_that_is_none_is_400_and_not_published(body: bytes) -> None:
    world = await with_chat()
    answer = await world.call("POST", INVOKE, content=body)
    assert answer.status_code == 400 and errors.of(answer).keys() == {"error_code", "message"}
    assert world.queries() == []


async def test_a_body_over_the_limit_is_413_and_one_at_the_limit_is_not() -> None:
    world = await with_chat(Settings(body_bytes=2000))
    rest = 2000 - len('{"a":""}')
    assert (await world.call("POST", INVOKE, content=b'{"a":"%s"}' % (b"x" * rest))).status_code == 200
    answer = await world.call("POST", INVOKE, content=b'{"a":"%s"}' % (b"x" * (rest + 1)))
    assert answer.status_code == 413 and answer.json()["error_code"] == "MAX_REQUEST_SIZE_EXCEEDED"


async def test_a_record_the_broker_does_not_acknowledge_is_503_and_leaves_no_waiter() -> None:
    world = await with_chat()
    world.up = False
    answer = await world.post(INVOKE, {})
    assert answer.status_code == 503 and answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert len(world.waiters) == 0


async def test_more_callers_than_may_wait_are_503() -> None:
    world = await with_chat(Settings(waiting=1))
    world.worker = lambda _: []
    line = Line(b"{}")
    first = asyncio.create_task(line.ask(world.app, INVOKE))
    await until(lambda: len(world.waiters) == 1)
    assert (await world.post(INVOKE, {})).status_code == 503
    world.waiters.deliver(finished(world.queries()[0]))
    await first
    assert line.status == 200 and len(world.waiters) == 0


async def test_bodies_held_at_once_are_bounded() -> None:
    world = await with_chat(Settings(waiting_bytes=1000))
    world.worker = lambda _: []
    line = Line(b'{"a":"' + b"x" * 900 + b'"}')
    first = asyncio.create_task(line.ask(world.app, INVOKE))
    await until(lambda: len(world.waiters) == 1)
    answer = await world.call("POST", INVOKE, content=b'{"a":"' + b"x" * 200 + b'"}')
    assert answer.status_code == 503
    world.waiters.deliver(finished(world.queries()[0]))
    await first
    world.worker = lambda r: [finished(r)]
    assert (await world.call("POST", INVOKE, content=b'{"a":"' + b"x" * 900 + b'"}')).status_code == 200


async def test_a_query_no_worker_answers_is_504_and_cancelled() -> None:
    world = await with_chat(Settings(request_seconds=0))
    world.worker = lambda _: []
    answer = await world.post(INVOKE, {})
    assert answer.status_code == 504 and answer.json()["error_code"] == "DEADLINE_EXCEEDED"
    assert world.cancelled == [world.queries()[0].request_id] and len(world.waiters) == 0


async def test_a_caller_who_hangs_up_is_noticed_within_a_second_and_cancelled() -> None:
    world = await with_chat()
    world.worker = lambda _: []
    line = Line(b"{}")
    asked = asyncio.create_task(line.ask(world.app, INVOKE))
    await until(lambda: len(world.queries()) == 1)
    line.gone.set()
    await until(asked.done, seconds=1)
    assert world.cancelled == [world.queries()[0].request_id]
    assert len(world.waiters) == 0 and line.sent == []


async def test_a_stream_is_passed_on_as_it_comes_and_ends_with_the_workers_last_words() -> None:
    world = await with_chat()
    world.worker = lambda r: [started(r, entity="small"), chunk(r, 1), chunk(r, 2), end(r, 3)]
    answer = await world.post(CHAT_PATH, {"model": "chat", "stream": True})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["served-model-name"] == "small"
    expected = "".join(f'data: {{"i":{i}}}\n\n' for i in range(3)) + "data: [DONE]\n\n"
    assert answer.text == expected and world.cancelled == []


async def test_a_stream_refused_before_its_first_piece_is_a_plain_answer() -> None:
    world = await with_chat()
    world.worker = lambda r: [finished(r, {"error_code": "BAD_REQUEST", "message": "m"}, status=400)]
    answer = await world.post(CHAT_PATH, {"model": "chat", "stream": True})
    assert answer.status_code == 400 and answer.headers["content-type"] == "application/json"


def broken_by_gap(r: RequestReceived) -> list[Reply]:
    return [started(r), chunk(r, 2), end(r, 3)]


def broken_by_another_attempt(r: RequestReceived) -> list[Reply]:
    return [started(r), started(r, "b"), chunk(r, 1, "b"), end(r, 2, "b")]


@pytest.mark.parametrize("worker", [broken_by_gap, broken_by_another_attempt])
async def test_a_broken_stream_ends_with_an_error_event_and_never_cleanly(worker: object) -> None:
    world = await with_chat()
    world.worker = worker  # type: ignore[assignment]
    answer = await world.post(CHAT_PATH, {"model": "chat", "stream": True})
    first, last = answer.text.strip().split("\n\n")
    assert first == 'data: {"i":0}'
    event = errors.named(msgspec.json.decode(last.removeprefix("data: ")), answer.headers["x-request-id"])
    assert event["error"]["message"] and event["error_code"] == "INTERNAL_ERROR"
    assert "[DONE]" not in answer.text and world.cancelled == [world.queries()[0].request_id]


async def test_a_stream_whose_first_piece_is_lost_is_500() -> None:
    world = await with_chat()
    world.worker = lambda r: [chunk(r, 1)]
    answer = await world.post(CHAT_PATH, {"model": "chat", "stream": True})
    assert answer.status_code == 500 and world.cancelled


async def test_a_caller_who_reads_too_slowly_is_cut_off_with_an_error_event() -> None:
    world = await with_chat(Settings(stream_bytes=1000))
    world.worker = lambda r: [started(r)]
    line = Line(b'{"model":"chat","stream":true}')
    asked = asyncio.create_task(line.ask(world.app, CHAT_PATH))
    await until(lambda: len(line.sent) == 2)
    line.reads.clear()
    request = world.queries()[0]
    for seq in range(1, 30):
        world.waiters.deliver(chunk(request, seq, data=f"data: {'x' * 100}\n\n"))
    assert world.cancelled[0] == request.request_id
    line.reads.set()
    await asked
    assert '"reads_too_slowly"' in line.text and "[DONE]" not in line.text


async def test_a_caller_who_leaves_in_the_middle_of_a_stream_is_cancelled() -> None:
    world = await with_chat()
    world.worker = lambda r: [started(r)]
    line = Line(b'{"model":"chat","stream":true}')
    asked = asyncio.create_task(line.ask(world.app, CHAT_PATH))
    await until(lambda: len(line.sent) == 2)
    line.gone.set()
    await until(asked.done, seconds=1)
    assert world.cancelled == [world.queries()[0].request_id] and len(world.waiters) == 0


async def test_retry_after_is_sent_only_where_it_is_wanted() -> None:
    for wanted in (False, True):
        world = await with_chat(Settings(retry_after=wanted))
        world.worker = lambda r: [finished(r, status=429)]
        assert ("retry-after" in (await world.post(INVOKE, {})).headers) is wanted


async def test_models_are_the_endpoints_one_may_query() -> None:
    world = await with_chat()
    assert [m["id"] for m in (await world.call("GET", "/serving-endpoints/models")).json()["data"]] == ["chat"]
    assert (await world.call("GET", "/serving-endpoints/models", token=USER_TOKEN)).json()["data"] == []
    grant(world, "CAN_QUERY")
    shown = (await world.call("GET", "/serving-endpoints/models", token=USER_TOKEN)).json()
    assert shown["object"] == "list" and shown["data"][0]["object"] == "model"
