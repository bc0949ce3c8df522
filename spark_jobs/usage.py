"""Rows of `system.serving.endpoint_usage`."""

from pyspark.sql import DataFrame

from contract import tables
from spark_jobs import columns


def usage_rows(logs: DataFrame) -> DataFrame:
    """Turn log rows (`RequestLogged`, one column a field) into `tables.ENDPOINT_USAGE`.

    One row per request whose endpoint tracks usage, refused ones included.
    """
    return logs.where("usage_tracked").select(*columns.selected(tables.ENDPOINT_USAGE))
