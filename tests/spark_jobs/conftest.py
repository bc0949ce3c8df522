"""One Spark session for all tests of the lake, a gateway for it to call, and a lake as the seeds expect it."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs import session
from spark_jobs.batches import Batches
from tests.spark_jobs import rows
from tests.spark_jobs.gateway import Gateway

JARS = Path(os.environ.get("HEADGATE_JARS", Path(__file__).parents[2] / ".headgate" / "jars"))
EMPTY, BLOCKED, PLAIN = "empty", "blocked", "plain"
ENTITY = rows.entity(created_by="<user_email>", endpoint_name=rows.SEED_TABLE.prefix)
REQUESTS = [
    rows.logged(name, payload_table=rows.SEED_TABLE, **changes)  # type: ignore[arg-type]
    for name, changes in {
        PLAIN: {
            "request": '{"messages":[{"role":"user","content":"about SuperSecretProject"}]}',
            "response": '{"choices":[{"message":{"role":"assistant","content":"hi"}}],'
            '"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}',
        },
        EMPTY: {"request": '{"messages":[]}', "response": '{"choices":[]}'},
        "parts": {"request": '{"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]}]}'},
        "no json": {"request": "hello", "response": "<html>"},
        "too long": {"request": None, "response": None, "logging_error_codes": ("MAX_REQUEST_SIZE_EXCEEDED",)},
        BLOCKED: {"status_code": 400, "response": '{"usage":{},"input_guardrail":[]}', "refusal": "guardrail"},
        "limited": {"status_code": 429, "response": "{}", "refusal": "request_limit"},
    }.items()
]


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """What HEADGATE_URL points at; set before the JVM starts, because a JVM's environment never changes."""
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text("dapi-test\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADGATE_URL", server.url)
        patch.setenv("HEADGATE_TOKEN_FILE", str(token))
        patch.delenv("HEADGATE_TOKEN", raising=False)
        yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def jars() -> Path:
    """Where `make setup` has put the jars."""
    return JARS


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake the session starts with."""
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="session")
def spark(gateway: Gateway, lake: Path, jars: Path) -> Iterator[SparkSession]:
    """A session as the jobs have it: ANSI on."""
    started = session.build("tests", lake=lake, jars=jars, ansi=True)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def people(spark: SparkSession, lake: Path, seeded: Path) -> SparkSession:
    """A session as people have it, over the seeded lake."""
    other = spark.newSession()
    other.conf.set("spark.sql.ansi.enabled", "false")
    session.mount(other, seeded)
    return other


@pytest.fixture(scope="session")
def seeded(spark: SparkSession, lake: Path) -> Path:
    """The lake with the endpoint of the seeds: one row of every kind the gateway writes."""
    Batches(lake, "tests", wrote=lambda _: None, done=lambda _: None)(rows.batch(spark, [ENTITY, *REQUESTS]), 0)
    return lake
