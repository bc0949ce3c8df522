"""Reversible masking over the real broker: callers read their own values, and no topic holds one of them in clear."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contract import topics
from tests.support.provider import Reply, ScriptedProvider, Stream
from tests.support.services import Services, until

GUARDED = {"input": {"pii": {"behavior": "MASK"}, "extensions": {"reversible": True}}}
MASKED = "Call <PHONE_NUMBER_1> or <EMAIL_ADDRESS_1>."
ANSWERS = "reversible.answers"
OURS = tuple(topic for topic in topics.ALL if topic is not topics.SUBMISSIONS)  # the producer's own


def text(number: int) -> str:
    return f"Call 555-{number:03}-{9000 + number} or somebody{number}@example.com."


def values(number: int) -> tuple[bytes, bytes]:
    return f"555-{number:03}-".encode(), f"somebody{number}@".encode()


def said(lines: str) -> str:
    """What a stream said, from its server-sent events."""
    events = [json.loads(line[6:]) for line in lines.splitlines() if line.startswith("data: {")]
    choices = [choice for event in events for choice in event.get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def raw(brokers: str, *names: tuple[str, int]) -> dict[str, list[bytes]]:
    """Every byte on these topics: keys, values and headers. `names`: with their numbers of partitions."""
    return asyncio.run(_raw(brokers, names))


async def _raw(brokers: str, names: tuple[tuple[str, int], ...]) -> dict[str, list[bytes]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        partitions = [TopicPartition(name, number) for name, count in names for number in range(count)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        found: dict[str, list[bytes]] = {name: [] for name, _ in names}
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    parts = [record.key, record.value, *(part for _, part in record.headers)]
                    found[record.topic].append(b" ".join(part for part in parts if part))
        return found
    finally:
        await consumer.stop()


def in_clear(gateway: Services, *numbers: int) -> list[tuple[str, bytes]]:
    """Where one of the requests' values lies on a topic of ours."""
    everything = raw(gateway.brokers, *((topic.name, topic.partitions) for topic in OURS))
    assert all(everything[topic.name] for topic in (topics.REQUESTS, topics.REPLIES, topics.LOG))
    found = [value for number in numbers for value in values(number)]
    return [(name, value) for name, records in everything.items() for value in found for r in records if value in r]


def test_each_caller_reads_his_own_values_and_no_topic_holds_them(
    gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("restored", provider.url, "restored-model", guardrails=GUARDED)
    provider.script("restored-model", Reply(text=MASKED))

    def ask(number: int) -> str:
        answer = gateway.ask("restored", text(number))
        assert answer.status_code == 200, answer.text
        content: str = answer.json()["choices"][0]["message"]["content"]
        return content

    numbers = range(100, 120)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, numbers)) == [text(number) for number in numbers]
    assert {got.body["messages"][0]["content"] for got in provider.of("restored-model")} == {MASKED}
    rows = gateway.logged_once("restored", len(numbers))
    assert all(MASKED in str(row.request) and MASKED in str(row.response) for row in rows)
    assert in_clear(gateway, *numbers) == []


def test_streams_are_restored_across_their_pieces_and_no_topic_holds_a_value(
    gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("flowing", provider.url, "flowing-model", guardrails=GUARDED)
    cut = tuple(MASKED[at : at + 4] for at in range(0, len(MASKED), 4))
    provider.script("flowing-model", Stream(texts=cut, interval_s=0.012))

    def ask(number: int) -> tuple[str, bool]:
        answer = gateway.ask("flowing", text(number), stream=True)
        return said(answer.text), answer.text.rstrip().endswith("[DONE]")

    numbers = range(200, 208)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, numbers)) == [(text(number), True) for number in numbers]
    rows = gateway.logged_once("flowing", len(numbers))
    assert all(MASKED in str(row.response) for row in rows)
    assert in_clear(gateway, *numbers) == []


def test_a_producers_answer_keeps_its_placeholders(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("submitted", provider.url, "submitted-model", guardrails=GUARDED)
    provider.script("submitted-model", Reply(text=MASKED))
    asyncio.run(_submit(gateway, {"model": "submitted", "messages": [{"role": "user", "content": text(300)}]}))
    (value,) = until(lambda: raw(gateway.brokers, (ANSWERS, 1))[ANSWERS], 20, "the answer")
    answer: Any = json.loads(value)
    assert (answer["status"], answer["body"]["choices"][0]["message"]["content"]) == (200, MASKED)
    gateway.logged_once("submitted", 1)
    assert in_clear(gateway, 300) == []


async def _submit(gateway: Services, body: dict[str, Any]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=gateway.brokers)
    await admin.start()
    await admin.create_topics([NewTopic(ANSWERS, num_partitions=1, replication_factor=1)])
    await admin.close()
    headers = [("authorization", f"Bearer {gateway.token}".encode()), ("reply-topic", ANSWERS.encode())]
    producer = AIOKafkaProducer(bootstrap_servers=gateway.brokers, acks="all")
    await producer.start()
    await producer.send_and_wait(topics.SUBMISSIONS.name, json.dumps(body).encode(), headers=headers)
    await producer.stop()
