import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from processors.guardrails.fold import fold, is_glued_script


@given(st.text(max_size=200))
def test_the_shadow_is_ascii_and_as_long_as_the_visible_text(text: str) -> None:
    folded = fold(text)
    assert folded.shadow.isascii()
    assert len(folded.shadow) == len(folded.visible)


@given(st.text(max_size=100), st.text(max_size=100))
def test_folding_parts_is_folding_the_whole(left: str, right: str) -> None:
    assert fold(left).shadow + fold(right).shadow == fold(left + right).shadow


@given(st.text(alphabet="ab1\u200b\u00ad\ufeffは", max_size=60))
def test_every_visible_character_is_found_again_in_the_original(text: str) -> None:
    folded = fold(text)
    for index, character in enumerate(folded.visible):
        place = folded.start_in_original(index)
        assert text[place] == character
        assert folded.end_in_original(index + 1) == place + 1
        assert folded.visible_before(place) == index


def test_ascii_is_left_alone() -> None:
    text = "".join(map(chr, range(128)))
    assert fold(text).shadow == text
    assert fold(text).kept is None


def test_digits_of_every_script_become_ascii_digits() -> None:
    digits = [chr(c) for c in range(0x11000) if unicodedata.category(chr(c)) == "Nd"]
    assert fold("".join(digits)).shadow == "".join(str(unicodedata.decimal(d)) for d in digits)


def test_look_alikes_dashes_stops_and_spaces_become_what_they_look_like() -> None:
    assert fold("раура").shadow == "paypa"
    assert fold("1–2−3－4").shadow == "1-2-3-4"
    assert fold("a。b．c").shadow == "a.b.c"
    assert fold("1\u00a02\u30003").shadow == "1 2 3"
    assert fold("ａ＠ｂ").shadow == "a@b"
    assert fold("Müller").shadow == "Muller"


def test_letters_without_spaces_between_words_become_a_border() -> None:
    assert fold("番号12です").shadow == "  12  "
    assert fold("번호12").shadow == "  12"
    assert fold("жщ").shadow == "xx"
    assert is_glued_script("山") and is_glued_script("ก") and not is_glued_script("a")


def test_a_lone_surrogate_is_no_obstacle() -> None:
    assert fold("a\ud800b").shadow == "a b"
