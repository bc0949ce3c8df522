"""Settings: from the environment alone, with defaults; secrets do not show."""

import stat
from pathlib import Path

import pytest

from ingress.settings import Settings, kept


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_every_variable_is_taken() -> None:
    found = Settings.from_env(
        {
            "HEADGATE_BROKERS": "b:1",
            "HEADGATE_DATA": "/d",
            "HEADGATE_PORT": "1",
            "HEADGATE_STATUS_FILE": "/s",
            "HEADGATE_REQUEST_SECONDS": "5",
            "HEADGATE_BODY_BYTES": "7",
            "HEADGATE_LOG_LEVEL": "debug",
            "HEADGATE_RETRY_AFTER": "true",
        }
    )
    assert (found.brokers, found.data, found.port, found.status_file) == ("b:1", Path("/d"), 1, Path("/s"))
    assert (found.request_seconds, found.body_bytes, found.log_level, found.retry_after) == (5, 7, "DEBUG", True)


@pytest.mark.parametrize("name", ["HEADGATE_PORT", "HEADGATE_BODY_BYTES", "HEADGATE_WORKSPACE_ID"])
@pytest.mark.parametrize("text", ["x", "-1", "1.5", "²", ""])
def test_a_number_that_is_none_is_said_by_its_name(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.from_env({name: text})


def test_secrets_do_not_show() -> None:
    found = Settings.from_env({"HEADGATE_MASTER_KEY": "hush", "HEADGATE_ADMIN_TOKEN": "hush"})
    assert "hush" not in repr(found) and "hush" not in str(found)
    assert found.master_key and found.master_key.reveal() == "hush"


def test_a_kept_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "key"
    assert kept(path, lambda: "first").reveal() == "first"
    assert kept(path, lambda: "second").reveal() == "first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_of_two_who_come_first_together_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "key"

    def slow() -> str:
        path.write_text("theirs")  # somebody else comes between
        return "ours"

    assert kept(path, slow).reveal() == "theirs"
