"""Exactly once, whatever happens between two writes."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from contract.records import PayloadTable
from spark_jobs import delta_writes, layouts, names
from spark_jobs.batches import Batches, Written
from spark_jobs.names import Table
from tests.spark_jobs import rows

ONE, TWO = names.payload("users", "me", "ep"), names.payload("users", "me", "two")


class Crashed(Exception):
    """Stands for the process's end."""


class CrashAt:
    """Ends the batch right after it has written a table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __call__(self, table: Table) -> None:
        if table == self.table:
            raise Crashed(str(table))


def nothing(_: object) -> None:
    """Nobody asks."""


def test_a_batch_that_ends_after_any_write_and_is_repeated_loses_and_doubles_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    two = PayloadTable(catalog="users", schema="me", prefix="two")
    batch = rows.batch(
        spark,
        [
            rows.entity(),
            ("gateway.log", "k", b"bad"),
            *(rows.logged(name) for name in "abc"),
            *(rows.logged(name, payload_table=two) for name in "de"),
        ],
    )
    for table in (names.SERVED_ENTITIES, names.ENDPOINT_USAGE, ONE):
        with pytest.raises(Crashed, match=str(table)):
            Batches(tmp_path, "job", wrote=CrashAt(table), done=nothing)(batch, 0)
    Batches(tmp_path, "job", wrote=nothing, done=nothing)(batch, 0)
    assert rows.ids(tmp_path, names.ENDPOINT_USAGE) == ["a", "b", "c", "d", "e"]
    assert rows.ids(tmp_path, ONE) + rows.ids(tmp_path, TWO) == ["a", "b", "c", "d", "e"]
    assert len(rows.ids(tmp_path, TWO)) == 2
    assert len(rows.read(tmp_path, names.SERVED_ENTITIES)) == 1
    assert [row["value"] for row in rows.read(tmp_path, names.QUARANTINE)] == [b"bad"]


def test_a_request_logged_twice_is_written_once_in_a_batch_and_across_batches(
    spark: SparkSession, tmp_path: Path
) -> None:
    seen: list[Written] = []
    batches = Batches(tmp_path, "job", wrote=nothing, done=seen.append)
    batches(rows.batch(spark, [rows.logged("a"), rows.logged("a", status_code=504), rows.logged("b")]), 0)
    batches(rows.batch(spark, [rows.logged("b", status_code=504), rows.logged("c")]), 1)
    batches(rows.batch(spark, [rows.logged("b", status_code=504)]), 2)
    # Another checkpoint, which reads everything again.
    Batches(tmp_path, "other job", wrote=nothing, done=nothing)(
        rows.batch(spark, [rows.logged(name) for name in "abcd"]), 0
    )
    for table in (names.ENDPOINT_USAGE, ONE):
        assert rows.ids(tmp_path, table) == ["a", "b", "c", "d"]
        assert {row["status_code"] for row in rows.read(tmp_path, table)} == {200}
    assert [(written.requests, written.repeated) for written in seen] == [(2, 1), (2, 0), (1, 0)]


def test_the_newest_definition_of_an_entity_stands_and_a_deletion_stays(spark: SparkSession, tmp_path: Path) -> None:
    batches = Batches(tmp_path, "job", wrote=nothing, done=nothing)
    now = rows.START_MS
    batches(rows.batch(spark, [rows.entity("a", task="new", change_time_ms=now), rows.entity("b")]), 0)
    batches(rows.batch(spark, [rows.entity("a", task="old", change_time_ms=now - 1)]), 1)
    batches(rows.batch(spark, [rows.entity("b", endpoint_delete_time_ms=now + 5)]), 2)
    batches(rows.batch(spark, [rows.entity("b")]), 3)
    found = {row["served_entity_id"]: row for row in rows.read(tmp_path, names.SERVED_ENTITIES)}
    assert found["a"]["task"] == "new"
    assert found["a"]["endpoint_delete_time"] is None
    assert found["b"]["endpoint_delete_time"].timestamp() * 1000 == pytest.approx(now + 5)


def test_an_older_table_gets_the_columns_it_lacks(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "table"
    older = delta_writes.Layout(
        columns=layouts.USAGE.columns[:7], cluster_by=("request_time",), statistics=("request_time",)
    )
    delta_writes.ensure(spark, path, older)
    delta_writes.ensure(spark, path, layouts.USAGE)
    assert spark.read.format("delta").load(str(path)).columns == [column.name for column in layouts.USAGE.columns]
