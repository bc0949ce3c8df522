"""A small notebook: cells run one after the other in the same names, the last expression is a cell's value."""

import ast
import contextlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

CELLS = Path(__file__).with_name("notebook.txt")
TITLE = re.compile(r"^# %% (?P<name>\w+).*$", re.MULTILINE)
SQL = "%sql\n"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell gave: its value, what it printed, what it raised."""

    value: Any = None
    printed: str = ""
    error: Exception | None = None


def read(path: Path = CELLS) -> dict[str, str]:
    """The cells of a file by name, in their order: each begins with a line `# %% name`."""
    _, *parts = TITLE.split(path.read_text(encoding="utf-8"))
    return {name: text.strip("\n") for name, text in zip(parts[::2], parts[1::2], strict=True)}


class Notebook:
    """Runs cells. `names`: what they find there, among it `spark` with `sql(text)` for `%sql` cells."""

    def __init__(self, cells: Mapping[str, str], names: Mapping[str, Any]) -> None:
        self._cells = cells
        self.names: dict[str, Any] = {"__name__": "notebook", **names}

    def run(self, name: str) -> Outcome:
        """Run one cell; KeyError when there is none of that name."""
        text, said = self._cells[name], io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                value = self._value(name, text)
        except Exception as error:  # noqa: BLE001 (whatever a cell raises is its outcome)
            return Outcome(printed=said.getvalue(), error=error)
        return Outcome(value=value, printed=said.getvalue())

    def _value(self, name: str, text: str) -> Any:
        if text.startswith(SQL):
            return self.names["spark"].sql(text.removeprefix(SQL))
        tree = ast.parse(text, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self.names)  # noqa: S102 (the cells are ours)
        if not isinstance(last, ast.Expr):
            return None
        return eval(compile(ast.Expression(last.value), name, "eval"), self.names)  # noqa: S307 (so are these)
