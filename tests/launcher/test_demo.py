"""The demo's own machinery; the walk itself is `make demo`."""

import os
import sys

import pytest

from launcher import demo
from launcher.demo import Reached, Walk
from launcher.demo_sql import Rows
from launcher.demo_steps import Step, lists, quiet
from launcher.notebook import Notebook
from launcher.obstacle import Obstacle

ENVIRON = dict(os.environ)


def child(program: str) -> tuple[str, ...]:
    return (sys.executable, "-u", "-c", program)


def test_the_gateways_address_is_read_from_its_export_lines() -> None:
    program = "print('progress');print('export DATABRICKS_HOST=http://h');print('export DATABRICKS_TOKEN=t=');input()"
    with demo.running(child("import time\n" + program.replace("input()", "time.sleep(60)")), ENVIRON) as up:
        assert demo.gateway(up) == Reached(host="http://h", token="t=")
    assert up.returncode is not None


def test_a_stack_that_ends_before_it_is_ready_is_told() -> None:
    with (
        demo.running(child("import sys; print('a'); sys.exit(4)"), ENVIRON) as up,
        pytest.raises(Obstacle, match="code 4"),
    ):
        demo.gateway(up)


def test_a_child_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with (
        demo.running(child("import time; time.sleep(60)"), ENVIRON) as slow,
        pytest.raises(Obstacle, match="not ready"),
    ):
        next(demo.said(slow, 0.05))


def test_the_clients_see_this_workspace_alone() -> None:
    outside = {"DATABRICKS_HOST": "https://x", "DATABRICKS_CLIENT_ID": "c", "HTTP_PROXY": "p", "HOME": "/h"}
    inside = demo.surroundings(outside, Reached(host="http://127.0.0.1:1", token="t"))
    assert inside["DATABRICKS_HOST"] == "http://127.0.0.1:1" and inside["DATABRICKS_TOKEN"] == "t"
    assert "DATABRICKS_CLIENT_ID" not in inside and inside["HOME"] == "/h" and "127.0.0.1" in inside["NO_PROXY"]


class Lake:
    """Answers counts that grow; fails first, as a table that is not there yet."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def sql(self, text: str) -> Rows:
        self.asked.append(text)
        if len(self.asked) == 1:
            raise Obstacle("no table")
        return Rows(rows=({"n": len(self.asked)},))


def walked(steps: list[Step], cells: dict[str, str]) -> tuple[bool, str, Lake]:
    said: list[str] = []
    lake = Lake()
    book = Notebook(cells, {"spark": lake})
    return Walk(book, lake, "timestamp_millis(5)", said.append, poll_s=0).all(steps), "\n".join(said), lake


def test_a_step_waits_for_its_rows_and_shows_its_answer() -> None:
    step = Step(title="Rows", cell="c", check=lists(1), rows={"t": 3})
    well, said, lake = walked([step], {"c": "spark.sql('x').display()"})
    assert well and "✓ 1/1 Rows" in said
    assert lake.asked == ["SELECT count(*) AS n FROM t WHERE request_time >= timestamp_millis(5)"] * 3 + ["x"]


def test_the_walk_stops_at_the_first_step_that_is_wrong_and_says_why() -> None:
    steps = [Step(title=name, cell=name, check=quiet) for name in ("a", "b", "c")]
    well, said, _ = walked(steps, {"a": "1", "b": "1 / 0", "c": "2"})
    assert not well and "✓ 1/3 a" in said and "✗ 2/3 b" in said and "3/3" not in said
    assert "it raised ZeroDivisionError: division by zero" in said
