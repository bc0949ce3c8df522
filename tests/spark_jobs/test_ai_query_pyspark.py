"""`ai_query` from PySpark's own interface, in views, and in what is written."""

from collections.abc import Callable, Iterator

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.spark_jobs.gateway import Gateway, texts

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def notes(people: SparkSession) -> DataFrame:
    """Three rows."""
    return people.range(3).withColumn("x", F.concat(F.lit("n"), "id"))


WAYS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "call_function": lambda notes: notes.select(F.call_function("ai_query", F.lit("ep"), F.col("x"))),
    "call_function, all arguments": lambda notes: notes.select(
        F.call_function(
            "ai_query",
            F.lit("ep"),
            F.col("x"),
            F.lit("STRING"),
            F.lit(True),
            F.struct(F.lit(5).alias("max_tokens")),
            F.lit(None),
            F.lit(None),
        )
    ),
    "expr": lambda notes: notes.select(F.expr("ai_query('ep', request => x, failOnError => false).result")),
    "selectExpr": lambda notes: notes.selectExpr("ai_query(request => x, endpoint => 'ep') AS a"),
    "withColumn": lambda notes: notes.withColumn("a", F.expr("ai_query('ep', x)")).select("a"),
    "filter": lambda notes: notes.where(F.call_function("ai_query", F.lit("ep"), "x").startswith("you")).select(
        F.concat(F.lit("you said "), "x")
    ),
    "transform": lambda notes: notes.select(
        F.transform(F.array("x"), lambda v: F.call_function("ai_query", F.lit("ep"), v))[0]
    ),
    "sql with parameters": lambda notes: notes.sparkSession.sql(
        "SELECT ai_query(:endpoint, x) FROM {notes}", args={"endpoint": "ep"}, notes=notes
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_asks_as_sql_does(notes: DataFrame, gateway: Gateway, way: str) -> None:
    before = len(gateway.asked)
    assert sorted(value for (value,) in WAYS[way](notes).collect()) == [f"you said n{n}" for n in range(3)]
    assert sorted(texts(body for _, _, body in gateway.asked[before:])) == ["n0", "n1", "n2"]


def test_a_frames_named_view_asks_when_it_is_read(people: SparkSession, notes: DataFrame, gateway: Gateway) -> None:
    before = len(gateway.asked)
    notes.selectExpr("id", "ai_query('ep', x) AS a").createOrReplaceTempView("answers")
    assert len(gateway.asked) == before
    assert people.table("answers").where("id = 1").collect()[0]["a"] == "you said n1"
    assert len(gateway.asked) == before + 3  # a condition over the view is checked afterwards


@pytest.fixture
def table(people: SparkSession) -> Iterator[str]:
    """A table of 200 rows beside the one a test makes, whose name it gives; both are dropped."""
    people.sql("CREATE TABLE two_hundred USING delta AS SELECT id, concat('row ', id) AS x FROM range(200)")
    yield "answered"
    people.sql("DROP VIEW IF EXISTS standing")
    for name in ("two_hundred", "answered"):
        people.sql(f"DROP TABLE IF EXISTS {name}")


def test_a_view_may_ask(people: SparkSession, gateway: Gateway, table: str) -> None:
    people.sql("CREATE VIEW standing AS SELECT id, ai_query('ep', request => x) AS a FROM two_hundred")
    before = len(gateway.asked)
    assert people.sql("SELECT count(a) FROM standing").collect()[0][0] == 200
    assert len(gateway.asked) == before + 200


def test_what_is_written_was_asked_once_for_each_row(people: SparkSession, gateway: Gateway, table: str) -> None:
    before = len(gateway.asked)
    people.sql(f"CREATE TABLE {table} USING delta AS SELECT id, ai_query('ep', x) AS a FROM two_hundred")
    assert len(gateway.asked) == before + 200
    people.sql(f"INSERT INTO {table} SELECT id, ai_query('ep', x || '!') FROM two_hundred")
    assert len(gateway.asked) == before + 400
    found = people.table(table).collect()
    assert sorted(row["a"] for row in found) == sorted(
        f"you said row {n}{end}" for n in range(200) for end in ("", "!")
    )
    assert len({body["client_request_id"] for _, _, body in gateway.asked[before:]}) == 400


def test_the_callers_own_id_goes_first(notes: DataFrame, gateway: Gateway) -> None:
    own = "named_struct('client_request_id', concat('mine-', id))"
    whole = "named_struct('messages', array(named_struct('role', 'user', 'content', x)), 'client_request_id', 'whole')"
    before = len(gateway.asked)
    notes.selectExpr(f"ai_query('ep', x, modelParameters => {own})", f"ai_query('ep', {whole})").collect()
    ids = sorted(body["client_request_id"] for _, _, body in gateway.asked[before:])
    assert ids == ["mine-0", "mine-1", "mine-2", "whole", "whole", "whole"]


def test_rows_and_queries_have_ids_of_their_own(notes: DataFrame, gateway: Gateway) -> None:
    before = len(gateway.asked)
    asking = notes.selectExpr("ai_query('ep', x)")
    asking.collect()
    asking.collect()
    ids = [body["client_request_id"] for _, _, body in gateway.asked[before:]]
    assert len(set(ids)) == len(ids) == 6
