"""`ai_query`: what is asked, what comes back, what is refused before anything is asked."""

import time
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.spark_jobs.gateway import Gateway, setting


def value(people: SparkSession, call: str) -> Any:
    """The value of one call."""
    [row] = people.sql(f"SELECT ai_query({call}) AS answer").collect()
    return row["answer"].asDict(recursive=True) if hasattr(row["answer"], "asDict") else row["answer"]


def last(gateway: Gateway) -> dict[str, Any]:
    """What was asked last, without its id."""
    return {name: part for name, part in gateway.asked[-1][2].items() if name != "client_request_id"}


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("'ep', 'hi'", "you said hi"),
        ("request => 'hi', ENDPOINT => 'ep'", "you said hi"),
        ("'ep', 5", "you said 5"),
        ("'ep', null", None),
        ("'mute', 'hi'", None),
        ("'completions', 'hi'", "hi!"),
        ("'vectors', 'hi'", [0.5, -1.0]),
        ("'vectors', 'hi', 'STRING'", "[0.5,-1.0]"),
        ("'structured', 'x', returnType => 'STRUCT<name: STRING, n: INT>'", {"name": "Ann", "n": 3}),
        ("'ep', '5', returnType => 'INT'", None),
        (
            "'structured', 'x', responseFormat => 'STRUCT<person: STRUCT<name: STRING, n: INT>>'",
            {"name": "Ann", "n": 3},
        ),
        ("'structured', 'x', responseFormat => 'STRUCT<name: STRING>'", {"name": "Ann"}),
        (
            "'structured', 'x', failOnError => false, responseFormat => 'struct<person: struct<n: int>>'",
            {"result": {"n": 3}, "errorMessage": None},
        ),
        ("""'structured', 'x', responseFormat => '{"type": "json_object"}'""", '{"name": "Ann", "n": 3}'),
        ("""'ep', 'x', responseFormat => '{"type": "text"}'""", "you said x"),
        (
            "'structured', 'x', 'STRUCT<n: INT>', responseFormat => 'STRUCT<person: STRUCT<name: STRING, n: INT>>'",
            {"n": 3},
        ),
        ("'ep', 'hi', failOnError => false", {"result": "you said hi", "errorMessage": None}),
        ("'ep', 'hi', failOnError => true", "you said hi"),
        ("'ep', named_struct('messages', array(named_struct('role', 'user', 'content', 'hi')))", "you said hi"),
    ],
)
def test_the_answer_is_what_the_endpoint_holds(people: SparkSession, call: str, answer: Any) -> None:
    assert value(people, call) == answer


def test_parameters_and_format_go_into_the_body(people: SparkSession, gateway: Gateway) -> None:
    value(
        people,
        "'ep', 'hi', modelParameters => named_struct('max_tokens', 100, 'temperature', 0.7), "
        """responseFormat => '{"type": "json_object"}'""",
    )
    assert last(gateway) == {
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 100,
        "temperature": 0.7,
        "response_format": {"type": "json_object"},
    }


def test_a_struct_as_format_is_asked_for_as_a_schema(people: SparkSession, gateway: Gateway) -> None:
    inner = "name: STRING, n: INT, at: TIMESTAMP, tags: ARRAY<STRING>, sub: STRUCT<ok: BOOLEAN, part: DOUBLE>"
    value(people, f"'structured', 'hi', responseFormat => 'STRUCT<person: STRUCT<{inner}>>'")
    assert last(gateway)["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "person",
            "strict": True,
            "schema": closed(
                name={"type": "string"},
                n={"type": "integer"},
                at={"type": "string", "format": "date-time"},
                tags={"type": "array", "items": {"type": "string"}},
                sub=closed(ok={"type": "boolean"}, part={"type": "number"}),
            ),
        },
    }


def closed(**properties: Any) -> dict[str, Any]:
    """The JSON schema of an object with just these properties."""
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(properties)}


def test_the_token_comes_from_its_file_and_no_setting_shows_it(people: SparkSession, gateway: Gateway) -> None:
    value(people, "'ep', 'hi'")
    assert gateway.asked[-1][1] == "Bearer dapi-test"
    assert "dapi-test" not in str(people.sql("SET -v").collect())


def test_an_error_ends_the_query_and_carries_status_and_body(people: SparkSession) -> None:
    with pytest.raises(PySparkException, match=r"endpoint broken answered 400.*BAD_REQUEST"):
        value(people, "'broken', 'hi'")


def test_an_error_can_be_a_value_instead(people: SparkSession) -> None:
    found = value(people, "'broken', 'hi', failOnError => false")
    assert found["result"] is None
    assert "400" in found["errorMessage"]


def test_429_is_tried_again_until_the_deadline_forbids_the_next_wait(people: SparkSession, gateway: Gateway) -> None:
    assert value(people, "'hiccup', 'hi'") == "you said hi"
    before = len(gateway.asked)
    with setting(people, "deadlineSeconds", "2"):
        assert "429" in value(people, "'busy', 'hi', failOnError => false")["errorMessage"]
    assert len(gateway.asked) - before in (2, 3)


def test_a_retry_waits_as_long_as_the_gateway_asks(people: SparkSession, gateway: Gateway) -> None:
    before = time.monotonic()
    assert value(people, "'patient', 'hi'") == "you said hi"
    assert time.monotonic() - before >= 1
    assert [name for name, _, _ in gateway.asked[-2:]] == ["patient", "patient"]


def test_each_row_is_asked_once(people: SparkSession, gateway: Gateway) -> None:
    before = len(gateway.asked)
    found = people.sql("SELECT id, ai_query('ep', concat('n', id)) AS a FROM range(4) WHERE id > 0").collect()
    assert sorted((row["id"], row["a"]) for row in found) == [(n, f"you said n{n}") for n in (1, 2, 3)]
    assert len(gateway.asked) - before == 3


def test_the_column_is_named_after_the_call(people: SparkSession) -> None:
    calls = [
        "ai_query('ep', 'hi')",
        "ai_query('ep', request => 'hi', returnType => 'INT')",
        "upper(ai_query('ep', 'hi'))",
    ]
    found = people.sql(f"SELECT {', '.join(calls)}").columns
    assert found == ["ai_query(ep, hi)", "ai_query(ep, request => hi, returnType => INT)", "upper(ai_query(ep, hi))"]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("'ep'", "needs an endpoint and a request"),
        ("'ep', 'hi', wrong => 1", "knows no argument wrong"),
        ("'ep', 'hi', endpoint => 'x'", "endpoint twice|DUPLICATE|twice"),
        ("concat('e', rand()), 'hi'", "needs a constant string for endpoint"),
        ("'ep', 'hi', failOnError => 'no'", "needs a constant boolean for failOnError"),
        ("'ep', 'hi', modelParameters => 5", "needs a struct for modelParameters"),
        ("'ep', 'hi', responseFormat => 'nonsense'", "takes responseFormat as STRUCT<name"),
        ("""'ep', 'hi', responseFormat => '{"type": "xml"}'""", "takes responseFormat as STRUCT<name"),
        ("'ep', 'hi', responseFormat => 'STRUCT<a: INT, b: INT>'", "needs exactly one field"),
        ("'ep', 'hi', responseFormat => 'STRUCT<a: STRUCT<b: BINARY>>'", "cannot ask for a BINARY"),
        ("'ep', 'hi', returnType => 'NONSENSE<'", "PARSE_SYNTAX_ERROR"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_asked(
    people: SparkSession, gateway: Gateway, call: str, why: str
) -> None:
    before = len(gateway.asked)
    with pytest.raises(PySparkException, match=why):
        value(people, call)
    assert len(gateway.asked) == before


def test_the_function_says_how_it_is_used(people: SparkSession) -> None:
    assert "endpoint, request" in str(people.sql("DESCRIBE FUNCTION ai_query").collect())
