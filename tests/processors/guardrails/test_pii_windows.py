import sys

from hypothesis import given
from hypothesis import strategies as st

from processors.guardrails.fold import fold
from processors.guardrails.pii_windows import cut_windows, worth_folding


def test_digits_and_signs_of_any_script_are_worth_a_look_and_nothing_else() -> None:
    assert all(map(worth_folding, ["1", "１", "٣", "a@b", "＠", "x%40y"]))
    assert not any(map(worth_folding, ["", "plain words.", "番号は", "ten %"]))


def test_whatever_folds_to_a_digit_or_a_sign_is_worth_a_look() -> None:
    everything = (chr(code) for code in range(128, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    telling = [c for c in everything if fold(c).shadow in {"@", *"0123456789"}]
    assert len(telling) > 600
    assert all(map(worth_folding, telling))


def test_a_lone_surrogate_is_looked_at() -> None:
    assert worth_folding("\ud800")


def test_a_text_without_candidates_has_no_windows() -> None:
    assert cut_windows("In 2024, 35 people of 1200") is None


def test_far_candidates_get_windows_of_their_own_and_near_ones_share() -> None:
    far = cut_windows("1234567" + "x" * 1000 + "7654321")
    assert far is not None and len(far.joined_at) == 2
    near = cut_windows("1234567" + "x" * 100 + "a@b")
    assert near is not None and len(near.joined_at) == 1


@given(st.lists(st.sampled_from(["1234567", "a@b.c", "word " * 60, "x", " ", "99"]), max_size=30))
def test_every_place_in_the_joined_windows_leads_back_to_its_character(parts: list[str]) -> None:
    shadow = "".join(parts)
    windows = cut_windows(shadow)
    if windows is None:
        return
    for window in windows.joined.split("\n\x00\n"):
        start = windows.joined.index(window)
        for offset in (0, len(window) // 2, len(window) - 1):
            assert shadow[windows.in_shadow(start + offset)] == window[offset]
