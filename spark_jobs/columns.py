"""A table's columns from the contract's rows."""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from contract import tables


def selected(rows: Sequence[tables.Column]) -> list[Column]:
    """Each column as its source gives it, in its type; a value that does not fit is null, not the end of the batch."""
    return [F.expr(f"try_cast({row.source} AS {row.sql_type})").alias(row.name) for row in rows]
