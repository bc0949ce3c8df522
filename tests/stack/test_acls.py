"""The rights that docs/kafka.md names are enough for every part, and keep the submissions' tokens from all others."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.protocol.admin import CreateAclsRequest

from contract import topics
from launcher.broker import Broker
from launcher.java import Java
from launcher.kafka_files import Listener
from spark_jobs import names
from tests.spark_jobs import rows
from tests.stack.test_submissions import on_topic
from tests.support.provider import ScriptedProvider
from tests.support.services import REPOSITORY, Service, Services, free_port, until

PAGE = (REPOSITORY / "docs" / "kafka.md").read_text()
RIGHTS = re.findall(r"^\| `(\w+)` \| (topic|group) `([^`]+)` \| (\w[\w, ]*) \|$", PAGE, re.MULTILINE)
USERS = sorted({user for user, *_ in RIGHTS})
KINDS = {"topic": 2, "group": 3}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "AlterConfigs": 11}
ANSWERS = "my-team.answers"
PASSWORDS = " ".join(f'user_{user}="pw"' for user in USERS)
PARTS = {
    "processors.provision": "topics",
    "processors.app": "worker",
    "ingress.app": "ingress",
    "sinks.app": "sinks",
    "spark_jobs.ingest": "lake",
}
CHAT: Any = [{"role": "user", "content": "hello"}]


class Apart(Services):
    """Services that come to Kafka each under its own name."""

    def start(self, name: str, module: str) -> Service:
        """Start one more process, as its user."""
        self.environ["HEADGATE_KAFKA_USERNAME"] = PARTS[module]
        return super().start(name, module)


@pytest.fixture(scope="module")
def listener() -> Listener:
    login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {PASSWORDS};"
    return Listener(
        name="NAMED",
        protocol="SASL_PLAINTEXT",
        port=free_port(),
        settings={"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": login},
        broker={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # the broker itself, and this test on the open listener
        },
    )


@pytest.fixture(scope="module")
def strict(
    found_java: Java, jars_at: Path, listener: Listener, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("strict"), found_java, jars_at, listener) as running:
        asyncio.run(grant(running.address))
        yield running


async def grant(brokers: str) -> None:
    """Every right of the page, and the producers' topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(ANSWERS, 1, 1)])
        for user, kind, name, operations in RIGHTS:
            pattern = PREFIXED if name.endswith("*") else LITERAL
            where = (KINDS[kind], name.removesuffix("*"), pattern, f"User:{user}", "*")
            for operation in operations.split(", "):
                request = CreateAclsRequest(*where, OPERATIONS[operation], ALLOW)
                answer = await admin._send_to_controller(request)
                assert [code for code, _ in answer.creation_responses] == [0]
    finally:
        await admin.close()


def login(listener: Listener, user: str) -> dict[str, str]:
    return {
        "bootstrap_servers": f"127.0.0.1:{listener.port}",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": user,
        "sasl_plain_password": "pw",
    }


async def submit(listener: Listener, token: str, *values: bytes) -> None:
    headers = [("authorization", f"Bearer {token}".encode()), ("reply-topic", ANSWERS.encode())]
    async with AIOKafkaProducer(**login(listener, "producer")) as producer:
        for value in values:
            await producer.send_and_wait(topics.SUBMISSIONS.name, value, headers=headers)


async def write(brokers: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        await producer.send_and_wait(topic, value)


def test_the_page_names_rights_for_every_part() -> None:
    assert set(USERS) == {*PARTS.values(), "producer"}
    assert {operation for *_, said in RIGHTS for operation in said.split(", ")} == set(OPERATIONS)


def test_the_rights_of_the_page_are_enough_for_every_part(
    strict: Broker, listener: Listener, provider: ScriptedProvider, jars_at: Path, tmp_path: Path
) -> None:
    how = {
        "HEADGATE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "HEADGATE_KAFKA_USERNAME": PARTS["processors.provision"],
        "HEADGATE_KAFKA_PASSWORD": "pw",
        "HEADGATE_METRICS_PORT": str(free_port()),
    }
    with Apart(f"127.0.0.1:{listener.port}", tmp_path, 1, **how) as gateway:
        gateway.brokers = strict.address  # where the test itself reads
        limit = {"calls": 100, "key": "endpoint", "renewal_period": "minute"}
        gateway.endpoint("apart", provider.url, "apart-model", rate_limits=[limit])
        assert gateway.ask("apart").status_code == 200
        query = json.dumps({"model": "apart", "messages": CHAT}).encode()
        asyncio.run(submit(listener, gateway.token, query, b'{"model":"nope"}', b"no json"))
        asyncio.run(write(strict.address, topics.REQUESTS.name, b"no request"))
        until(lambda: len(on_topic(strict.address, ANSWERS, 1)) == 3, 20, "the worker's answer and the ingress's")
        until(lambda: len(on_topic(strict.address, topics.DEAD_LETTERS.name, 1)) == 2, 20, "both parts' dead letters")
        assert len(gateway.logged_once("apart", 2)) == 2
        gateway.start("sinks", "sinks.app").wait_ready()
        metrics = f"http://127.0.0.1:{gateway.environ['HEADGATE_METRICS_PORT']}/metrics"
        until(lambda: 'group="headgate-workers"' in gateway.session.get(metrics).text, 30, "the workers' lag")
        lake = {
            **gateway.environ,
            "HEADGATE_KAFKA_USERNAME": PARTS["spark_jobs.ingest"],
            "HEADGATE_LAKE": str(tmp_path / "lake"),
            "HEADGATE_JARS": str(jars_at),
        }
        command = [sys.executable, "-m", "spark_jobs.ingest", "--once"]
        ran = subprocess.run(command, env=lake, cwd=REPOSITORY, capture_output=True, text=True, timeout=180)
        assert ran.returncode == 0, ran.stderr[-3000:]
        assert len(rows.ids(tmp_path / "lake", names.ENDPOINT_USAGE)) == 2
        gateway.workers[0].stop()
        logs = ran.stderr + "".join(path.read_text() for path in tmp_path.glob("*.log"))
        assert logs and "Authorization" not in logs


@pytest.mark.parametrize("user", [user for user in USERS if user != "ingress"])
async def test_nobody_but_the_ingress_reads_the_tokens(strict: Broker, listener: Listener, user: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=strict.address)
    await admin.start()
    await admin.create_topics([NewTopic(topics.SUBMISSIONS.name, 1, 1)])
    await admin.close()
    consumer = AIOKafkaConsumer(topics.SUBMISSIONS.name, **login(listener, user), enable_auto_commit=False)
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            await consumer.start()
            await asyncio.wait_for(consumer.getone(), 20)
    finally:
        await consumer.stop()
