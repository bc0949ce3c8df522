"""Where one statement ends and the next begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs import statements


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \";\", `;` FROM t;", ["SELECT ';', \";\", `;` FROM t"]),
        (r"SELECT 'it\'s; one'; SELECT 2", [r"SELECT 'it\'s; one'", "SELECT 2"]),
        ("SELECT 1 -- a; b\n;", ["SELECT 1 -- a; b"]),
        ("SELECT 1 /* a; b */; SELECT 4/2-1", ["SELECT 1 /* a; b */", "SELECT 4/2-1"]),
        (" ;; -- nothing\n; /* ; */", []),
        ("SELECT 'open; SELECT 2", ["SELECT 'open; SELECT 2"]),
    ],
)
def test_only_a_semicolon_outside_strings_names_and_comments_ends_a_statement(text: str, found: list[str]) -> None:
    assert statements.split(text) == found


@given(st.text(alphabet="ab ;'\"`-/*\\\n"))
def test_no_letter_is_lost(text: str) -> None:
    assert "".join(statements.PIECE.findall(text)) == text
    statements.split(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [("SELECT 1;", True), ("SELECT 1; -- done", True), ("SELECT ';", False), ("SELECT 1", False), ("-- ;", False)],
)
def test_typed_text_is_complete_when_a_semicolon_ends_it(text: str, whole: bool) -> None:
    assert statements.complete(text) is whole
