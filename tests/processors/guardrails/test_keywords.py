import string
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import checks
from processors.guardrails.keywords import fold_words, matcher

PRINTABLE = st.text(alphabet=string.ascii_letters + " éЖか", max_size=40)


@pytest.mark.parametrize(
    "text",
    [
        "SuperSecretProject",
        "tell me about supersecretproject now",
        "、 SuperSecretProject について",
        "これはSUPERSECRETPROJECTです",
        "Ｓｕｐｅｒ\u200bSecret\u00adProject",
    ],
)
def test_case_width_neighbours_and_invisible_characters_do_not_hide_a_keyword(text: str) -> None:
    assert matcher(("other", "SuperSecretProject")).hit(text) == 1


def test_blanks_inside_a_keyword_match_any_run_of_blanks() -> None:
    assert matcher(("top secret",)).hit("TOP \n\t secret") == 0
    assert matcher(("top secret",)).hit("topsecret") is None


def test_marks_written_apart_are_the_composed_letter_and_not_the_bare_one() -> None:
    assert matcher(("café",)).hit("cafe\u0301") == 0
    assert matcher(("ガス",)).hit("カ\u3099ス") == 0
    assert matcher(("タハ",)).hit("タバ") is None


def test_no_keywords_never_hit() -> None:
    assert matcher(()).hit("anything") is None
    assert matcher(()).held("anything") == 0


@given(PRINTABLE, PRINTABLE, st.text(alphabet="abX é", min_size=1, max_size=8))
def test_a_keyword_is_found_wherever_it_is_put(left: str, right: str, word: str) -> None:
    if fold_words(word):
        assert matcher((word,)).hit(f"{left} {word} {right}") is not None


def test_keywords_of_which_folding_leaves_nothing_never_hit() -> None:
    assert matcher(("", " \t", "\u200b\u00ad")).hit("a \u200b b") is None


def test_the_matcher_of_a_list_is_built_once() -> None:
    assert matcher(("a", "b")) is matcher(("a", "b"))


def test_held_is_the_longest_keyword_less_one() -> None:
    assert matcher(("abcd", "xy")).held("0123456789") == 3
    assert matcher(("abcd",)).held("ab") == 2
    assert matcher(("a bc",)).held("xyz a    b") == 6


WHOLE = {
    "cat": ["cat", "a cat!", "Cats and CAT", "my_cat", "「cat」", "猫catです", "ｃａｔ", "c\u00adat", "cat\n", "é cat"],
    "カタログ": ["カタログ", "新カタログです", "xカタログx"],
    ".net": [".net", "asp.net", "(.NET)"],
    "c++": ["c++", "c++11", "c++x"],
    "東京": ["東京都", "a東京b"],
    "42": ["42", "42円", "[42]"],
    "top secret": ["top  secret", "(top\nsecret)"],
    "müller": ["MÜLLER,", "mu\u0308ller"],
    "привет": ["привет!"],
}
PARTS = {
    "cat": ["cats", "concatenate", "bobcat", "cat5", "écat", "caté", "cat\u0332", "кcat"],
    "42": ["427", "142", "a42"],
    "top secret": ["atop secret", "top secrets", "topsecret"],
    "c++": ["abc++"],
    ".net": [".network"],
    "привет": ["приветы"],
}


@pytest.mark.parametrize("word", WHOLE)
def test_a_whole_word_counts_where_no_letter_or_digit_goes_on_at_its_edges(word: str) -> None:
    for text in WHOLE[word]:
        assert matcher((word,), True).hit(text) == 0, text


@pytest.mark.parametrize("word", PARTS)
def test_a_part_of_a_word_does_not_count_as_a_whole_word(word: str) -> None:
    for text in PARTS[word]:
        assert matcher((word,), True).hit(text) is None, text


def test_a_part_of_a_word_does_not_hide_a_whole_one_behind_it_or_a_shorter_keyword() -> None:
    assert matcher(("cat",), True).hit("cats, and the cat") == 0
    assert matcher(("the cat", "cat"), True).hit("bathe cat") == 1


def test_a_whole_word_at_the_end_is_decided_by_what_comes_and_held_until_then() -> None:
    whole = matcher(("cat",), True)
    assert whole.hit("a cat", more=True) is None
    assert whole.hit("a cat\u200b", more=True) is None
    assert whole.hit("a cat ", more=True) == 0
    assert whole.held("a cat") == 3


def test_the_character_before_the_text_can_begin_the_word() -> None:
    whole = matcher(("cat",), True)
    assert whole.hit("cat", before="s") is None
    assert whole.hit("cat", before=" ") == whole.hit("cat", before="-") == 0


def test_of_which_keywords_folding_leaves_nothing_the_configuration_knows() -> None:
    everything = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) not in ("Cn", "Co", "Cs")]
    assert [c for c in everything if not fold_words(c) and checks.fold(c)] == []
    assert [c for c in everything if not checks.fold(c) and fold_words(c)] == []
