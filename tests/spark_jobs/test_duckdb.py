"""The tables as DuckDB reads them, with its own Delta extension and no network."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession

from contract import topics
from contract.tables import Column
from spark_jobs import names
from spark_jobs.batches import Batches
from spark_jobs.names import Table
from tests.spark_jobs import rows
from tests.spark_jobs.test_tables import DOCUMENTED


@pytest.fixture
def duck(tmp_path: Path) -> Iterator[Any]:
    """A connection with the extension, whose signature DuckDB checks; it must not fetch one."""
    package = importlib.util.find_spec("duckdb_extension_delta")
    assert package is not None and package.origin is not None
    extension = Path(package.origin).parent / f"extensions/v{duckdb.__version__}/delta.duckdb_extension"
    limits = {"autoinstall_known_extensions": "false", "extension_directory": str(tmp_path), "threads": "2"}
    with duckdb.connect(config=limits) as connection:
        connection.execute(f"LOAD '{extension}'")
        yield connection


@pytest.mark.parametrize(("table", "columns", "count"), DOCUMENTED, ids=lambda value: str(value)[:40])
def test_duckdb_reads_the_same_rows(
    duck: Any, seeded: Path, table: Table, columns: tuple[Column, ...], count: int
) -> None:
    found = scanned(duck, table.path(seeded))
    assert len(found) == count
    assert all(list(row) == [column.name for column in columns] for row in found)
    assert sorted(map(plain, found)) == sorted(map(plain, rows.read(seeded, table)))


def test_duckdb_reads_what_nobody_could_read(duck: Any, spark: SparkSession, tmp_path: Path) -> None:
    bad = rows.batch(spark, [(topics.LOG.name, "key", b"\xff\x00no record")])
    Batches(tmp_path, "tests", wrote=lambda _: None, done=lambda _: None)(bad, 0)
    found = scanned(duck, names.QUARANTINE.path(tmp_path))
    assert [plain(row) for row in found] == [plain(row) for row in rows.read(tmp_path, names.QUARANTINE)]
    assert [row["value"] for row in found] == [b"\xff\x00no record"]


def scanned(duck: Any, path: Path) -> list[dict[str, Any]]:
    """The rows of the table at `path`."""
    found = duck.execute(f"SELECT * FROM delta_scan('{path}')")
    columns = [column[0] for column in found.description]
    return [dict(zip(columns, values, strict=True)) for values in found.fetchall()]


def plain(row: dict[str, Any]) -> str:
    """A row as text: delta-rs gives a map as a list of pairs, and times in a zone of another class."""
    return repr({name: _plain(value) for name, value in row.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        return dict(value)
    return value.timestamp() if hasattr(value, "timestamp") else value
