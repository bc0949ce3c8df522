"""`headgate demo`: the notebook in order over the whole stack, with the real clients, and nothing left behind."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import demo_steps
from tests.support.services import until
from tests.support.up import STOP_S, processes, surroundings

DEMO_S = 400.0  # a minute and a half when the machine has nothing else to do


class Demo:
    """One run of it, to its end."""

    def __init__(self, data: Path, environ: dict[str, str]) -> None:
        self.data = data.resolve()
        line = [sys.executable, "-m", "launcher.demo", "--data", str(data)]
        with (data.parent / "out").open("w+") as out, (data.parent / "err").open("w+") as err:
            process = subprocess.Popen(line, env=environ, stdout=out, stderr=err)
            try:
                self.code = process.wait(DEMO_S)
            except subprocess.TimeoutExpired:  # it stops what it has started, then itself
                process.send_signal(signal.SIGTERM)
                self.code = process.wait(STOP_S)
        self.said = (data.parent / "out").read_text()
        self.console = (data.parent / "err").read_text()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, jars_at: Path) -> Iterator[Demo]:
    """The demo on a directory of its own."""
    done = Demo(tmp_path_factory.mktemp("demo") / "data", surroundings(jars_at))
    yield done
    for process in processes(done.data):
        process.kill()


def test_every_step_of_the_notebook_goes_well_in_its_order(demo: Demo) -> None:
    assert demo.code == 0, demo.said[-4000:] + demo.console[-2000:]
    count = len(demo_steps.STEPS)
    steps = re.findall(r"^✓ (\d+)/(\d+) (.*?)  \(\d+\.\d s\)$", demo.said, re.MULTILINE)
    wanted = [(str(number), str(count), step.title) for number, step in enumerate(demo_steps.STEPS, 1)]
    assert steps == wanted
    assert re.search(r"^done in \d+ s$", demo.said, re.MULTILINE)


def test_no_step_went_wrong_and_nobody_complained(demo: Demo) -> None:
    assert "✗" not in demo.said
    assert "Traceback" not in demo.said + demo.console
    assert " ERROR " not in demo.console


def test_nothing_is_left_running(demo: Demo) -> None:
    until(lambda: not processes(demo.data), STOP_S, "nothing is left")
