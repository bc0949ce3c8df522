"""What happens to a micro-batch: every table it concerns is written, each exactly once."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from spark_jobs import decoding, entities, layouts, names, payload, quarantine, usage
from spark_jobs.delta_writes import Layout, Origin, append, ensure, upsert, without_known
from spark_jobs.names import Table


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch held. `newest_ms`: its last time of receipt, null without log rows."""

    batch: int
    requests: int
    repeated: int
    unreadable: int
    entities: int
    payload_tables: int
    newest_ms: int | None


class Batches:
    """Writes batches into one lake under the name `job`; call it with what `foreachBatch` gives.

    `wrote` is told each table after its write. A call that fails may be repeated with the same rows and number:
    nothing is lost and nothing doubled.
    """

    def __init__(
        self, lake: Path, job: str, *, wrote: Callable[[Table], None], done: Callable[[Written], None]
    ) -> None:
        self.lake = lake
        self.job = job
        self.wrote = wrote
        self.done = done
        self.ensured: set[Table] = set()

    def __call__(self, batch: DataFrame, number: int) -> None:
        """Write one batch. Entities go first, so that usage finds the row it is joined with."""
        rows = decoding.decoded(batch).persist()
        try:
            held = summary(rows)
            origin = Origin(job=self.job, batch=number, oldest_ms=held["oldest_ms"], newest_ms=held["newest_ms"])
            if held["entities"]:
                self._entities(rows)
            if held["unreadable"]:
                self._ensure(rows.sparkSession, names.QUARANTINE, layouts.QUARANTINE)
                self._append(names.QUARANTINE, quarantine.quarantine_rows(rows, number), origin)
            logs = first_of_each(rows) if held["requests"] > held["distinct"] else rows.where("log IS NOT NULL")
            logs = logs.select("log.*")
            if held["tracked"]:
                self._requests(names.ENDPOINT_USAGE, layouts.USAGE, usage.usage_rows(logs), origin)
            for part in sorted(held["payload_tables"]):
                self._payload(logs, part, origin)
            self.done(_written(number, held))
        finally:
            rows.unpersist()

    def ensure_system(self, spark: SparkSession) -> None:
        """Make the tables that are there before the first request."""
        self._ensure(spark, names.ENDPOINT_USAGE, layouts.USAGE)
        self._ensure(spark, names.SERVED_ENTITIES, layouts.ENTITIES)
        self._ensure(spark, names.QUARANTINE, layouts.QUARANTINE)

    def _payload(self, logs: DataFrame, part: Row, origin: Origin) -> None:
        table = names.payload(part["catalog"], part["schema"], part["prefix"])
        rows = payload.payload_rows(logs, catalog=part["catalog"], schema=part["schema"], prefix=part["prefix"])
        self._requests(table, layouts.PAYLOAD, rows, origin)

    def _entities(self, rows: DataFrame) -> None:
        self._ensure(rows.sparkSession, names.SERVED_ENTITIES, layouts.ENTITIES)
        path = names.SERVED_ENTITIES.path(self.lake)
        upsert(entities.entity_rows(rows), path, key="served_entity_id", newer=entities.NEWER)
        self.wrote(names.SERVED_ENTITIES)

    def _requests(self, table: Table, layout: Layout, rows: DataFrame, origin: Origin) -> None:
        self._ensure(rows.sparkSession, table, layout)
        fresh = without_known(rows, table.path(self.lake), origin)
        if fresh is not None:
            self._append(table, fresh, origin)

    def _append(self, table: Table, rows: DataFrame, origin: Origin) -> None:
        append(rows, table.path(self.lake), origin)
        self.wrote(table)

    def _ensure(self, spark: SparkSession, table: Table, layout: Layout) -> None:
        if table not in self.ensured:
            ensure(spark, table.path(self.lake), layout)
            self.ensured.add(table)


def summary(rows: DataFrame) -> Row:
    """Count what decoded rows hold, in one pass over narrow columns."""
    wanted = payload.wanted(*(F.col(f"log.{name}") for name in ("payload_table", "status_code", "refusal")))
    [held] = rows.agg(
        F.count("error").alias("unreadable"),
        F.count("entity").alias("entities"),
        F.count("log").alias("requests"),
        F.count_distinct("log.request_id").alias("distinct"),
        F.count_if("log.usage_tracked").alias("tracked"),
        F.min("log.received_at_ms").alias("oldest_ms"),
        F.max("log.received_at_ms").alias("newest_ms"),
        F.collect_set(F.when(wanted, F.col("log.payload_table"))).alias("payload_tables"),
    ).collect()
    return held


def first_of_each(rows: DataFrame) -> DataFrame:
    """Keep each request's first log row, so that every table keeps the same one."""
    order = Window.partitionBy("log.request_id").orderBy("partition", "offset")
    ranked = rows.where("log IS NOT NULL").withColumn("rank", F.row_number().over(order))
    return ranked.where("rank = 1").drop("rank")


def _written(number: int, held: Row) -> Written:
    return Written(
        batch=number,
        requests=held["distinct"],
        repeated=held["requests"] - held["distinct"],
        unreadable=held["unreadable"],
        entities=held["entities"],
        payload_tables=len(held["payload_tables"]),
        newest_ms=held["newest_ms"],
    )
