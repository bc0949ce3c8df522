import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
