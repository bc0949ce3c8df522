"""The open SQL session, against a stand-in that prompts as `headgate sql` does."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import demo_sql
from launcher.demo_sql import Rows, Terminal
from launcher.obstacle import Obstacle

# Prompts, takes a statement up to its semicolon, answers in JSON lines: knows three statements and the mark.
STAND_IN = r"""
import json, sys
assert sys.stdin.isatty() and sys.argv[1:] == ["--format", "json"]
print("a banner {")
text = ""
while True:
    text += input("      ..> " if text else "headgate> ") + "\n"
    if not text.rstrip().endswith(";"):
        continue
    statement, text = text.rstrip().rstrip(";").strip(), ""
    if statement == "quit":
        sys.exit(3)
    if statement.startswith("bad"):
        print("error: no such thing\nat line 1", file=sys.stderr, flush=True)
    elif statement.startswith("SELECT 'end"):
        print(json.dumps({"headgate_mark": statement.split("'")[1]}), flush=True)
    elif statement != "none":
        for n in range(2):
            print(json.dumps({"n": n, "text": statement}, ensure_ascii=False), flush=True)
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    script = tmp_path / "sql.py"
    script.write_text(STAND_IN)
    made = Terminal((sys.executable, str(script)), dict(os.environ))
    yield made
    made.close()


def test_each_statement_gets_its_own_rows_over_several_lines_and_scripts(terminal: Terminal) -> None:
    for text in ("SELECT 量子\nFROM t;\n", "SELECT 2"):
        wanted = text.strip().rstrip(";")
        assert terminal.sql(text).rows == ({"n": 0, "text": wanted}, {"n": 1, "text": wanted})
    assert terminal.sql("none") == Rows(rows=())


def test_an_error_is_told_and_the_session_goes_on(terminal: Terminal) -> None:
    with pytest.raises(Obstacle, match=r"error: no such thing\nat line 1"):
        terminal.sql("bad")
    assert len(terminal.sql("good").rows) == 2


def test_a_session_that_ends_is_told(terminal: Terminal) -> None:
    with pytest.raises(Obstacle, match="The SQL session ended"):
        terminal.sql("quit")


def test_a_line_no_terminal_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(demo_sql.typed("x" * 5000, "m"))


def test_a_single_value_comes_from_one_row_of_one_column() -> None:
    assert Rows(rows=({"n": 3},)).display().single() == 3
    for rows in ((), ({"a": 1, "b": 2},), ({"a": 1}, {"a": 2})):
        with pytest.raises(ValueError, match="unpack"):
            Rows(rows=rows).single()
