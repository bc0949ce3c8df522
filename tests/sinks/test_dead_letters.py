"""Dead letters on the disk."""

import os
import stat
from pathlib import Path

import pytest

from sinks import bus, dead_letters
from sinks.dead_letters import Files, last, main
from sinks.letters import Letter, letter
from tests.sinks.rows import Row, buried


def letters(*offsets: int, value: bytes = b"{broken") -> list[Letter]:
    return [letter(buried(offset, value)) for offset in offsets]


def test_a_letter_keeps_where_it_lay_and_its_bytes() -> None:
    kept = letter(buried(5, b"\x00\xff{"))
    assert (kept.topic, kept.partition, kept.offset, kept.reason) == ("gateway.requests", 3, 17, "not JSON")
    assert kept.content == b"\x00\xff{"
    assert kept.identity == (0, 5, 1_790_000_000_000)


def test_a_letter_without_headers_key_or_value_is_kept_all_the_same() -> None:
    kept = letter(Row(key=None, value=None, headers=[("partition", b"x"), ("reason", b"\xff")]))
    assert (kept.key, kept.value, kept.topic, kept.partition, kept.offset) == (None, None, "", -1, -1)
    assert kept.reason == "\\xff"


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert [one.letter_offset for one in files.append(letters(1, 2))] == [1, 2]
    files.append(letters(3))
    assert last(tmp_path, 10) == letters(1, 2, 3)
    assert last(tmp_path, 2) == letters(2, 3)


def test_a_batch_that_comes_again_after_a_crash_is_not_written_twice(tmp_path: Path) -> None:
    Files(tmp_path).append(letters(1, 2))
    assert [one.letter_offset for one in Files(tmp_path).append(letters(1, 2, 3))] == [3]
    assert last(tmp_path, 10) == letters(1, 2, 3)


def test_a_topic_made_anew_starts_from_offset_0_and_loses_nothing(tmp_path: Path) -> None:
    Files(tmp_path).append(letters(0))
    later = letter(buried(0, timestamp=1_790_000_999_000))
    assert Files(tmp_path).append([later]) == [later]


def test_half_a_line_left_by_a_crash_is_dropped(tmp_path: Path) -> None:
    Files(tmp_path).append(letters(1))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at_ms":17900')
    Files(tmp_path).append(letters(2))
    assert last(tmp_path, 10) == letters(1, 2)


def test_a_full_file_is_followed_by_a_new_one_and_the_oldest_go(tmp_path: Path) -> None:
    files = Files(tmp_path, file_bytes=1, files=3)
    for offset in range(5):
        files.append(letters(offset))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"letters-{n:08d}.jsonl" for n in (3, 4, 5)]
    assert last(tmp_path, 10) == letters(2, 3, 4)


def test_a_disk_that_fails_leaves_no_half_line_and_the_batch_can_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(tmp_path)
    files.append(letters(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            files.append(letters(2))
    assert last(tmp_path, 10) == letters(1)
    files.append(letters(2))
    assert last(tmp_path, 10) == letters(1, 2)


def test_files_and_directory_are_their_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "dead_letters"
    Files(directory).append(letters(1))
    (path,) = directory.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_list_names_reason_and_place_but_not_the_contents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Files(tmp_path / "dead_letters").append(letters(1, value=b"call me at home"))
    assert main(["--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "gateway.requests/3/17  key=key  15 bytes  not JSON" in said
    assert "call me" not in said


def test_show_prints_the_contents_without_obeying_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Files(tmp_path / "dead_letters").append(letters(1, value=b"one\x1b[2J\ntwo\xff"))
    main(["--data", str(tmp_path), "--show", "--last", "1"])
    said = capsys.readouterr().out
    assert "    one\\x1b[2J\n    two\\xff\n" in said


def test_no_directory_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "nowhere")]) == 0
    assert "No dead letters in" in capsys.readouterr().out


def test_the_tail_that_is_remembered_covers_several_batches() -> None:
    assert dead_letters.REMEMBERED >= 2 * bus.BATCH
