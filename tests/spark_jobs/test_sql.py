"""The SQL command: what it prints, what it complains about, how it ends."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs import sql


def test_statements_run_in_turn_until_one_fails(
    people: SparkSession, seeded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    text = "SELECT 1 AS one; SELECT * FROM system.serving.nothing; SELECT 2 AS two"
    assert not sql.attempt(sql.execute(people, seeded, text, "csv"), said.append)
    assert capsys.readouterr().out == "one\n1\n"
    assert len(said) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT * FROM system.serving.nothing", "system`.`serving`.`nothing` cannot be found"),
        ("SELEC 1", "Syntax error at or near 'SELEC'"),
        ("SELECT no_such_column", "no_such_column"),
        ("SELECT ai_query('ep')", "ai_query needs an endpoint and a request"),
        ("SELECT ai_query('broken', 'x')", "ai_query: endpoint broken answered 400"),
        ("SELECT raise_error('mine')", "mine"),
    ],
)
def test_an_error_is_one_clear_message_without_plan_or_stack(
    people: SparkSession, seeded: Path, text: str, why: str
) -> None:
    said: list[str] = []
    assert not sql.attempt(sql.execute(people, seeded, text, "table"), said.append)
    [message] = said
    assert why in message
    assert len(message.splitlines()) <= 8
    for noise in ("\tat ", "'Project", "Py4J", "Traceback", "+- "):
        assert noise not in message


class Typist:
    """Types the given lines; an exception among them is what a key does."""

    def __init__(self, *keys: str | type[BaseException]) -> None:
        self.keys: Iterator[str | type[BaseException]] = iter(keys)
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        key = next(self.keys, EOFError)
        if isinstance(key, str):
            return key
        raise key


def test_a_typed_statement_ends_with_a_semicolon_and_may_take_lines() -> None:
    typist = Typist("SELECT", "1;", "", "-- just a comment", "SELECT 2;", "exit")
    assert list(sql.typed(typist)) == ["SELECT\n1;\n", "SELECT 2;\n"]
    assert typist.prompts == [sql.PROMPT, sql.MORE, sql.PROMPT, sql.PROMPT, sql.PROMPT, sql.PROMPT]


def test_an_interrupt_drops_what_was_begun_and_the_end_of_input_leaves() -> None:
    assert list(sql.typed(Typist("SELECT wrong", KeyboardInterrupt, "SELECT 1;", EOFError))) == ["SELECT 1;\n"]


def test_the_command_prints_the_result_and_nothing_else(seeded: Path, jars: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "spark_jobs.sql", "--format", "csv"],
        input="SELECT count(*) AS n FROM system.serving.endpoint_usage; SELECT missing",
        env=environment(seeded, jars, tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "n\n7\n"
    errors = [line for line in done.stderr.splitlines() if "incubator modules" not in line]
    assert errors[0].startswith("error: [UNRESOLVED_COLUMN")
    assert done.returncode == 1


def test_a_missing_file_is_said_before_spark_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql.main(["-f", str(tmp_path / "missing.sql")]) == 1
    assert "missing.sql" in capsys.readouterr().err


def environment(lake: Path, jars: Path, data: Path) -> dict[str, str]:
    """What the command finds in its environment."""
    import os

    return {**os.environ, "HEADGATE_LAKE": str(lake), "HEADGATE_JARS": str(jars), "HEADGATE_DATA": str(data)}
