"""Records as they come off Kafka, and tables as another reader sees them."""

import datetime
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from contract import codec, topics
from contract.records import PayloadTable, RequestLogged
from contract.state import ServedEntityRow
from spark_jobs.delta_writes import has_commit
from spark_jobs.names import Table

Sent = RequestLogged | ServedEntityRow | tuple[str, str, bytes | None]
KAFKA = "key BINARY, value BINARY, topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP"
START_MS = int(time.time() * 1000) - 60_000
SEED_TABLE = PayloadTable(catalog="users", schema="takaaki_yayoi", prefix="taka_ai_gateway_endpoint")


def logged(request_id: str, **changes: Any) -> RequestLogged:
    """A plain answered request; `changes` to its fields."""
    plain = RequestLogged(
        request_id=request_id,
        received_at_ms=START_MS,
        endpoint_id="e" * 32,
        endpoint_name="ep",
        served_entity_id="s" * 32,
        served_entity_name="gpt",
        requester="me@example.com",
        status_code=200,
        account_id="account",
        workspace_id="1",
        usage_tracked=True,
        payload_table=PayloadTable(catalog="users", schema="me", prefix="ep"),
        request='{"messages":[{"role":"user","content":"hello"}]}',
        response='{"choices":[{"message":{"role":"assistant","content":"hi"}}]}',
    )
    return msgspec.structs.replace(plain, **changes)


def entity(served_entity_id: str = "s" * 32, **changes: Any) -> ServedEntityRow:
    """A served entity as the gateway writes it; `changes` to its fields."""
    plain = ServedEntityRow(
        served_entity_id=served_entity_id,
        account_id="account",
        workspace_id="1",
        created_by="me@example.com",
        endpoint_name="ep",
        endpoint_id="e" * 32,
        served_entity_name="gpt",
        entity_name="gpt-4o-mini",
        endpoint_config_version=1,
        task="llm/v1/chat",
        provider="openai",
        change_time_ms=START_MS,
    )
    return msgspec.structs.replace(plain, **changes)


def key_of(record: RequestLogged | ServedEntityRow) -> tuple[str, str]:
    """Topic and key of a record."""
    if isinstance(record, ServedEntityRow):
        return topics.STATE.name, f"served_entity/{record.served_entity_id}"
    return topics.LOG.name, record.request_id


def batch(spark: SparkSession, records: Iterable[Sent]) -> DataFrame:
    """Records, or (topic, key, value), as Kafka's source gives them, offsets counting from 0."""
    now = datetime.datetime.now()
    rows = []
    for offset, record in enumerate(records):
        if isinstance(record, tuple):
            topic, key, value = record
        else:
            (topic, key), value = key_of(record), codec.encode(record)
        rows.append((key.encode(), value, topic, 0, offset, now))
    return spark.createDataFrame(rows, KAFKA)


def read(lake: Path, table: Table) -> list[dict[str, Any]]:
    """A table's rows by delta-rs, which shares no code with the writer; none before its first commit."""
    if not has_commit(table.path(lake)):
        return []
    found: list[dict[str, Any]] = DeltaTable(str(table.path(lake))).to_pyarrow_dataset().to_table().to_pylist()
    return found


def ids(lake: Path, table: Table) -> list[str]:
    """The request ids of a table, sorted, repeats included."""
    return sorted(row["databricks_request_id"] for row in read(lake, table))
