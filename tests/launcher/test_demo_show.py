"""What a step shows: everything short as it is, everything long cut."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from launcher import demo_show
from launcher.demo_sql import Rows
from launcher.notebook import Outcome


def shown(**outcome: Any) -> list[str]:
    return list(demo_show.lines(Outcome(**outcome)))


def test_prints_come_first_then_the_value_then_the_error() -> None:
    assert shown(printed="a\nb\n", value={"x": "量"}, error=ValueError("no")) == [
        "a",
        "b",
        '{"x": "量"}',
        "ValueError: no",
    ]


def test_nothing_shows_nothing() -> None:
    assert shown() == []


def test_a_long_value_is_wrapped_and_cut() -> None:
    lines = shown(value=["word"] * 2000)
    assert len(lines) == demo_show.TEXT_LINES and lines[-1] == "..."
    assert max(map(len, lines)) <= demo_show.WIDTH


def test_rows_become_columns_whose_wide_letters_line_up() -> None:
    lines = shown(value=Rows(rows=({"n": 1, "text": "量子"}, {"n": 22, "text": None})))
    assert lines == ["n   text", "--  ----", "1   量子", "22  null"]


def test_no_rows_say_so_and_many_are_cut() -> None:
    assert shown(value=Rows(rows=())) == ["(no rows)"]
    many = shown(value=Rows(rows=tuple({"n": n} for n in range(100))))
    assert len(many) == demo_show.TABLE_ROWS + 3 and many[-1] == "... and 76 more"


@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.text(), "c": st.integers()}), min_size=1, max_size=4))
def test_no_line_of_a_table_is_wider_than_the_console(rows: list[dict[str, Any]]) -> None:
    wide = [row | {"d": "量子" * 200} for row in rows]
    assert all(demo_show.columns(line) <= demo_show.WIDTH for line in demo_show.table(wide))
