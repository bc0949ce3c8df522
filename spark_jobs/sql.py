"""SQL over the lake: `-e`, `-f`, standard input, or a prompt.

Sees the tables under their three-level names and has `ai_query`; ANSI mode is off, as in the vendor's notebooks.
"""

import argparse
import atexit
import contextlib
import logging
import readline
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from spark_jobs import rendering, session, settings, statements

PROMPT, MORE = "headgate> ", "      ..> "
QUITS = ("exit", "quit")
HISTORY_LINES = 1_000


def problem(error: Exception) -> str:
    """What is wrong, in the lines a person needs: no plan, no stack."""
    text = str(error)
    if isinstance(error, PySparkException):
        text = error.getMessage() or text
    lines = []
    for line in text.strip().splitlines():
        if line.lstrip().startswith(("at ", "'Project", "+- ", "JVM stacktrace")) or line.startswith("Caused by"):
            break
        lines.append(line.rstrip())
    return "\n".join(line for line in lines if line) or type(error).__name__


def execute(spark: SparkSession, lake: Path, text: str, form: rendering.Format) -> Iterator[str]:
    """Run the statements of `text`, one after the other; the lines to print. The first error ends it."""
    for statement in statements.split(text):
        session.mount(spark, lake)
        yield from rendering.rendered(spark.sql(statement), form)


def attempt(lines: Iterator[str], say: Callable[[str], object]) -> bool:
    """Print the lines; on an error say what is wrong and return False."""
    try:
        for line in lines:
            print(line, flush=True)
    except (PySparkException, Py4JError, ValueError) as error:
        say(f"error: {problem(error)}")
        return False
    return True


def typed(read: Callable[[str], str]) -> Iterator[str]:
    """What a person enters, statement by statement, until they leave; an interrupt drops what was begun."""
    text = ""
    while True:
        try:
            line = read(MORE if text else PROMPT)
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            text = ""
            continue
        if not text and line.strip().rstrip(";").lower() in QUITS:
            return
        text += line + "\n"
        if statements.complete(text):
            yield text
            text = ""
        elif statements.blank(text):
            text = ""


def converse(spark: SparkSession, lake: Path, history: Path, form: rendering.Format) -> None:
    """A prompt with history; an error does not end it."""
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    readline.set_history_length(HISTORY_LINES)
    atexit.register(_remember, history)
    print("A statement ends with a semicolon; exit, or Ctrl-D, leaves.")
    for text in typed(input):
        attempt(execute(spark, lake, text, form), lambda why: print(why, file=sys.stderr))


def _remember(history: Path) -> None:
    with contextlib.suppress(OSError):
        readline.write_history_file(history)
        history.chmod(0o600)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="headgate sql", description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("-e", "--execute", metavar="SQL", help="run these statements and end")
    source.add_argument("-f", "--file", type=Path, help="run the statements of this file and end")
    parser.add_argument("--format", choices=tuple(rendering.FORMS), default="table")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 when a statement failed."""
    asked = arguments(given)
    config = settings.from_env()
    logging.basicConfig(level=logging.ERROR)
    text = asked.execute
    try:
        if asked.file is not None:
            text = asked.file.read_text()
        elif text is None and not sys.stdin.isatty():
            text = sys.stdin.read()
        spark = session.build("headgate-sql", lake=config.lake, jars=config.jars, ansi=False, log_level="off")
    except OSError as error:
        return _complain(f"error: {error}")
    if text is None:
        converse(spark, config.lake, config.data / "sql_history", asked.format)
        return 0
    return 0 if attempt(execute(spark, config.lake, text, asked.format), _complain) else 1


def _complain(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
