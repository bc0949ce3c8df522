"""Rows of `system.serving.served_entities`: one per id, the newest."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contract import tables
from spark_jobs import columns

# A later definition replaces an earlier one, and a deletion is never taken back.
NEWER = """s.change_time > t.change_time
    OR (s.endpoint_delete_time IS NOT NULL AND t.endpoint_delete_time IS NULL)"""


def entity_rows(rows: DataFrame) -> DataFrame:
    """Turn decoded rows into `tables.SERVED_ENTITIES`, the last record of each id."""
    last = (
        rows.where("entity IS NOT NULL")
        .groupBy("entity.served_entity_id")
        .agg(F.max_by("entity", "offset").alias("entity"))
    )
    return last.select("entity.*").select(*columns.selected(tables.SERVED_ENTITIES))
