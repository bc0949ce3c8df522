"""Kafka's producers against the real stack: the README's own example, refusals, poison, limits, a restart."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contract import topics
from tests.support.compatibility import speaks
from tests.support.provider import Reply, ScriptedProvider
from tests.support.services import REPOSITORY, Services, until

CELLS = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
EXAMPLE = [cell for cell in CELLS if "aiokafka" in cell]
ANSWERS = "my-team.answers"
DEAD = topics.DEAD_LETTERS.name
CHAT: Any = [{"role": "user", "content": "hello"}]
Record = tuple[bytes | None, bytes | None, dict[str, bytes], int]


@pytest.fixture(scope="module")
def answers(gateway: Services) -> Iterator[str]:
    """The producers' own topic, with two partitions."""

    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=gateway.brokers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(ANSWERS, num_partitions=2, replication_factor=1)])
        finally:
            await admin.close()

    asyncio.run(make())
    yield ANSWERS


def submit(gateway: Services, *bodies: bytes | dict[str, Any], **headers: str) -> None:
    """Write submissions, all with the same headers; `authorization` is the admin's unless given, or empty."""
    named = {"authorization": f"Bearer {gateway.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    raw = [(name, text.encode()) for name, text in named.items() if text]

    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=gateway.brokers, acks="all")
        await producer.start()
        try:
            for body in bodies:
                value = body if isinstance(body, bytes) else json.dumps(body).encode()
                await producer.send_and_wait(topics.SUBMISSIONS.name, value, headers=raw)
        finally:
            await producer.stop()

    asyncio.run(send())


def on_topic(brokers: str, topic: str, partitions: int) -> list[Record]:
    """Everything on a topic as of now."""

    async def read() -> list[Record]:
        consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, fetch_max_wait_ms=50)
        await consumer.start()
        try:
            every = [TopicPartition(topic, number) for number in range(partitions)]
            consumer.assign(every)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(every)
            found: list[Record] = []
            while any([await consumer.position(at) < end for at, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += [(r.key, r.value, dict(r.headers), r.partition) for r in records]
            return found
        finally:
            await consumer.stop()

    return asyncio.run(read())


def answered(gateway: Services, prefix: str, count: int) -> list[Any]:
    """Wait for `count` answers whose client_request_id begins with `prefix`."""

    def found() -> list[Any]:
        said = [json.loads(value or b"") for _, value, _, _ in on_topic(gateway.brokers, ANSWERS, 2)]
        mine = [one for one in said if (one["client_request_id"] or "").startswith(prefix)]
        return mine if len(mine) >= count else []

    mine: list[Any] = until(found, 20, f"{count} answers to {prefix}")
    return mine


def letters(gateway: Services) -> Mapping[bytes | None, str]:
    """The dead letters' reasons by their values."""
    found = on_topic(gateway.brokers, DEAD, topics.DEAD_LETTERS.partitions)
    return {value: headers["reason"].decode() for _, value, headers, _ in found}


@speaks("kafka", "gateway.submissions (Kafka)")
def test_the_example_of_the_readme_works(
    gateway: Services, answers: str, provider: ScriptedProvider, tmp_path: Path
) -> None:
    gateway.endpoint("kafka-doc", provider.url, "kafka-doc-model")
    environ = {"HEADGATE_BROKERS": gateway.brokers, "HEADGATE_TOKEN": gateway.token, "ENDPOINT": "kafka-doc"}
    said = ""
    for number, code in enumerate(EXAMPLE):
        script = tmp_path / f"example-{number}.py"
        script.write_text(code)
        command = [sys.executable, str(script)]
        ran = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        said += ran.stdout
    assert len(EXAMPLE) == 2
    assert sorted(line.split()[:2] for line in said.splitlines()) == [["question-0", "200"], ["question-1", "200"]]
    assert said.count("The answer.") == 2
    rows = gateway.logged_once("kafka-doc", 2)
    assert {row.client_request_id for row in rows} == {"question-0", "question-1"}
    assert {row.usage_tracked for row in rows} == {True}


def test_limits_and_guardrails_hold_and_their_refusals_come_back(
    gateway: Services, answers: str, provider: ScriptedProvider
) -> None:
    limit = {"calls": 2, "key": "endpoint", "renewal_period": "minute"}
    guard = {"input": {"invalid_keywords": ["SuperSecretProject"]}}
    gateway.endpoint("kafka-limited", provider.url, "kafka-limited-model", rate_limits=[limit], guardrails=guard)
    blocked = [{"role": "user", "content": "the SuperSecretProject"}]
    bodies = [{"model": "kafka-limited", "messages": messages} for messages in (blocked, CHAT, CHAT, CHAT)]
    for body in bodies:
        submit(gateway, body, reply_topic=answers, client_request_id="limited")
    found = answered(gateway, "limited", 4)
    assert sorted(one["status"] for one in found) == [200, 400, 429, 429]
    assert any('invalid_keywords":true' in one["body"].get("message", "") for one in found)
    rows = gateway.logged_once("kafka-limited", 4)
    assert {row.request_id for row in rows} == {one["request_id"] for one in found}


def test_refusals_are_answered_on_the_partition_asked_for(gateway: Services, answers: str) -> None:
    submit(gateway, {"model": "nope"}, reply_topic=answers, reply_partition="1", client_request_id="refused")
    (said,) = answered(gateway, "refused", 1)
    assert (said["status"], said["body"]["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    at = {
        p for _, _, headers, p in on_topic(gateway.brokers, answers, 2) if headers == {"client-request-id": b"refused"}
    }
    assert at == {1}
    wrong = "Bearer dapi-nobody"
    submit(gateway, {"model": "nope"}, authorization=wrong, reply_topic=answers, client_request_id="stranger")
    assert [one["status"] for one in answered(gateway, "stranger", 1)] == [401]


def test_poison_goes_to_the_dead_letters_and_what_comes_behind_it_is_answered(
    gateway: Services, answers: str, provider: ScriptedProvider
) -> None:
    gateway.endpoint("kafka-poison", provider.url, "kafka-poison-model")
    submit(gateway, b"no token", authorization="")
    submit(gateway, b"no json")
    submit(gateway, b'{"model":"no such topic"}', reply_topic="nowhere")
    submit(gateway, b'{"model":"ours"}', reply_topic=topics.STATE.name)
    submit(gateway, {"model": "kafka-poison", "messages": CHAT}, reply_topic=answers, client_request_id="behind")
    assert [one["status"] for one in answered(gateway, "behind", 1)] == [200]
    wanted = {
        b"no token": "authorization",
        b"no json": "malformed_json",
        b'{"model":"no such topic"}': "reply-topic",
        b'{"model":"ours"}': "reply-topic",
    }
    until(lambda: wanted.keys() <= letters(gateway).keys(), 20, "the dead letters")
    assert all(letters(gateway)[value].startswith(reason) for value, reason in wanted.items())
    everything = b"".join(
        bytes(part) for _, _, headers, _ in on_topic(gateway.brokers, DEAD, 1) for part in headers.values()
    )
    assert gateway.token.encode() not in everything


def caught_up(gateway: Services, group: str, topic: topics.Topic) -> bool:
    """Whether the group has committed all that is on the topic."""

    async def compare() -> bool:
        every = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=gateway.brokers, enable_auto_commit=False)
        admin = AIOKafkaAdminClient(bootstrap_servers=gateway.brokers)
        await consumer.start()
        await admin.start()
        try:
            ends = await consumer.end_offsets(every)
            committed = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
            await consumer.stop()
        return all(end == 0 or (at in committed and committed[at].offset >= end) for at, end in ends.items())

    return asyncio.run(compare())


def test_an_ingress_that_stops_leaves_its_group_and_the_next_one_takes_the_rest(
    gateway: Services, answers: str, provider: ScriptedProvider
) -> None:
    gateway.endpoint("kafka-stop", provider.url, "kafka-stop-model")
    provider.script("kafka-stop-model", Reply(delay_s=2.0), Reply())
    submit(gateway, {"model": "kafka-stop", "messages": CHAT}, reply_topic=answers, client_request_id="stop-0")
    until(lambda: provider.of("kafka-stop-model"), 20, "the first is being answered")
    assert gateway.ingress.stop() == 0
    assert [one["status"] for one in answered(gateway, "stop-0", 1)] == [200]
    submit(gateway, {"model": "kafka-stop", "messages": CHAT}, reply_topic=answers, client_request_id="stop-1")
    gateway.ingress = gateway.start("ingress-2", "ingress.app").wait_ready()
    assert [one["status"] for one in answered(gateway, "stop-1", 1)] == [200]
    assert len(gateway.logged_once("kafka-stop", 2)) == 2


def test_an_ingress_killed_before_its_commit_leaves_one_call_one_answer_and_one_row(
    gateway: Services, answers: str, provider: ScriptedProvider
) -> None:
    gateway.endpoint("kafka-killed", provider.url, "kafka-killed-model")
    assert gateway.ingress.stop() == 0
    killed = gateway.start("ingress-killed", "tests.stack.killed_ingress").wait_ready()
    submit(gateway, {"model": "kafka-killed", "messages": CHAT}, reply_topic=answers, client_request_id="killed")
    until(lambda: killed.process.poll() is not None, 20, "the ingress is killed")
    gateway.ingress = gateway.start("ingress-3", "ingress.app").wait_ready()
    (said,) = answered(gateway, "killed", 1)
    until(lambda: caught_up(gateway, "headgate-submissions", topics.SUBMISSIONS), 30, "it is read again")
    until(lambda: caught_up(gateway, "headgate-workers", topics.REQUESTS), 20, "and published again and dealt with")
    requests = [value for _, value, _, _ in on_topic(gateway.brokers, topics.REQUESTS.name, topics.REQUESTS.partitions)]
    assert sum(said["request_id"].encode() in (value or b"") for value in requests) == 2
    assert len(answered(gateway, "killed", 1)) == 1
    assert len(provider.of("kafka-killed-model")) == 1
    assert [row.request_id for row in gateway.logged("kafka-killed")] == [said["request_id"]]


def test_an_answer_that_a_killed_ingress_owed_is_sent_all_the_same(
    gateway: Services, answers: str, provider: ScriptedProvider
) -> None:
    gateway.endpoint("kafka-owed", provider.url, "kafka-owed-model")
    provider.script("kafka-owed-model", Reply(delay_s=2.0))
    submit(gateway, {"model": "kafka-owed", "messages": CHAT}, reply_topic=answers, client_request_id="owed")
    until(lambda: provider.of("kafka-owed-model"), 20, "it is being answered")
    gateway.ingress.kill()
    assert [one["status"] for one in answered(gateway, "owed", 1)] == [200]
    assert len(gateway.logged_once("kafka-owed", 1)) == 1
