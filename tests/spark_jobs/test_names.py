"""Which names become directories, and where."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs import names
from spark_jobs.names import Table


@pytest.mark.parametrize("part", ["", "..", "a/b", "a.b", "a b", "a\n", "a`b", "é", "a" * 129])
def test_a_part_that_could_leave_its_directory_is_no_name(part: str) -> None:
    for parts in ((part, "s", "p"), ("c", part, "p"), ("c", "s", part)):
        with pytest.raises(ValueError, match="not a legal part"):
            names.payload(*parts)


@given(st.tuples(st.text(), st.text(), st.text()))
def test_whatever_the_name_its_table_lies_three_levels_below_the_lake(parts: tuple[str, str, str]) -> None:
    lake = Path("/lake")
    try:
        path = names.payload(*parts).path(lake)
    except ValueError:
        return
    assert path.resolve().relative_to(lake).parts == (parts[0], parts[1], f"{parts[2]}_payload")


def test_the_longest_prefix_still_makes_a_table() -> None:
    assert names.payload("c", "s", "p" * 128).name == "p" * 128 + "_payload"


def test_catalogs_are_directories_with_a_legal_name_and_system_always(tmp_path: Path) -> None:
    for name in ("users", ".checkpoints", "with space"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    assert names.catalogs(tmp_path) == ["system", "users"]
    assert names.catalogs(tmp_path / "missing") == ["system"]


def test_only_directories_with_a_delta_log_are_tables(tmp_path: Path) -> None:
    (tmp_path / "users/me/a_payload/_delta_log").mkdir(parents=True)
    (tmp_path / "users/me/empty").mkdir()
    (tmp_path / ".checkpoints/x/y/_delta_log").mkdir(parents=True)
    assert list(names.tables(tmp_path)) == [Table(catalog="users", schema="me", name="a_payload")]
