"""The small notebook: cells in order, shared names, last expression as the value."""

from pathlib import Path

import pytest

from launcher import demo_steps, notebook
from launcher.notebook import Notebook

CELLS = """a preface that is no cell
# %% first (a remark)
x = 20
print("hello")
x + 1

# %% second
x += 2

# %% third
raise ValueError("why")

# %% fourth
%sql
SELECT 1
"""


class Spark:
    def sql(self, text: str) -> str:
        return f"ran {text}"


@pytest.fixture
def book(tmp_path: Path) -> Notebook:
    path = tmp_path / "cells.txt"
    path.write_text(CELLS)
    return Notebook(notebook.read(path), {"spark": Spark()})


def test_a_cells_last_expression_is_its_value_and_what_it_prints_is_kept(book: Notebook) -> None:
    outcome = book.run("first")
    assert (outcome.value, outcome.printed, outcome.error) == (21, "hello\n", None)


def test_cells_share_their_names_and_one_without_expression_has_no_value(book: Notebook) -> None:
    book.run("first")
    assert book.run("second").value is None
    assert book.names["x"] == 22


def test_what_a_cell_raises_is_its_outcome(book: Notebook) -> None:
    error = book.run("third").error
    assert isinstance(error, ValueError) and str(error) == "why"


def test_a_sql_cell_goes_to_spark(book: Notebook) -> None:
    assert book.run("fourth").value == "ran SELECT 1"


def test_an_unknown_cell_is_a_defect(book: Notebook) -> None:
    with pytest.raises(KeyError):
        book.run("fifth")


def test_the_walks_cells_are_the_notebooks_in_its_order_and_compile() -> None:
    cells = notebook.read()
    assert [step.cell for step in demo_steps.STEPS] == list(cells)
    for name, text in cells.items():
        if not text.startswith(notebook.SQL):
            compile(text, name, "exec")
