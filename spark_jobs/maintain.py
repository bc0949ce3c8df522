"""Upkeep of the tables: small files become large ones, old payload goes, unused files go. Safe beside the stream."""

import argparse
import datetime
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from contract import logs
from spark_jobs import names, session, settings

LOG = logging.getLogger(__name__)
# Readers of an older version still need its files; a week is what Delta itself holds to be safe.
VACUUM_HOURS = 168


def statements(
    table: names.Table, path: Path, *, vacuum_hours: int, payload_before: datetime.datetime | None
) -> list[str]:
    """What is run for one table, by path. `payload_before`: payload rows older than this go, in UTC; None keeps all."""
    at = f"delta.`{path}`"
    retention = []
    if payload_before is not None and table.name.endswith("_payload"):
        retention = [f"DELETE FROM {at} WHERE request_time < TIMESTAMP '{payload_before:%Y-%m-%d %H:%M:%S} UTC'"]  # noqa: S608
    return [*retention, f"OPTIMIZE {at}", f"VACUUM {at} RETAIN {vacuum_hours} HOURS"]


def maintain(spark: SparkSession, lake: Path, *, vacuum_hours: int, payload_before: datetime.datetime | None) -> int:
    """Maintain every table of the lake; how many there were."""
    tables = list(names.tables(lake))
    for table in tables:
        for statement in statements(table, table.path(lake), vacuum_hours=vacuum_hours, payload_before=payload_before):
            spark.sql(statement).collect()
        logs.event(LOG, logging.INFO, "table maintained", table=str(table))
    return len(tables)


def main(given: Sequence[str] | None = None, now: Callable[[], float] = time.time) -> int:  # noqa: TID251
    """Maintain once, then end."""
    parser = argparse.ArgumentParser(prog="headgate maintain", description=__doc__)
    parser.add_argument("--payload-days", type=int, help="delete payload rows older than this; default: keep them")
    parser.add_argument("--vacuum-hours", type=int, default=VACUUM_HOURS, help="at least 168")
    asked = parser.parse_args(given)
    if asked.vacuum_hours < VACUUM_HOURS:
        parser.error(f"--vacuum-hours must be at least {VACUUM_HOURS}: readers may still need the files")
    if asked.payload_days is not None and asked.payload_days < 1:
        parser.error("--payload-days must be at least 1")
    config = settings.from_env()
    logs.configure(config.log_level, "maintain")
    before = None
    if asked.payload_days is not None:
        today = datetime.datetime.fromtimestamp(now(), datetime.UTC)
        before = today - datetime.timedelta(days=asked.payload_days)
    spark = session.build("headgate-maintain", lake=config.lake, jars=config.jars, ansi=True)
    count = maintain(spark, config.lake, vacuum_hours=asked.vacuum_hours, payload_before=before)
    logs.event(LOG, logging.INFO, "maintained", tables=count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
