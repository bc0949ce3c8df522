"""The command line: what stands in the way is one sentence; what is meant for a program reaches it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import cli


def headgate(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "launcher.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **environ}, check=False
    )


def test_a_taken_port_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = headgate("up", "--data", tmp_path / "data", "--port", port)
    assert done.returncode == 1
    assert done.stderr == f"Port {port} on 127.0.0.1 is taken: free it, or give another --port.\n"


def test_a_data_directory_that_cannot_be_made_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = headgate("up", "--data", tmp_path / "file")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "cannot be written" in done.stderr


def test_a_corrupt_jar_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    jar = tmp_path / "jars" / "kafka" / "jspecify-1.0.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"not a jar")
    done = headgate("sql", "--data", tmp_path / "data", "-e", "SELECT 1", HEADGATE_JARS=str(tmp_path / "jars"))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert str(jar) in done.stderr


@pytest.mark.parametrize("wrong", [("--port", "0"), ("--port", "65536"), ("--workers", "0"), ("--nonsense",)])
def test_a_wrong_argument_is_refused_with_the_usage(
    wrong: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["up", "--data", str(tmp_path), *wrong])
    assert stop.value.code == 2
    assert "usage: headgate" in capsys.readouterr().err


def test_every_command_takes_a_data_directory_and_programs_get_the_rest() -> None:
    parser = cli.build_parser()
    for command in cli.PROGRAMS:
        asked, rest = parser.parse_known_args([command, "--data", "/d", "-e", "SELECT 1", "--format", "json", "-h"])
        assert (asked.data, rest) == ("/d", ["-e", "SELECT 1", "--format", "json", "-h"])


def test_doctor_says_one_line_for_each_thing(tmp_path: Path) -> None:
    done = headgate("doctor", "--data", tmp_path / "data")
    assert done.returncode == 0, done.stdout
    named = [line.split()[0] for line in done.stdout.splitlines()]
    assert named == ["Python", "Java", "jars", "Spark", "data", "ports", "instance"]


def test_doctor_names_what_is_not_well_and_exits_1(tmp_path: Path) -> None:
    jar = tmp_path / "kafka" / "jspecify-1.0.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"not a jar")
    done = headgate("doctor", "--data", tmp_path / "data", HEADGATE_JARS=str(tmp_path))
    assert done.returncode == 1
    assert f"jars       NOT WELL: The jar {jar} is corrupt" in done.stdout
