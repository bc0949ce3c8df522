"""Rows of the payload tables."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contract import limits, tables
from spark_jobs import columns


def wanted(table: Column, status_code: Column, refusal: Column) -> Column:
    """Whether a log row has a payload row.

    The gateway's own 429 is counted, not kept: a flood must not fill the table of the endpoint it was kept from.
    """
    return table.isNotNull() & ~((status_code == 429) & (refusal != ""))


def payload_rows(logs: DataFrame, *, catalog: str, schema: str, prefix: str) -> DataFrame:
    """Turn log rows (`RequestLogged`, one column a field) into `tables.PAYLOAD`, for one table.

    A side over the limit is null and named in `logging_error_codes`, whoever let it through.
    """
    here = F.struct("payload_table.catalog", "payload_table.schema", "payload_table.prefix")
    there = F.struct(F.lit(catalog), F.lit(schema), F.lit(prefix))
    request, response = _too_long("request"), _too_long("response")
    codes = F.array_union(
        "logging_error_codes",
        F.array_compact(
            F.array(
                F.when(request, F.lit("MAX_REQUEST_SIZE_EXCEEDED")),
                F.when(response, F.lit("MAX_RESPONSE_SIZE_EXCEEDED")),
            )
        ),
    )
    kept = wanted(F.col("payload_table"), F.col("status_code"), F.col("refusal"))
    sized = logs.where(kept & (here == there)).withColumns(
        {
            "logging_error_codes": codes,
            "request": F.when(~request, F.col("request")),
            "response": F.when(~response, F.col("response")),
        }
    )
    return sized.select(*columns.selected(tables.PAYLOAD))


def _too_long(side: str) -> Column:
    return F.coalesce(F.octet_length(side) > limits.PAYLOAD_SIDE_BYTES, F.lit(False))
