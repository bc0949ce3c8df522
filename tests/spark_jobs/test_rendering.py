"""A result as people and programs get it."""

import csv
import json

from pyspark.sql import SparkSession

from spark_jobs import rendering
from spark_jobs.rendering import Format

QUERY = """SELECT 1 AS id, 'a"b,\nc' AS text, TIMESTAMP '2026-01-02 03:04:05.678' AS at, 2 AS id,
    array(1, null) AS list, named_struct('k', 'é') AS s, CAST(null AS STRING) AS nothing"""


def lines(spark: SparkSession, query: str, form: Format) -> list[str]:
    return list(rendering.rendered(spark.sql(query), form))


def test_json_is_one_object_a_row_and_two_columns_of_one_name_both_stay(spark: SparkSession) -> None:
    [line] = lines(spark, QUERY, "json")
    assert json.loads(line) == {
        "id": 1,
        "text": 'a"b,\nc',
        "at": "2026-01-02T03:04:05.678Z",
        "id_2": 2,
        "list": [1, None],
        "s": {"k": "é"},
        "nothing": None,
    }
    assert "é" in line


def test_csv_has_a_head_and_quotes_what_it_must(spark: SparkSession) -> None:
    head, row = csv.reader("\n".join(lines(spark, QUERY, "csv")).splitlines(keepends=True))
    assert head == ["id", "text", "at", "id", "list", "s", "nothing"]
    assert row == ["1", 'a"b,\nc', "2026-01-02 03:04:05.678", "2", "[1, null]", "{é}", ""]


def test_a_table_is_as_wide_as_its_widest_letters(spark: SparkSession) -> None:
    found = lines(spark, "SELECT * FROM VALUES ('専門家', 1), ('x', null) AS t(word, n)", "table")
    assert found == [
        "+--------+------+",
        "| word   | n    |",
        "+--------+------+",
        "| 専門家 | 1    |",
        "| x      | NULL |",
        "+--------+------+",
        "2 rows",
    ]


def test_a_table_stops_at_a_thousand_rows_and_says_so(spark: SparkSession) -> None:
    assert lines(spark, "SELECT * FROM range(1500)", "table")[-1].startswith("1000 rows shown, there are more")


def test_a_statement_without_a_result_prints_nothing(spark: SparkSession) -> None:
    assert lines(spark, "CREATE OR REPLACE TEMPORARY VIEW empty_result AS SELECT 1", "table") == []
