"""The vendor's SQL, unchanged, over what the gateway writes."""

from collections import Counter
from pathlib import Path

import pytest
from pyspark.errors import ArrayIndexOutOfBoundsException
from pyspark.sql import Row, SparkSession

from spark_jobs import session
from tests.spark_jobs import conftest

SEEDS = Path(__file__).parent / "seeds"
PAYLOAD_ROWS = {record.request_id for record in conftest.REQUESTS if record.request_id != "limited"}


def run(people: SparkSession, name: str) -> list[Row]:
    return people.sql((SEEDS / f"{name}.sql").read_text()).collect()


def test_the_first_rows_are_those_answered_200(people: SparkSession) -> None:
    found = run(people, "000_first_rows")
    assert len(found) == len(PAYLOAD_ROWS) - 1
    assert {row["status_code"] for row in found} == {200}


def test_messages_and_tokens_come_out_of_the_payload_and_an_empty_array_is_null(people: SparkSession) -> None:
    found = [
        (row["request_messages"], row["response_messages"], row["total_tokens"]) for row in run(people, "000_tokens")
    ]
    assert (["about SuperSecretProject"], "hi", 4) in found
    assert ([], None, None) in found
    assert (['[{"type":"text","text":"hello"}]'], "hi", None) in found


def test_with_ansi_on_an_empty_array_ends_the_query(spark: SparkSession, people: SparkSession, seeded: Path) -> None:
    session.mount(spark, seeded)
    with pytest.raises(ArrayIndexOutOfBoundsException):
        run(spark, "000_tokens")


def test_mentions_of_the_secret_project_are_counted(people: SparkSession) -> None:
    count: Counter[str] = Counter()
    for row in run(people, "000_secret_project"):
        count[row["SuperSecretProject_Mention"]] += row["count"]
    assert count == {"Mentioned": 1, "Not Mentioned": len(PAYLOAD_ROWS) - 1}


def test_queries_per_minute_count_each_request_once(people: SparkSession) -> None:
    assert sum(row["queries_per_minute"] for row in run(people, "000_per_minute")) == len(PAYLOAD_ROWS)


def test_ai_query_answers_with_the_text_under_a_name_people_can_read(people: SparkSession) -> None:
    [row] = run(people, "000_ai_query")
    question = "専門家の混合モデルとは何ですか?"
    assert row.asDict() == {f"ai_query(taka_ai_gateway_endpoint, {question})": f"you said {question}"}


def test_usage_joins_its_served_entity_once(people: SparkSession) -> None:
    found = run(people, "002_join_system_tables")
    assert len(found) == len(conftest.REQUESTS)
    assert len(found[0]) == 14 + 18


@pytest.mark.parametrize("status", [200, 400, 429])
def test_usage_joins_the_inference_table(people: SparkSession, status: int) -> None:
    found = run(people, "002_join_inference_table")
    assert len(found) == len(conftest.REQUESTS)
    assert status in {row["status_code"] for row in found}
