"""Whatever a text is made of, the checks come to a verdict, and a stream to the same one."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.guardrails import Category
from processors.guardrails.base import Rules
from processors.guardrails.check import apply
from processors.guardrails.stream import StreamGuard

EVERYTHING = Rules(
    pii="MASK", keywords=("top secret", "\ud800x", "سر"), whole_words=True, categories=get_args(Category)
)
ODD = [
    "\x00", "a", "1", " ", "@", "\ud800", "\udfff", "\u0301", "\u202e", "\u0627", "あ", "\U0001f600", "-", ":",
    "\u200b", "٣", "(", "\n", "%", "é", "\U0010ffff",
]  # fmt: skip
MIXED = {
    "lone surrogates": ("\ud800joe@example.com\udc00 \udfff536-90-4399\ud800", 2),
    "nul": ("\x00joe@example.com\x00536-90-4399\x00\n\x00\n4111111111111111\x00", 3),
    "right to left": ("اتصل بـ joe@example.com أو \u202e(555) 123-4567\u202c رقم ٥٣٦-٩٠-٤٣٩٩ שלום", 3),
    "combining marks": ("j\u0301o\u0323e joe@example.com \u0301\u0323 5\u030536-90-4399 536-90-4399 e\u0301", 2),
    "emoji": ("👩‍👩‍👧joe@example.com👍🏽(555) 123-4567🇩🇪", 2),
}


def streamed(text: str, size: int, rules: Rules) -> str:
    guard = StreamGuard(rules)
    parts = [guard.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join(one.text for one in (*parts, guard.finish()))


@pytest.mark.parametrize("character", ODD, ids=ascii)
def test_a_megabyte_of_one_character_passes(character: str) -> None:
    text = character * 1_000_000
    verdict = apply([text], EVERYTHING)
    assert verdict.outcome == "passed" and verdict.masked[0] == text
    assert streamed(text[:20_000], 999, EVERYTHING) == text[:20_000]


@pytest.mark.parametrize("rules", [Rules(pii="MASK"), EVERYTHING], ids=["five", "all"])
@pytest.mark.parametrize("name", MIXED)
def test_personal_data_is_found_among_odd_characters(name: str, rules: Rules) -> None:
    text, least = MIXED[name]
    verdict = apply([text], rules)
    assert len(verdict.spans[0]) >= least
    assert all(streamed(text, size, rules) == verdict.masked[0] for size in (1, 2, 5, 100))


@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.text(alphabet=st.characters(), max_size=12), st.sampled_from(ODD)), max_size=12).map("".join),
    st.integers(1, 9),
)
def test_any_text_has_a_verdict_and_its_stream_the_same(text: str, size: int) -> None:
    verdict = apply([text], EVERYTHING)
    if verdict.outcome != "blocked":
        assert streamed(text, size, EVERYTHING) == verdict.masked[0]
