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


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which batch rows come from: `job` names the checkpoint, `batch` counts in it.

    `oldest_ms`, `newest_ms`: the batch's first and last time of receipt; null when it holds no request.
    """

    job: str
    batch: int
    oldest_ms: int | None
    newest_ms: int | None


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


def append(rows: DataFrame, path: Path, origin: Origin) -> None:
    """Append as one file; a repeat of the same batch does nothing.

    One file, because a batch is small and a table of many small files is slow to read.
    """
    (
        rows.coalesce(1)
        .write.format("delta")
        .mode("append")
        .option("txnAppId", origin.job)
        .option("txnVersion", origin.batch)
        .save(str(path))
    )


def without_known(rows: DataFrame, path: Path, origin: Origin) -> DataFrame | None:
    """Leave out the requests a table already has; None when it has them all.

    `rows`: with `databricks_request_id`. The table is searched around the batch's times of receipt only, and now, so
    that the append that follows reads nothing and cannot conflict with OPTIMIZE.
    """
    first = F.timestamp_millis(F.lit(origin.oldest_ms) - MARGIN_MS)
    last = F.timestamp_millis(F.lit(origin.newest_ms) + MARGIN_MS)
    table = rows.sparkSession.read.format("delta").load(str(path)).where(F.col("request_time").between(first, last))
    repeated = rows.select("databricks_request_id").join(table, "databricks_request_id", "left_semi")
    if repeated.isEmpty():
        return rows
    known = repeated.distinct().localCheckpoint()
    fresh = rows.join(known, "databricks_request_id", "left_anti").select(rows.columns)
    return None if fresh.isEmpty() else fresh


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
