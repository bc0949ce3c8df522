"""What is readable, what is not, and that nothing on a topic can end the job."""

from pyspark.sql import SparkSession

from contract import codec
from spark_jobs import decoding, entities, payload, quarantine, usage
from tests.spark_jobs import rows

GOOD = codec.encode(rows.logged("a"))
LOG, STATE = "gateway.log", "gateway.state"
UNREADABLE: dict[bytes | None, str] = {
    None: "empty or not UTF-8",
    b"": "empty or not UTF-8",
    b"\xff\xfe{": "empty or not UTF-8",
    b"null": "not a RequestLogged",
    b"{": "not a RequestLogged",
    b"[" + GOOD + b"]": "not a RequestLogged",
    GOOD[:-40]: "not a RequestLogged",
    GOOD.replace(b":200", b':"many"'): "not a RequestLogged",
    GOOD.replace(b":200", b":99999999999999999999"): "not a RequestLogged",
    GOOD.replace(b'"requester":"me@example.com",', b""): "missing requester",
    GOOD.replace(b'"users"', b'"../users"'): "illegal table name",
    GOOD.replace(b'"users"', b'"users\\n"'): "illegal table name",
    GOOD.replace(b'"catalog":"users",', b""): "illegal table name",
    GOOD.replace(str(rows.START_MS).encode(), b"999999999999999999"): "time out of range",
    GOOD.replace(str(rows.START_MS).encode(), b"-1"): "time out of range",
}


def test_each_unreadable_record_is_kept_as_it_came_with_one_word_on_why(spark: SparkSession) -> None:
    batch = rows.batch(spark, [(LOG, "k", value) for value in UNREADABLE])
    found = quarantine.quarantine_rows(decoding.decoded(batch), 7).orderBy("offset").collect()
    assert [(row["value"] if row["value"] is None else bytes(row["value"]), row["error"]) for row in found] == list(
        UNREADABLE.items()
    )
    assert {(row["topic"], bytes(row["key"]), row["batch_id"]) for row in found} == {(LOG, b"k", 7)}


def test_a_readable_record_next_to_unreadable_ones_is_read(spark: SparkSession) -> None:
    batch = rows.batch(spark, [(LOG, "k", b"{"), rows.logged("a")])
    logs = decoding.decoded(batch).where("log IS NOT NULL").select("log.*")
    assert [row["databricks_request_id"] for row in usage.usage_rows(logs).collect()] == ["a"]


def test_fields_of_later_versions_are_ignored_and_missing_ones_have_their_default(spark: SparkSession) -> None:
    later = GOOD.replace(b'"v":1', b'"v":2,"new":{"x":1}').replace(b'"logging_error_codes":[],', b"")
    logs = decoding.decoded(rows.batch(spark, [(LOG, "k", later)])).select("log.*")
    [row] = payload.payload_rows(logs, catalog="users", schema="me", prefix="ep").collect()
    assert (row["databricks_request_id"], row["logging_error_codes"]) == ("a", [])


def test_a_number_too_large_for_its_column_is_null_there(spark: SparkSession) -> None:
    batch = rows.batch(spark, [rows.logged("a", status_code=3_000_000_000)])
    [row] = usage.usage_rows(decoding.decoded(batch).select("log.*")).collect()
    assert row["status_code"] is None


def test_of_the_state_only_served_entities_are_looked_at_because_the_rest_holds_secrets(spark: SparkSession) -> None:
    batch = rows.batch(
        spark,
        [
            (STATE, "secret/a/b", b"{"),
            (STATE, "token/x", b'{"hash":"x"}'),
            (STATE, "served_entity/gone", None),
            (STATE, "served_entity/bad", b"{}"),
            rows.entity("one"),
            ("gateway.other", "k", GOOD),
        ],
    )
    found = decoding.decoded(batch).orderBy("offset").collect()
    assert [(row["offset"], row["entity"] is None) for row in found] == [(3, True), (4, False)]
    assert found[0]["error"].startswith("missing served_entity_id, account_id")


def test_a_side_over_one_mebibyte_is_null_and_named(spark: SparkSession) -> None:
    most = "x" * 1024 * 1024
    records = [rows.logged("most", request=most), rows.logged("more", request=most + "x", response="é" * 1024 * 513)]
    logs = decoding.decoded(rows.batch(spark, records)).select("log.*")
    found = payload.payload_rows(logs, catalog="users", schema="me", prefix="ep").collect()
    assert [(row["request"] is None, row["response"] is None, row["logging_error_codes"]) for row in found] == [
        (False, False, []),
        (True, True, ["MAX_REQUEST_SIZE_EXCEEDED", "MAX_RESPONSE_SIZE_EXCEEDED"]),
    ]


def test_which_tables_a_request_is_in(spark: SparkSession) -> None:
    records = [
        rows.logged("plain"),
        rows.logged("untracked", usage_tracked=False),
        rows.logged("not kept", payload_table=None),
        rows.logged("limited by us", status_code=429, refusal="request_limit"),
        rows.logged("limited by the provider", status_code=429),
        rows.logged("blocked", status_code=400, refusal="guardrail"),
        rows.logged("elsewhere", payload_table=rows.SEED_TABLE),
    ]
    logs = decoding.decoded(rows.batch(spark, records)).select("log.*").persist()
    counted = usage.usage_rows(logs).collect()
    kept = payload.payload_rows(logs, catalog="users", schema="me", prefix="ep").collect()
    names = [record.request_id for record in records]
    assert [row["databricks_request_id"] for row in counted] == [name for name in names if name != "untracked"]
    assert [row["databricks_request_id"] for row in kept] == [
        "plain",
        "untracked",
        "limited by the provider",
        "blocked",
    ]


def test_of_several_records_of_an_entity_the_last_counts(spark: SparkSession) -> None:
    records = [rows.entity("a", task="first"), rows.entity("b"), rows.entity("a", task="last")]
    found = entities.entity_rows(decoding.decoded(rows.batch(spark, records))).collect()
    assert sorted((row["served_entity_id"], row["task"]) for row in found) == [("a", "last"), ("b", "llm/v1/chat")]
    assert {row["external_model_config"]["provider"] for row in found} == {"openai"}
