"""A query's result as text: a table for people, CSV and JSON lines for programs."""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Format = Literal["table", "json", "csv"]
TABLE_ROWS = 1_000


def rendered(result: DataFrame, form: Format) -> Iterator[str]:
    """The lines to print; nothing for a statement without a result."""
    return FORMS[form](result) if result.columns else iter(())


def unique(names: Iterable[str]) -> list[str]:
    """Names of which none occurs twice: a join may give one name to two columns.

    >>> unique(["id", "at", "id"])
    ['id', 'at', 'id_2']
    """
    given: list[str] = []
    for name in names:
        wanted, count = name, 1
        while wanted in given:
            count += 1
            wanted = f"{name}_{count}"
        given.append(wanted)
    return given


def _texts(result: DataFrame) -> DataFrame:
    numbered = result.toDF(*(f"c{i}" for i in range(len(result.columns))))
    return numbered.select(*(F.col(name).cast("string") for name in numbered.columns))


def _csv(result: DataFrame) -> Iterator[str]:
    yield _csv_line(result.columns)
    for row in _texts(result).toLocalIterator():
        yield _csv_line(row)


def _csv_line(cells: Sequence[str | None]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _json(result: DataFrame) -> Iterator[str]:
    named = result.toDF(*unique(result.columns))
    whole = F.struct(*(F.col(_quoted(name)) for name in named.columns))
    for row in named.select(F.to_json(whole, {"ignoreNullFields": "false"})).toLocalIterator():
        # Spark escapes more than it must.
        yield json.dumps(json.loads(row[0]), ensure_ascii=False)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _table(result: DataFrame) -> Iterator[str]:
    rows = [[_cell(value) for value in row] for row in _texts(result).limit(TABLE_ROWS + 1).collect()]
    head = [_cell(name) for name in result.columns]
    shown = rows[:TABLE_ROWS]
    widths = [max(map(width, column)) for column in zip(head, *shown, strict=True)]
    rule = "+" + "+".join("-" * (size + 2) for size in widths) + "+"
    yield from (rule, _table_line(head, widths), rule)
    for row in shown:
        yield _table_line(row, widths)
    yield rule
    more = " shown, there are more: use --format csv" if len(rows) > TABLE_ROWS else ""
    yield f"{len(shown)} row{'' if len(shown) == 1 else 's'}{more}"


def _cell(value: str | None) -> str:
    return "NULL" if value is None else value.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _table_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (size - width(cell)) for cell, size in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"


def width(text: str) -> int:
    """Columns a text takes on a terminal: wide letters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


FORMS: Mapping[Format, Callable[[DataFrame], Iterator[str]]] = {"table": _table, "json": _json, "csv": _csv}
