"""Submissions: checked as over HTTP, on the topic before they are committed, and never silently gone."""

import asyncio
import base64
import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from contract import topics
from contract.records import Submitted
from ingress.identity import Identity
from ingress.intake import Intake
from ingress.ports import Boot
from ingress.settings import Settings
from ingress.submissions import Poison, Submission, Submissions, Ways, envelope
from processors.sealing import Transit
from tests.ingress.world import ADMIN, ADMIN_TOKEN, BOOT_ID, CHAT, MASTER_KEY, USER_TOKEN, World, finished, until
from tests.support import errors

ENDPOINTS = "/api/2.0/serving-endpoints"
BEARER = {"authorization": f"Bearer {ADMIN_TOKEN}".encode()}
ASKED = {**BEARER, "reply-topic": b"answers"}
BODY = b'{"model":"chat","messages":[]}'


class Outbox:
    """Topics in memory; sends to `lost` ones fail."""

    def __init__(self) -> None:
        self.topics = {"answers": 2}
        self.lost: set[str] = set()
        self.sent: list[tuple[str, bytes | None, bytes | None, dict[str, bytes], int | None]] = []

    async def knows(self, topic: str, partition: int | None) -> bool:
        return topic in self.topics and (partition is None or partition < self.topics[topic])

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        partition: int | None,
    ) -> bool:
        if topic in self.lost:
            return False
        self.sent.append((topic, value, key, dict(headers), partition))
        return True

    def on(self, topic: str) -> list[tuple[bytes | None, bytes | None, dict[str, bytes], int | None]]:
        return [rest for name, *rest in self.sent if name == topic]  # type: ignore[misc]

    def answers(self) -> list[Any]:
        return [json.loads(value or b"") for value, *_ in self.on("answers")]

    def reasons(self) -> list[str]:
        return [headers["reason"].decode() for _, _, headers, _ in self.on(topics.DEAD_LETTERS.name)]


class Desk:
    """Submissions over a world with the endpoint `chat`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.outbox = Outbox()
        self.offset = 0
        boot = Boot(boot_id=BOOT_ID, slot=3, now=lambda: world.now_ms, new_id=lambda: str(uuid.uuid4()))
        settings = world.settings
        self.submissions = Submissions(
            identity=Identity(world.state, boot.now),
            intake=Intake(
                state=world.state, boot=boot, request_ms=settings.request_seconds * 1000, master_key=MASTER_KEY
            ),
            boot=boot,
            ways=Ways(waiters=world.waiters, publish=world.publish, outbox=self.outbox),
            body_bytes=settings.body_bytes,
        )

    def submission(self, headers: dict[str, bytes], value: bytes | None = BODY) -> Submission:
        self.offset += 1
        return Submission(
            partition=1, offset=self.offset, timestamp_ms=1_700_000_000_000, key=b"k", value=value, headers=headers
        )

    async def submit(self, headers: dict[str, bytes], value: bytes | None = BODY) -> Submission:
        """Accept one and wait for its end."""
        one = self.submission(headers, value)
        await self.submissions.accept(one)
        await until(lambda: len(self.world.waiters) == 0)
        return one


async def desk(settings: Settings | None = None) -> Desk:
    world = World(settings)
    assert (await world.post(ENDPOINTS, CHAT)).status_code == 200
    return Desk(world)


async def test_a_submission_becomes_the_record_that_http_would_make_and_says_where_its_answer_goes() -> None:
    at = await desk()
    body = b'{"model":"chat", "messages":[],"usage_context":{"team":"x"}}'
    one = await at.submit({**ASKED, "reply-partition": b"1", "client-request-id": b"mine"}, body)
    (record,) = at.world.queries()
    assert bytes(record.body) == body and record.request_id == one.request_id
    assert (record.endpoint, record.requester.name, record.stream) == ("chat", ADMIN, False)
    assert (record.client_request_id, record.usage_context) == ("mine", {"team": "x"})
    assert (record.reply_slot, record.boot_id, record.deadline_ms - record.received_at_ms) == (3, BOOT_ID, 300_000)
    assert record.submitted == Submitted(
        partition=1, offset=1, key=b"k", reply_topic="answers", reply_partition=1, client_request_id="mine"
    )
    assert at.outbox.sent == []  # a worker sends it


async def test_without_a_reply_topic_the_request_is_made_and_nobody_is_answered() -> None:
    at = await desk()
    await at.submit(BEARER)
    (record,) = at.world.queries()
    assert record.submitted == Submitted(partition=1, offset=1, key=b"k") and at.outbox.sent == []


async def test_the_bodys_own_client_request_id_goes_before_the_headers() -> None:
    at = await desk()
    await at.submit({**BEARER, "client-request-id": b"header"}, b'{"model":"chat","client_request_id":"body"}')
    assert at.world.queries()[0].client_request_id == "body"


async def test_where_values_are_put_back_a_submission_travels_sealed_and_its_answer_keeps_its_placeholders() -> None:
    at = await desk()
    side = {"pii": {"behavior": "MASK"}, "extensions": {"reversible": True}}
    await at.world.call("PUT", f"{ENDPOINTS}/chat/ai-gateway", json={"guardrails": {"input": side}})
    await at.submit(ASKED)
    (record,) = at.world.queries()
    assert (bytes(record.body), bool(record.sealed), record.submitted is None) == (b"null", True, False)
    assert Transit(base64.b64encode(MASTER_KEY).decode()).body(record) == BODY


async def test_a_limited_endpoint_keeps_its_key() -> None:
    at = await desk()
    limit = {"rate_limits": [{"calls": 1, "key": "endpoint", "renewal_period": "minute"}]}
    await at.world.call("PUT", f"{ENDPOINTS}/chat/ai-gateway", json=limit)
    await at.submit(BEARER)
    assert [key for topic, key, _ in at.world.published if topic == topics.REQUESTS.name] == ["chat"]


@pytest.mark.parametrize(
    ("token", "value", "status", "named"),
    [
        (b"Bearer dapi-nobody", BODY, 401, "token"),
        (f"Bearer {USER_TOKEN}".encode(), BODY, 403, "permission"),
        (BEARER["authorization"], b'{"model":"nope"}', 404, "endpoint"),
        (BEARER["authorization"], b"{}", 400, "model"),
        (BEARER["authorization"], b'{"model":"chat","usage_context":{"a":1}}', 400, "usage_context"),
        (BEARER["authorization"], b'{"model":"chat","stream":true}', 400, "stream"),
        (BEARER["authorization"], b'{"model":"' + b"x" * 2000 + b'"}', 413, "bytes"),
    ],
)
async def test_a_refusal_is_the_answer_or_where_nobody_listens_a_dead_letter(
    token: bytes, value: bytes, status: int, named: str
) -> None:
    at = await desk(Settings(body_bytes=1000))
    one = await at.submit({**ASKED, "authorization": token, "client-request-id": b"c"}, value)
    (answer,) = at.outbox.answers()
    assert (answer["request_id"], answer["client_request_id"], answer["status"]) == (one.request_id, "c", status)
    assert tuple(at.outbox.on("answers")[0][1:]) == (b"k", {"client-request-id": b"c"}, None)
    said = errors.named(answer["body"], one.request_id)
    assert named in said["message"] and said["error_code"]
    assert at.outbox.reasons() == []
    silent = await desk(Settings(body_bytes=1000))
    await silent.submit({"authorization": token}, value)
    (reason,) = silent.outbox.reasons()
    assert named in reason and silent.world.queries() == at.world.queries() == []


@pytest.mark.parametrize(
    ("headers", "value", "named"),
    [
        ({}, BODY, "authorization"),
        ({"authorization": b"Basic x", "reply-topic": b"answers"}, BODY, "authorization"),
        ({**BEARER, "reply-topic": b"gateway.state"}, BODY, "reply-topic"),
        ({**BEARER, "reply-topic": b"__consumer_offsets"}, BODY, "reply-topic"),
        ({**BEARER, "reply-topic": b"two words"}, BODY, "reply-topic"),
        ({**BEARER, "reply-topic": b"nowhere"}, BODY, "reply-topic"),
        ({**ASKED, "reply-partition": b"7"}, BODY, "reply-topic"),
        ({**ASKED, "reply-partition": b"-1"}, BODY, "reply-partition"),
        (BEARER, b"{", "malformed_json"),
        (BEARER, None, "malformed_json"),
        (BEARER, b"\xff\xfe", "malformed_json"),
    ],
)
async def test_poison_is_laid_aside_with_its_reason_and_place_and_without_its_token(
    headers: dict[str, bytes], value: bytes | None, named: str
) -> None:
    at = await desk()
    await at.submit(headers, value)
    ((kept, key, told, _),) = at.outbox.on(topics.DEAD_LETTERS.name)
    assert (kept, key) == (value, b"k")
    assert told.keys() == {"reason", "topic", "partition", "offset"}
    assert (told["topic"], told["partition"], told["offset"]) == (topics.SUBMISSIONS.name.encode(), b"1", b"1")
    assert told["reason"].decode().startswith(named) and ADMIN_TOKEN not in str(told)
    assert at.world.queries() == [] and at.outbox.answers() == []


async def test_what_is_no_json_is_laid_aside_and_told_to_who_listens() -> None:
    at = await desk()
    await at.submit(ASKED, b"{")
    assert [a["status"] for a in at.outbox.answers()] == [400] and len(at.outbox.reasons()) == 1


async def test_it_is_accepted_only_when_its_request_is_acknowledged() -> None:
    at = await desk()
    at.world.up = False
    accepting = asyncio.create_task(at.submissions.accept(at.submission(ASKED)))
    await until(lambda: len(at.world.waiters) == 1)
    assert not accepting.done()
    at.world.up = True
    await accepting
    assert len(at.world.queries()) == 1 and at.outbox.reasons() == []


async def test_an_outage_of_the_state_is_waited_out_not_answered() -> None:
    at = await desk()
    at.world.state.reachable = False
    headers = {**ASKED, "authorization": b"Bearer dapi-nobody"}
    accepting = asyncio.create_task(at.submissions.accept(at.submission(headers)))
    await until(lambda: at.world.state.looks > 0)
    at.world.state.reachable = True
    await accepting
    assert [a["status"] for a in at.outbox.answers()] == [401]


async def test_a_request_no_worker_answers_gives_its_place_back_and_is_left_to_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingress.submissions.GRACE_SECONDS", 0.01)
    at = await desk(Settings(request_seconds=0))
    at.world.worker = lambda _: []
    await at.submit(ASKED)
    assert len(at.world.queries()) == 1 and at.world.cancelled == [] and at.outbox.sent == []


async def test_a_flood_waits_where_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.submissions.IN_FLIGHT", 2)
    at = await desk()
    at.world.worker = lambda _: []
    accepting = [asyncio.create_task(at.submissions.accept(at.submission(BEARER))) for _ in range(3)]
    await until(lambda: sum(task.done() for task in accepting) == 2)
    first, second = at.world.queries()
    at.world.waiters.deliver(finished(first))
    await until(lambda: all(task.done() for task in accepting))
    assert len(at.world.queries()) == 3 and second.request_id != at.world.queries()[2].request_id


async def test_a_refusal_that_cannot_be_delivered_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.submissions.RETRY_SECONDS", 0.0)
    at = await desk()
    at.outbox.lost = {"answers"}
    await at.submit(ASKED, b'{"model":"nope"}')
    ((value, *_),) = at.outbox.on(topics.DEAD_LETTERS.name)
    assert json.loads(value or b"")["status"] == 404 and at.outbox.reasons()[0].startswith("reply-topic")


async def test_a_defect_lays_one_record_aside_and_stops_nothing() -> None:
    at = await desk()

    def fails() -> None:
        raise RuntimeError("sk-very-secret")

    at.world.state.elsewhere = fails
    await at.submissions.accept(at.submission(ASKED, b'{"model":"nope"}'))
    at.world.state.elsewhere = lambda: None
    await at.submit(ASKED)
    assert at.outbox.reasons() == ["defect: RuntimeError"]
    assert len(at.world.queries()) == 1


async def test_read_twice_it_is_the_same_request() -> None:
    at = await desk()
    one = at.submission(BEARER)
    await at.submissions.accept(one)
    await until(lambda: len(at.world.waiters) == 0)
    await at.submissions.accept(one)
    first, second = at.world.queries()
    assert first.request_id == second.request_id != at.submission(BEARER).request_id


async def test_read_again_while_its_answer_is_due_it_is_not_asked_again() -> None:
    at = await desk()
    at.world.worker = lambda _: []
    one = at.submission(ASKED)
    await at.submissions.accept(one)
    await at.submissions.accept(one)
    assert len(at.world.queries()) == 1
    at.world.waiters.deliver(finished(at.world.queries()[0]))
    await until(lambda: len(at.world.waiters) == 0)


def test_a_partition_without_a_topic_and_odd_bytes_are_no_reason_to_fail() -> None:
    assert not isinstance(envelope({**BEARER, "reply-partition": b"3"}), Poison)
    assert isinstance(envelope({**BEARER, "reply-topic": b"\xff"}), Poison)
