"""All writing of Delta tables: made as the contract says, appended to exactly once, merged by id."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contract import tables

# A request logged twice carries one time of receipt, so a batch's own span would do; clocks are not asked to agree.
MARGIN_MS = 10 * 60 * 1000
PROPERTIES = {
    # Rows are added, hardly ever changed: vectors would save little, and not every reader knows them.
    "delta.enableDeletionVectors": "false",
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 7 days",
    "delta.autoOptimize.autoCompact": "false",
}


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a table lies: its columns, what it is clustered by, what file statistics are kept about."""

    columns: Sequence[tables.Column]
    cluster_by: Sequence[str]
    statistics: Sequence[str]


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Names a batch's writes, so that Delta skips those it has: `job` names the checkpoint, `batch` counts in it."""

    job: str
    batch: int


def ensure(spark: SparkSession, path: Path, layout: Layout) -> None:
    """Create the table unless it is there; give an older one the columns it lacks."""
    if not has_commit(path):
        _create(spark, path, layout)
        return
    there = set(spark.read.format("delta").load(str(path)).columns)
    missing = [f"`{column.name}` {column.sql_type}" for column in layout.columns if column.name not in there]
    if missing:
        spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS ({', '.join(missing)})")


def has_commit(path: Path) -> bool:
    """Whether a table is there; a directory alone is what an interrupted creation leaves."""
    return any((path / "_delta_log").glob("*.json"))


def _create(spark: SparkSession, path: Path, layout: Layout) -> None:
    builder = DeltaTable.createIfNotExists(spark).location(str(path))
    for column in layout.columns:
        builder = builder.addColumn(column.name, column.sql_type)
    for name, value in PROPERTIES.items():
        builder = builder.property(name, value)
    builder = builder.property("delta.dataSkippingStatsColumns", ",".join(layout.statistics))
    builder.clusterBy(*layout.cluster_by).execute()


def append(rows: DataFrame, path: Path, transaction: Transaction) -> None:
    """Append as one file; a repeat of the same transaction does nothing.

    One file, because a batch is small and a table of many small files is slow to read.
    """
    (
        rows.coalesce(1)
        .write.format("delta")
        .mode("append")
        .option("txnAppId", transaction.job)
        .option("txnVersion", transaction.batch)
        .save(str(path))
    )


def without_known(rows: DataFrame, path: Path) -> DataFrame | None:
    """Leave out the requests a table already has; None when it has them all.

    They are looked for around the rows' own times of receipt. `rows`: with `databricks_request_id` and `request_time`.
    Reads the table now, so that the append that follows reads nothing and therefore cannot conflict with OPTIMIZE.
    """
    margin = F.expr(f"make_dt_interval(0, 0, 0, {MARGIN_MS / 1000})")
    span = rows.agg((F.min("request_time") - margin).alias("a"), (F.max("request_time") + margin).alias("z")).first()
    if span is None or span["a"] is None:
        return None
    known = (
        rows.sparkSession.read.format("delta")
        .load(str(path))
        .where(F.col("request_time").between(span["a"], span["z"]))
    )
    repeated = (
        rows.select("databricks_request_id").join(known, "databricks_request_id", "left_semi").distinct().persist()
    )
    try:
        if repeated.isEmpty():
            return rows
        fresh = rows.join(repeated.localCheckpoint(), "databricks_request_id", "left_anti").select(rows.columns)
        return None if fresh.isEmpty() else fresh
    finally:
        repeated.unpersist()


def upsert(rows: DataFrame, path: Path, *, key: str, newer: str) -> None:
    """Insert what is new by `key`, replace where `newer` holds (t: the table's row, s: ours); repeats do nothing."""
    (
        DeltaTable.forPath(rows.sparkSession, str(path))
        .alias("t")
        .merge(rows.alias("s"), f"t.{key} = s.{key}")
        .whenMatchedUpdateAll(condition=newer)
        .whenNotMatchedInsertAll()
        .execute()
    )
