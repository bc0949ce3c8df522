"""Exactly once, whatever happens between two writes."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from contract.records import PayloadTable
from spark_jobs import delta_writes, layouts, names
from spark_jobs.batches import Batches, Written
from spark_jobs.names import Table
from tests.spark_jobs import rows

TWO = names.payload("users", "me", "two")


class Crashed(Exception):
    """Stands for the process's end."""


class CrashAfter:
    """Ends the batch after its n-th write, once."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def __call__(self, table: Table) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crashed(str(table))


def nothing(_: object) -> None:
    """Nobody asks."""


def mixed(spark: SparkSession, number: int) -> DataFrame:
    """A batch with rows for five tables."""
    two = PayloadTable(catalog="users", schema="me", prefix="two")
    return rows.batch(
        spark,
        [
            rows.entity(f"entity{number}"),
            ("gateway.log", "k", b"bad"),
            *(rows.logged(f"{number}-{i}") for i in range(3)),
            *(rows.logged(f"{number}-{i}", payload_table=two) for i in range(3, 5)),
        ],
    )


def test_a_batch_that_ends_after_any_write_and_is_repeated_loses_and_doubles_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    for number, writes in enumerate((1, 2, 3, 4, 5)):
        batch = mixed(spark, number)
        with pytest.raises(Crashed):
            Batches(tmp_path, "job", wrote=CrashAfter(writes), done=nothing)(batch, number)
        Batches(tmp_path, "job", wrote=nothing, done=nothing)(batch, number)
    requests = [f"{number}-{i}" for number in range(5) for i in range(5)]
    one = names.payload("users", "me", "ep")
    assert rows.ids(tmp_path, names.ENDPOINT_USAGE) == requests
    assert sorted(rows.ids(tmp_path, one) + rows.ids(tmp_path, TWO)) == requests
    assert len(rows.ids(tmp_path, TWO)) == 10
    assert len(rows.read(tmp_path, names.SERVED_ENTITIES)) == 5
    assert sorted(row["batch_id"] for row in rows.read(tmp_path, names.QUARANTINE)) == [0, 1, 2, 3, 4]


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
    for table in (names.ENDPOINT_USAGE, names.payload("users", "me", "ep")):
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
