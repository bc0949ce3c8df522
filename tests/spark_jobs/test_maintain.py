"""Upkeep: what goes, what stays, and that it says no to what would break readers."""

import datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from spark_jobs import maintain, names
from spark_jobs.batches import Batches
from tests.spark_jobs import rows

PAYLOAD = names.payload("users", "me", "ep")


def test_small_files_become_one_and_only_old_payload_goes(spark: SparkSession, tmp_path: Path) -> None:
    batches = Batches(tmp_path, "job", wrote=lambda _: None, done=lambda _: None)
    old_ms = rows.START_MS - 3 * 86_400_000
    batches(rows.batch(spark, [rows.logged("old", received_at_ms=old_ms)]), 0)
    batches(rows.batch(spark, [rows.logged("new")]), 1)
    before = datetime.datetime.fromtimestamp(rows.START_MS / 1000, datetime.UTC) - datetime.timedelta(days=2)
    assert maintain.maintain(spark, tmp_path, vacuum_hours=168, payload_before=before) == 2
    assert rows.ids(tmp_path, PAYLOAD) == ["new"]
    assert rows.ids(tmp_path, names.ENDPOINT_USAGE) == ["new", "old"]
    assert len(DeltaTable(str(names.ENDPOINT_USAGE.path(tmp_path))).file_uris()) == 1


@pytest.mark.parametrize("arguments", [["--vacuum-hours", "1"], ["--payload-days", "0"]])
def test_what_would_break_readers_or_empty_tables_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        maintain.main(arguments)
    assert "at least" in capsys.readouterr().err
