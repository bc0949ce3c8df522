"""`ai_query` over many rows: calls ahead, equal calls once, no call a single row would not have made."""

from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.spark_jobs.gateway import TOGETHER, Gateway, setting, texts

ASK = "ai_query('ep', {0})"


def asked(people: SparkSession, gateway: Gateway, query: str) -> list[str]:
    """The texts a query asks about, in alphabetical order."""
    before = len(gateway.asked)
    people.sql(query).collect()
    return sorted(texts(body for _, _, body in gateway.asked[before:]))


def test_fifty_calls_of_one_task_are_open_at_once(people: SparkSession) -> None:
    rows = people.sql(f"SELECT ai_query('crowd', id) AS a FROM range(0, {TOGETHER}, 1, 1)").collect()
    assert [row["a"] for row in rows] == [f"you said {n}" for n in range(TOGETHER)]


def test_calls_behind_a_condition_are_open_at_once_too(people: SparkSession) -> None:
    half = "CASE WHEN id % 2 = 0 THEN ai_query('crowd', id) ELSE 'odd' END AS a"
    with setting(people, "inFlight", str(2 * TOGETHER)):
        rows = people.sql(f"SELECT {half} FROM range(0, {2 * TOGETHER}, 1, 1)").collect()
    assert [row["a"] for row in rows] == [f"you said {n}" if n % 2 == 0 else "odd" for n in range(2 * TOGETHER)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT transform(sequence(1, {n}), v -> ai_query('crowd', v))",
        "SELECT filter(sequence(1, {n}), v -> ai_query('crowd', v) LIKE 'you%')",
        "SELECT coalesce(IF(id < 0, 'x', null), ai_query('crowd', id)) FROM t",
        "SELECT explode(array(ai_query('crowd', id))) FROM t",
        "SELECT id, a FROM t LATERAL VIEW explode(split(ai_query('crowd', id), ' ')) AS a",
        "SELECT l.id FROM t l JOIN t r ON l.id = r.id AND ai_query('crowd', concat(l.id, r.id)) LIKE 'you%'",
        "SELECT id, ai_query('crowd', concat_ws(' ', collect_list(id))) FROM t GROUP BY id",
        "SELECT id FROM t ORDER BY ai_query('crowd', id)",
    ],
)
def test_calls_in_other_places_are_open_at_once_too(people: SparkSession, query: str) -> None:
    people.range(0, TOGETHER, 1, 1).createOrReplaceTempView("t")
    assert people.sql(query.format(n=TOGETHER)).collect()  # nobody is answered before all have asked


def test_no_more_calls_are_open_than_allowed_though_a_row_makes_more(people: SparkSession, gateway: Gateway) -> None:
    gateway.most_open = 0
    query = "SELECT transform(sequence(1, 30), v -> ai_query('ep', concat(id, '-', v))) AS a FROM range(0, 3, 1, 1)"
    with setting(people, "inFlight", "4"):
        rows = people.sql(query).collect()
    assert [row["a"] for row in rows] == [[f"you said {n}-{v}" for v in range(1, 31)] for n in range(3)]
    assert gateway.most_open <= 4


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, {ask} FROM (SELECT id, concat('t', id) AS x FROM range(0, 300, 1, 3))",
        "SELECT {ask}, {ask}, x, named_struct('a', id, 'b', array(x)) FROM t",
        "SELECT upper({ask}) || '!' FROM t WHERE id % 2 = 0",
        "SELECT id FROM t WHERE id > 1 AND {ask} LIKE '%3'",
        "SELECT x, d, m, s FROM t WHERE {ask} IS NOT NULL AND id < 3",
        "SELECT a FROM (SELECT id, {ask} AS a FROM t) WHERE id > 2",
        "SELECT a, length(a) FROM (SELECT {ask} AS a FROM t) WHERE a LIKE '%2'",
        "SELECT a, count(*) FROM (SELECT {ask} AS a FROM t) GROUP BY 1 ORDER BY 1",
        "SELECT id, {ask} AS a FROM t ORDER BY a DESC",
        "SELECT CASE WHEN id = 3 THEN {ask} ELSE 'no' END, coalesce({ask}, 'none'), if(id > 3, {ask}, x) FROM t",
        "SELECT id FROM t WHERE id = 4 OR {ask} LIKE '%1'",
        "SELECT transform(array(x, 'y'), v -> concat(v, {ask})) FROM t WHERE id < 2",
        "SELECT l.id, r.a FROM t l JOIN (SELECT id, {ask} AS a FROM t) r ON l.id = r.id + 1",
        "SELECT {ask} FROM t UNION ALL SELECT x FROM t",
        "SELECT a, rank() OVER (ORDER BY a) FROM (SELECT {ask} AS a FROM t)",
        "SELECT explode(array({ask}, x)) FROM t",
        "SELECT (SELECT max(a) FROM (SELECT {ask} AS a FROM t)) AS m, x FROM t",
        "SELECT {ask} FROM t WHERE false",
        "SELECT * FROM (SELECT {ask} AS a, id FROM t) WHERE id IN (SELECT id FROM t WHERE id > 2)",
        "SELECT CASE WHEN x IS NULL THEN '' WHEN {ask} LIKE '%3' THEN {ask} || 'y' WHEN id > 4 THEN {ask} END FROM t",
        "SELECT if(nullif(id > 3, id > 6), {ask}, x), (nullif(id > 3, id > 6) AND {ask} LIKE '%5') FROM t",
        "SELECT CASE WHEN rand() < 2 THEN {ask} ELSE x END FROM t",
        "SELECT id, a FROM (SELECT id, {ask} AS a FROM t DISTRIBUTE BY id SORT BY id)",
        "SELECT transform(array(x, 'y', null), v -> {ask_v}) FROM t",
        "SELECT transform(IF(id = 2, null, array(x, 'y')), (v, i) -> concat(i, {ask_v}, x)) FROM t",
        "SELECT transform(array({ask}, 'y'), v -> {ask_v}) FROM t",
        "SELECT transform(array(x, 'y'), v -> CASE WHEN v = 'y' THEN {ask_v} WHEN id > 3 THEN {ask} END) FROM t",
        "SELECT transform(array('p', 'q'), w -> transform(array(x, w), v -> {ask_v})) FROM t",
        "SELECT filter(array(x, 'y'), v -> {ask_v} LIKE '%y'), filter(array(x, 'y'), (v, i) -> {ask_v} > i) FROM t",
        "SELECT exists(array({ask}, 'y'), v -> {ask_v} LIKE '%y'), forall(array(x), v -> {ask_v} LIKE '%y') FROM t",
        "SELECT aggregate(array('p', 'q'), '', (v, w) -> concat({ask_v}, w)) FROM t",
        "SELECT map_filter(map('a', x), (k, v) -> {ask_v} LIKE '%2') FROM t",
        "SELECT IF(id > 3, transform(array(x, 'y'), v -> {ask_v}), array()) FROM t",
        "SELECT coalesce(IF(id > 3, null, 'few'), IF(id > 5, null, {ask}), {ask} || 'z', 'none') FROM t",
        "SELECT coalesce(IF(rand() > 2, 'x', null), {ask}, 'none') FROM t",
        "SELECT id, p, w FROM t LATERAL VIEW OUTER posexplode(split({ask}, ' ')) AS p, w WHERE p > 0",
        "SELECT stack(2, id, {ask}, id + 1, x) FROM t",
        "SELECT l.id, r.x FROM t l JOIN t r ON l.id = r.id + 1 AND ai_query('ep', l.x || r.x) LIKE '%3n2' AND r.id > 1",
        "SELECT l.id, r.x FROM t l CROSS JOIN t r ON ai_query('ep', l.x || r.x) LIKE '%3n2'",
        "SELECT id % 3 AS g, count(*), upper(ai_query('ep', max(x) || id % 3)), sum(id) FROM t GROUP BY 1 ORDER BY 1",
        "SELECT ai_query('ep', max(x)) || min(x) FROM t",
        "SELECT x FROM t ORDER BY {ask} DESC, id",
        "SELECT id, {ask} FROM t ORDER BY id DESC LIMIT 3",
        "SELECT {ask} FROM t ORDER BY id % 3, id DESC LIMIT 3 OFFSET 2",
        "SELECT u FROM (SELECT upper(a) AS u, k FROM (SELECT {ask} AS a, id % 4 AS k FROM t)) ORDER BY k, u LIMIT 4",
        "SELECT id, row_number() OVER (ORDER BY {ask}) FROM t",
    ],
)
def test_answers_are_where_sql_puts_them(people: SparkSession, query: str) -> None:
    people.sql(
        "SELECT id, IF(id = 5, null, concat('n', id)) AS x, CAST(id AS DECIMAL(30, 3)) AS d,"
        " map(id, date'2026-01-02') AS m, named_struct('u', X'0102', 'i', INTERVAL '1' DAY) AS s FROM range(0, 8, 1, 2)"
    ).createOrReplaceTempView("t")
    asking = query.replace("{ask}", ASK.format("x")).replace("{ask_v}", ASK.format("v"))
    found = people.sql(asking).collect()
    wanted = people.sql(asking.replace("ai_query('ep', ", "concat('you said ', ")).collect()
    assert [tuple(row) for row in found] == [tuple(row) for row in wanted]


def test_a_request_may_hold_another_calls_answer(people: SparkSession) -> None:
    query = "SELECT ai_query('ep', ai_query('ep', ai_query('ep', id)) || 'x') AS a, id FROM range(3)"
    assert [row["a"] for row in people.sql(query).collect()] == [f"you said you said you said {n}x" for n in range(3)]


def test_equal_calls_are_made_once_in_a_query_and_again_in_the_next(people: SparkSession, gateway: Gateway) -> None:
    query = "SELECT ai_query('ep', id % 3), ai_query('ep', id % 3) FROM range(0, 90, 1, 4)"
    assert asked(people, gateway, query) == ["0", "1", "2"]
    assert asked(people, gateway, query) == ["0", "1", "2"]


def test_calls_that_differ_in_endpoint_or_parameters_are_not_equal(people: SparkSession, gateway: Gateway) -> None:
    more = "ai_query('ep', 'x', modelParameters => named_struct('max_tokens', 1))"
    query = f"SELECT ai_query('ep', 'x'), {more}, ai_query('structured', 'x') FROM range(5)"
    assert asked(people, gateway, query) == ["x", "x", "x"]


def test_each_row_is_called_when_asked_so(people: SparkSession, gateway: Gateway) -> None:
    with setting(people, "dedupe", "false"):
        assert asked(people, gateway, "SELECT ai_query('ep', 'x') FROM range(0, 20, 1, 2)") == ["x"] * 20


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("SELECT ai_query('ep', id) FROM range(0, 500, 1, 2) LIMIT 3", 3),
        ("SELECT ai_query('ep', id) FROM range(0, 500, 1, 2) LIMIT 3 OFFSET 2", 3),
        ("SELECT upper(a) FROM (SELECT ai_query('ep', id) AS a FROM range(0, 500, 1, 2)) LIMIT 3", 3),
        ("SELECT CASE WHEN id = 7 THEN ai_query('ep', id) END FROM range(20)", 1),
        (
            "SELECT CASE WHEN id < 15 THEN 'no' WHEN id < 17 THEN ai_query('ep', id) ELSE upper(id) END FROM range(20)",
            2,
        ),
        ("SELECT CASE WHEN id < 17 THEN 'no' ELSE ai_query('ep', id) END FROM range(20)", 3),
        ("SELECT CASE WHEN rand() > 2 THEN ai_query('ep', id) END FROM range(20)", 0),
        ("SELECT coalesce(ai_query('ep', 1), ai_query('ep', 2)) FROM range(20)", 1),
        ("SELECT id > 17 AND ai_query('ep', id) = 'x' FROM range(20)", 2),
        ("SELECT id < 17 OR ai_query('ep', id) = 'x' FROM range(20)", 3),
        ("SELECT id FROM range(20) WHERE id > 17 AND ai_query('ep', id) = 'x'", 2),
        ("SELECT ai_query('ep', IF(id > 17, id, null)) FROM range(20)", 2),
        ("SELECT coalesce(IF(id > 17, null, 'x'), ai_query('ep', id)) FROM range(20)", 2),
        ("SELECT coalesce(ai_query('ep', id), ai_query('ep', id || 'x')) FROM range(20)", 20),
        ("SELECT CASE WHEN id = 7 THEN transform(array('a', 'b'), v -> ai_query('ep', v || id)) END FROM range(20)", 2),
        ("SELECT transform(array('a', 'b', 'c'), v -> IF(v = 'a', ai_query('ep', v || id), v)) FROM range(20)", 20),
        ("SELECT exists(array('a', 'b'), v -> ai_query('ep', v || id) LIKE '%a%') FROM range(20)", 20),
        ("SELECT r.id FROM range(20) l JOIN range(20) r ON l.id = r.id + 17 AND ai_query('ep', r.id) = 'x'", 3),
        ("SELECT id % 3, ai_query('ep', max(id)) FROM range(20) GROUP BY 1", 3),
        ("SELECT id, ai_query('ep', id) FROM range(0, 500, 1, 2) ORDER BY id DESC LIMIT 3", 3),
        ("SELECT ai_query('ep', id) FROM range(0, 500, 1, 2) ORDER BY id DESC LIMIT 3 OFFSET 2", 3),
        ("SELECT upper(a) AS u FROM (SELECT ai_query('ep', id) AS a, -id AS k FROM range(500)) ORDER BY k LIMIT 3", 3),
        ("SELECT ai_query('ep', id) AS a FROM range(20) ORDER BY a LIMIT 3", 20),
    ],
)
def test_no_row_is_asked_that_the_query_does_not_need(
    people: SparkSession, gateway: Gateway, query: str, texts: int
) -> None:
    assert len(asked(people, gateway, query)) == texts


def test_one_error_ends_the_query(people: SparkSession) -> None:
    query = "SELECT ai_query('ep', IF(id = 150, 'a wrong one', id)) FROM range(0, 300, 1, 2)"
    with pytest.raises(PySparkException, match="endpoint ep answered 400"):
        people.sql(query).collect()


def test_errors_can_be_values_of_their_rows(people: SparkSession) -> None:
    query = "SELECT id, ai_query('ep', IF(id % 50 = 7, 'a wrong one', id), failOnError => false) AS a FROM range(100)"
    found: dict[int, Any] = {row["id"]: row["a"] for row in people.sql(query).collect()}
    assert {n for n, a in found.items() if a["errorMessage"] and a["result"] is None} == {7, 57}
    assert all(a["result"] == f"you said {n}" for n, a in found.items() if n % 50 != 7)


def test_a_settings_nonsense_is_refused(people: SparkSession) -> None:
    with setting(people, "inFlight", "many"), pytest.raises(PySparkException, match="needs a whole number"):
        people.sql("SELECT ai_query('ep', 'hi')").collect()


def test_one_call_at_a_time_when_asked_so(people: SparkSession) -> None:
    with setting(people, "inFlight", "1"):
        rows = people.sql("SELECT ai_query('ep', id) AS a FROM range(10)").collect()
    assert [row["a"] for row in rows] == [f"you said {n}" for n in range(10)]


def test_a_view_asks_whenever_it_is_read(people: SparkSession, gateway: Gateway) -> None:
    people.sql("CREATE OR REPLACE TEMP VIEW said AS SELECT id, ai_query('ep', id) AS a FROM range(3)")
    for _ in range(2):
        assert asked(people, gateway, "SELECT a FROM said WHERE a LIKE 'you%'") == ["0", "1", "2"]


def test_a_frame_written_and_read_again_holds_the_answers(people: SparkSession, tmp_path: Any) -> None:
    people.sql("SELECT id, ai_query('ep', id) AS a FROM range(0, 10, 1, 2)").write.parquet(str(tmp_path / "out"))
    found = people.read.parquet(str(tmp_path / "out")).selectExpr("id", "ai_query('ep', a) AS b").collect()
    assert sorted(row["b"] for row in found) == sorted(f"you said you said {n}" for n in range(10))
