"""Three-level names."""

from pathlib import Path

import pytest
from pyspark.errors import AnalysisException, UnsupportedOperationException
from pyspark.sql import SparkSession

from spark_jobs import layouts, names, session
from spark_jobs.delta_writes import ensure
from tests.spark_jobs import rows


def test_a_catalog_made_later_is_seen_by_a_running_session(people: SparkSession, seeded: Path) -> None:
    ensure(people, names.payload("later", "s", "my-endpoint").path(seeded), layouts.PAYLOAD)
    session.mount(people, seeded)
    assert people.sql("SELECT * FROM later.s.`my-endpoint_payload`").count() == 0
    assert [row["tableName"] for row in people.sql("SHOW TABLES IN later.s").collect()] == ["my-endpoint_payload"]


def test_schemas_and_tables_can_be_listed(people: SparkSession) -> None:
    assert [row[0] for row in people.sql("SHOW SCHEMAS IN system").collect()] == ["serving"]
    found = people.sql("SHOW TABLES IN system.serving").collect()
    assert {row["tableName"] for row in found} <= {"endpoint_usage", "served_entities"}


def test_an_older_version_can_be_read(people: SparkSession) -> None:
    assert people.sql("SELECT * FROM system.serving.endpoint_usage VERSION AS OF 0").count() == 0


@pytest.mark.parametrize(
    "name", ["system.serving.missing", "system.`..`.`etc`", "system.serving.`../serving/x`", "system.a.b.c"]
)
def test_what_is_no_table_here_is_not_found(people: SparkSession, name: str) -> None:
    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
        people.sql(f"SELECT * FROM {name}")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE system.serving.mine (a INT) USING delta",
        "DROP TABLE system.serving.endpoint_usage",
        "DROP SCHEMA system.serving CASCADE",
        "CREATE SCHEMA system.mine",
    ],
)
def test_tables_are_made_and_dropped_by_the_gateway_alone(people: SparkSession, statement: str) -> None:
    with pytest.raises(UnsupportedOperationException, match="the gateway makes its tables"):
        people.sql(statement)


def test_functions_of_spark_keep_their_names_beside_a_catalog_named_system(people: SparkSession) -> None:
    assert people.sql("SELECT system.builtin.upper('a')").first() == ("A",)


def test_missing_jars_are_a_clear_message(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make setup"):
        session.build("x", lake=tmp_path, jars=tmp_path, ansi=True)


def test_rows_can_be_deleted_and_files_compacted_by_name(people: SparkSession, seeded: Path) -> None:
    table = names.payload("later", "s", "edited")
    ensure(people, table.path(seeded), layouts.PAYLOAD)
    session.mount(people, seeded)
    for name in ("a", "b"):
        people.sql(f"INSERT INTO later.s.edited_payload (databricks_request_id, status_code) VALUES ('{name}', 200)")
    people.sql("OPTIMIZE later.s.edited_payload")
    people.sql("DELETE FROM later.s.edited_payload WHERE databricks_request_id = 'a'")
    assert rows.ids(seeded, table) == ["b"]
