"""The whole way over a broker that wants TLS, a client certificate and a password; which shows itself nowhere."""

import asyncio
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contract import topics
from launcher.broker import Broker
from launcher.java import Java
from launcher.kafka_files import Listener
from spark_jobs import names
from tests.spark_jobs import rows
from tests.stack.test_submissions import on_topic
from tests.support import certificates
from tests.support.certificates import Files
from tests.support.provider import ScriptedProvider
from tests.support.services import REPOSITORY, Services, free_port, until

PASSWORD = 'swordfish-"7"'
WRONG = "wrong-swordfish"
MODULES = "org.apache.kafka.common.security"
IN_PROPERTIES = PASSWORD.replace('"', r"\\\"")  # once for JAAS, once for the file
SASL = {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
    "plain.sasl.jaas.config": f'{MODULES}.plain.PlainLoginModule required user_headgate="{IN_PROPERTIES}";',
    "scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return certificates.make(tmp_path_factory.mktemp("certificates"), datetime.datetime.now(datetime.UTC))


@pytest.fixture(scope="module")
def listener(files: Files) -> Listener:
    tls = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(files.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(files.ca),
        "ssl.client.auth": "required",
    }
    user = f"SCRAM-SHA-512=[name=headgate,password={PASSWORD}]"
    return Listener(name="SECURE", protocol="SASL_SSL", port=free_port(), settings=SASL | tls, scram=(user,))


@pytest.fixture(scope="module")
def strict(
    found_java: Java, jars_at: Path, listener: Listener, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("strict"), found_java, jars_at, listener) as running:
        yield running


@pytest.fixture(scope="module")
def environ(files: Files) -> dict[str, str]:
    return {
        "HEADGATE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "HEADGATE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "HEADGATE_KAFKA_USERNAME": "headgate",
        "HEADGATE_KAFKA_PASSWORD": PASSWORD,
        "HEADGATE_KAFKA_CA_FILE": str(files.ca),
        "HEADGATE_KAFKA_CERTIFICATE_FILE": str(files.client_certificate),
        "HEADGATE_KAFKA_KEY_FILE": str(files.client_key),
    }


async def submitted(brokers: str, token: str) -> None:
    """A submission over the open listener, and the topic for its answer."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.create_topics([NewTopic("answers", 1, 1)])
    await admin.close()
    headers = [("authorization", f"Bearer {token}".encode()), ("reply-topic", b"answers")]
    body = {"model": "secured", "messages": [{"role": "user", "content": "hello"}]}
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        await producer.send_and_wait(topics.SUBMISSIONS.name, json.dumps(body).encode(), headers=headers)


def ingest(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spark_jobs.ingest", "--once"]
    return subprocess.run(command, env=environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=180)


def test_a_request_a_submission_its_metrics_and_its_rows_pass_a_broker_that_wants_tls_and_a_password(
    strict: Broker,
    listener: Listener,
    environ: dict[str, str],
    provider: ScriptedProvider,
    jars_at: Path,
    tmp_path: Path,
) -> None:
    brokers = f"127.0.0.1:{listener.port}"
    more = environ | {"HEADGATE_METRICS_PORT": str(free_port())}
    with Services(brokers, tmp_path, 1, **more) as gateway:
        gateway.brokers = strict.address  # where the test itself reads
        gateway.endpoint("secured", provider.url, "secured-model")
        assert gateway.ask("secured").status_code == 200
        asyncio.run(submitted(strict.address, gateway.token))
        until(lambda: on_topic(strict.address, "answers", 1), 20, "the submission's answer")
        assert len(gateway.logged_once("secured", 2)) == 2

        (tmp_path / "password").write_text(PASSWORD + "\n")
        by_file = {"HEADGATE_KAFKA_PASSWORD": "", "HEADGATE_KAFKA_PASSWORD_FILE": str(tmp_path / "password")}
        gateway.environ |= {"HEADGATE_KAFKA_SASL_MECHANISM": "PLAIN", **by_file}
        gateway.start("sinks", "sinks.app").wait_ready()

        lake = {**gateway.environ, "HEADGATE_LAKE": str(tmp_path / "lake"), "HEADGATE_JARS": str(jars_at)}
        written = ingest(lake)
        assert written.returncode == 0, written.stderr[-3000:]
        assert len(rows.ids(tmp_path / "lake", names.ENDPOINT_USAGE)) == 2
        logs = written.stderr + "".join(path.read_text() for path in tmp_path.glob("*.log"))
        assert logs and "swordfish" not in logs


@pytest.mark.parametrize("module", ["processors.provision", "spark_jobs.ingest"])
def test_a_password_that_is_wrong_ends_a_part_and_is_not_shown(
    strict: Broker, listener: Listener, environ: dict[str, str], jars_at: Path, tmp_path: Path, module: str
) -> None:
    more = {
        "HEADGATE_BROKERS": f"127.0.0.1:{listener.port}",
        "HEADGATE_DATA": str(tmp_path),
        "HEADGATE_JARS": str(jars_at),
        "HEADGATE_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "HEADGATE_KAFKA_PASSWORD": WRONG,
    }
    ran = subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, **environ, **more},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ran.returncode == 1, ran.stderr[-3000:]
    assert "swordfish" not in ran.stdout + ran.stderr


def test_an_ingress_with_a_wrong_password_says_so_once_and_goes_on_trying(
    listener: Listener, strict: Broker, environ: dict[str, str], tmp_path: Path
) -> None:
    wrong = {**environ, "HEADGATE_KAFKA_PASSWORD": WRONG}
    gateway = Services(f"127.0.0.1:{listener.port}", tmp_path, 1, **wrong)
    ingress = gateway.start("ingress", "ingress.app")
    try:
        until(lambda: "SaslAuthenticationFailed" in ingress.log.read_text(), 30, "it says why")
        until(lambda: ingress.log.read_text().count("state interrupted") > 5, 30, "it tries again")
        assert ingress.log.read_text().count("SaslAuthenticationFailed") == 1
        assert "swordfish" not in ingress.log.read_text()
        assert ingress.stop() == 0
    finally:
        ingress.kill()
