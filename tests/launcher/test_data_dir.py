"""The data directory: private, for one instance, with its secrets."""

import os
import stat
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from launcher import data_dir, doctor
from launcher.obstacle import Obstacle


def draw(count: int) -> bytes:
    return bytes(range(count))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_for_its_owner_alone_even_when_it_was_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    data_dir.make(data)
    assert mode(data) == 0o700


def test_one_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Obstacle, match="cannot be written"):
        data_dir.make(tmp_path / "file" / "data")


def test_a_live_instance_keeps_others_out_and_is_named(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from launcher import data_dir\n"
    program += "data_dir.occupy(Path(sys.argv[1])); print('taken', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(Obstacle, match=f"in use by a running Headgate .process {holder.pid}."):
            data_dir.occupy(tmp_path)
        assert doctor.in_use(tmp_path)
        holder.stdin.close()
    os.close(data_dir.occupy(tmp_path))
    assert not doctor.in_use(tmp_path)


def test_the_first_token_is_made_once_and_private(tmp_path: Path) -> None:
    token = data_dir.admin_token(tmp_path, None, draw)
    assert token == "dapi000102030405060708090a0b0c0d0e0f"
    assert data_dir.admin_token(tmp_path, None, lambda n: b"\xff" * n) == token
    assert (tmp_path / "admin.token").read_text() == token
    assert mode(tmp_path / "admin.token") == 0o600


def test_a_preset_token_wins_and_is_what_the_file_holds_afterwards(tmp_path: Path) -> None:
    data_dir.admin_token(tmp_path, None, draw)
    assert data_dir.admin_token(tmp_path, "dapipreset", draw) == "dapipreset"
    assert data_dir.admin_token(tmp_path, None, draw) == "dapipreset"


def test_the_master_key_is_32_bytes_made_once_and_private(tmp_path: Path) -> None:
    data_dir.master_key(tmp_path, draw)
    data_dir.master_key(tmp_path, lambda n: b"\xff" * n)
    assert b64decode((tmp_path / "master.key").read_text()) == draw(32)
    assert mode(tmp_path / "master.key") == 0o600
