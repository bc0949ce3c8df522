"""What a step's outcome looks like on the console: a few lines, however much it is. Pure."""

import json
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from launcher.demo_sql import Rows
from launcher.notebook import Outcome

WIDTH = 118
TEXT_LINES = 14
TABLE_ROWS = 24
NARROWEST = 10


def lines(outcome: Outcome) -> Iterator[str]:
    """The lines to print under a step's title."""
    yield from outcome.printed.splitlines()
    if isinstance(outcome.value, Rows):
        yield from table(outcome.value.rows)
    elif outcome.value is not None:
        yield from shortened(compact(outcome.value))
    if outcome.error is not None:
        yield from shortened(f"{type(outcome.error).__name__}: {outcome.error}")


def compact(value: Any) -> str:
    """A value as JSON, letters as they are; what has no JSON as its text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def shortened(text: str) -> list[str]:
    """Wrapped to the console, and cut after some lines."""
    wrapped = textwrap.wrap(text, WIDTH, break_on_hyphens=False)
    return wrapped if len(wrapped) <= TEXT_LINES else [*wrapped[: TEXT_LINES - 1], "..."]


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Rows as columns of text that fit the console; long cells and long tables are cut."""
    if not rows:
        yield "(no rows)"
        return
    names = list(rows[0])
    body = [[_text(row.get(name)) for name in names] for row in rows[:TABLE_ROWS]]
    widths = fitting([max(map(columns, column)) for column in zip(names, *body, strict=True)])
    for cells in [names, ["-" * size for size in widths], *body]:
        yield "  ".join(_cell(text, size) for text, size in zip(cells, widths, strict=True)).rstrip()
    if len(rows) > TABLE_ROWS:
        yield f"... and {len(rows) - TABLE_ROWS} more"


def fitting(widths: list[int]) -> list[int]:
    """The widths, the widest ones made smaller until a line fits, but none below some letters.

    >>> fitting([10, 300, 20]), fitting([10, 20])
    ([10, 84, 20], [10, 20])
    """
    made = list(widths)
    while sum(made) + 2 * (len(made) - 1) > WIDTH and max(made) > NARROWEST:
        made[made.index(max(made))] -= 1
    return made


def _text(value: Any) -> str:
    return " ".join((value if isinstance(value, str) else compact(value)).split())


def _cell(text: str, size: int) -> str:
    if columns(text) <= size:
        return text + " " * (size - columns(text))
    kept = text[: size - 1]
    while columns(kept) > size - 1:
        kept = kept[:-1]
    return kept + "…" + " " * (size - 1 - columns(kept))


def columns(text: str) -> int:
    """How many columns a text takes on a terminal; wide letters take two.

    >>> columns("ab"), columns("量子")
    (2, 4)
    """
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
