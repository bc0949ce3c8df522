"""Kafka's rows -> log rows, entity rows and unreadable ones. No action, no UDF, and no value may make it fail."""

import msgspec
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contract import limits, topics
from contract.records import RequestLogged
from contract.state import ServedEntityRow
from spark_jobs import schemas

END_OF_TIME_MS = 253_402_300_799_999  # the year 9999: beyond it SQL has no timestamps
JSON = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": schemas.CORRUPT}
ENTITY_KEY = "served_entity/"
# Java's $ also stands before a last line feed, \z does not.
LEGAL = limits.TABLE_PART_PATTERN.removesuffix("$") + r"\z"


def decoded(batch: DataFrame) -> DataFrame:
    """One row per record that concerns a table.

    `batch`: key, value (binary), topic, partition, offset, timestamp, as Kafka's source gives them.
    Returns those with `value` emptied where it was readable, `error` (null when readable), and either
    `log` (RequestLogged) or `entity` (ServedEntityRow). State that is no served entity is left out: it holds secrets.
    """
    is_log = F.col("topic") == topics.LOG.name
    is_entity = (F.col("topic") == topics.STATE.name) & F.decode("key", "UTF-8").startswith(ENTITY_KEY)
    text = F.when(F.is_valid_utf8(F.col("value").cast("string")), F.col("value").cast("string"))
    read = batch.where(is_log | (is_entity & F.col("value").isNotNull())).select(
        *("topic", "partition", "offset", "timestamp", "key", "value"),
        F.when(is_log, F.from_json(text, schemas.readable(RequestLogged), JSON)).alias("log"),
        F.when(~is_log, F.from_json(text, schemas.readable(ServedEntityRow), JSON)).alias("entity"),
    )
    error = F.when(is_log, _log_error(F.col("log"))).otherwise(_entity_error(F.col("entity")))
    return read.withColumn("error", error).select(
        *("topic", "partition", "offset", "timestamp", "key", "error"),
        F.when(F.col("error").isNotNull(), F.col("value")).alias("value"),
        _whole(RequestLogged, "log", is_log),
        _whole(ServedEntityRow, "entity", ~is_log),
    )


def _whole(record: type[msgspec.Struct], name: str, here: Column) -> Column:
    fine = here & F.col("error").isNull()
    return F.when(fine, schemas.with_defaults(record, F.col(name))).alias(name)


def _log_error(log: Column) -> Column:
    table = log["payload_table"]
    parts = [table[part] for part in ("catalog", "schema", "prefix")]
    illegal = F.lit(False)
    for part in parts:
        illegal = illegal | ~F.coalesce(part.rlike(LEGAL), F.lit(False))
    return F.coalesce(
        _record_error(RequestLogged, log),
        _time_error(log["received_at_ms"]),
        F.when(table.isNotNull() & illegal, F.lit("illegal table name")),
    )


def _entity_error(entity: Column) -> Column:
    return F.coalesce(
        _record_error(ServedEntityRow, entity),
        _time_error(entity["change_time_ms"]),
        _time_error(entity["endpoint_delete_time_ms"]),
    )


def _record_error(record: type[msgspec.Struct], read: Column) -> Column:
    missing = F.concat_ws(", ", *(F.when(read[name].isNull(), F.lit(name)) for name in schemas.required(record)))
    return (
        F.when(read.isNull(), F.lit("empty or not UTF-8"))
        .when(read[schemas.CORRUPT].isNotNull(), F.lit(f"not a {record.__name__}"))
        .when(missing != "", F.concat(F.lit("missing "), missing))
    )


def _time_error(at_ms: Column) -> Column:
    return F.when((at_ms < 0) | (at_ms > END_OF_TIME_MS), F.lit("time out of range"))
