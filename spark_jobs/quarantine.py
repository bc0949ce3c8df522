"""Rows of `system.serving_internal.quarantine`: what could not be read, as it came."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contract.tables import Column
from spark_jobs import columns

QUARANTINE = tuple(
    Column(name=name, sql_type=sql_type, source=source)
    for name, sql_type, source in (
        ("topic", "STRING", "topic"),
        ("partition", "INT", "partition"),
        ("offset", "BIGINT", "offset"),
        ("timestamp", "TIMESTAMP", "timestamp"),
        ("key", "BINARY", "key"),
        ("value", "BINARY", "value"),
        ("error", "STRING", "error"),
        ("batch_id", "BIGINT", "batch_id"),
    )
)


def quarantine_rows(rows: DataFrame, batch_id: int) -> DataFrame:
    """Turn decoded rows into `QUARANTINE`; topic, partition and offset name the record."""
    marked = rows.where("error IS NOT NULL").withColumn("batch_id", F.lit(batch_id))
    return marked.select(*columns.selected(QUARANTINE))
