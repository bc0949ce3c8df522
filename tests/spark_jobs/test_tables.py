"""The tables on disk: columns exactly as documented, and read by delta-rs as by Spark."""

from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from contract import tables
from contract.tables import Column
from spark_jobs import names
from spark_jobs.names import Table
from tests.spark_jobs import conftest, rows

SEED = names.payload(rows.SEED_TABLE.catalog, rows.SEED_TABLE.schema, rows.SEED_TABLE.prefix)
DOCUMENTED = [
    (names.ENDPOINT_USAGE, tables.ENDPOINT_USAGE, 7),
    (names.SERVED_ENTITIES, tables.SERVED_ENTITIES, 1),
    (SEED, tables.PAYLOAD, 6),
]


@pytest.mark.parametrize(("table", "columns", "count"), DOCUMENTED, ids=lambda value: str(value)[:40])
def test_a_table_has_the_documented_columns_in_their_order(
    people: SparkSession, table: Table, columns: tuple[Column, ...], count: int
) -> None:
    found = people.table(f"{table.catalog}.{table.schema}.`{table.name}`")
    assert [(field.name, field.dataType.simpleString()) for field in found.schema] == [
        (column.name, column.sql_type.lower().replace(": ", ":").replace(", ", ",")) for column in columns
    ]
    assert found.count() == count


@pytest.mark.parametrize(("table", "columns", "count"), DOCUMENTED, ids=lambda value: str(value)[:40])
def test_another_reader_sees_the_same(seeded: Path, table: Table, columns: tuple[Column, ...], count: int) -> None:
    found = DeltaTable(str(table.path(seeded)))
    assert [field.name for field in found.schema().fields] == [column.name for column in columns]
    assert len(rows.read(seeded, table)) == count


def test_a_gateway_429_is_counted_but_not_kept(seeded: Path) -> None:
    assert "limited" in rows.ids(seeded, names.ENDPOINT_USAGE)
    assert "limited" not in rows.ids(seeded, SEED)
    assert conftest.BLOCKED in rows.ids(seeded, SEED)


def test_error_codes_are_an_empty_array_normally(seeded: Path) -> None:
    codes = {row["databricks_request_id"]: row["logging_error_codes"] for row in rows.read(seeded, SEED)}
    assert codes[conftest.PLAIN] == []
    assert codes["too long"] == ["MAX_REQUEST_SIZE_EXCEEDED"]


def test_the_date_is_the_utc_date_of_receipt(seeded: Path) -> None:
    for row in rows.read(seeded, SEED):
        assert row["request_date"] == row["request_time"].date()
        assert row["request_time"].timestamp() * 1000 == pytest.approx(rows.START_MS)


@pytest.mark.parametrize("table", [table for table, _, _ in DOCUMENTED], ids=str)
def test_the_simplest_delta_reader_will_do(seeded: Path, table: Table) -> None:
    assert DeltaTable(str(table.path(seeded))).protocol().min_reader_version == 1
