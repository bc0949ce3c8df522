"""What the environment may say."""

from pathlib import Path

import pytest

from spark_jobs import settings


def test_everything_follows_from_the_data_directory() -> None:
    found = settings.from_env({"HEADGATE_DATA": "/data"})
    assert (found.lake, found.jars, found.interval_seconds) == (Path("/data/lake"), Path("/data/jars"), 10)


def test_a_relative_directory_is_taken_from_where_the_program_started() -> None:
    assert settings.from_env({}).lake == Path.cwd() / ".headgate" / "lake"


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="HEADGATE_LAKE_INTERVAL"):
        settings.from_env({"HEADGATE_LAKE_INTERVAL": "0"})
