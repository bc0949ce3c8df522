from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.guardrails.base import Rules
from processors.guardrails.check import apply
from processors.guardrails.keywords import matcher
from processors.guardrails.stream import Released, StreamGuard
from tests.processors.guardrails import corpora
from tests.processors.guardrails.test_pii_identifiers import ALL, FOUND, PIECES, marked

MASK = Rules(pii="MASK")
BLOCK = Rules(pii="BLOCK")
WORDS = ("Super Secret", "カタログ", "zq")
FRAGMENTS = [
    "joe@example.com", "a.b+c@x.co.uk", "山田太郎@example.jp", "田中123@example.com", "jo\u200be@ex\u00adample.com",
    "(555) 123-4567", "+1 (234) 817-8325", "212-555-1234 ext. 12", "2125552368", "212/555-2368", "-1212 555 1234",
    "4111 1111 1111 1111", "41111111\u200b11111111", "４１１１１１１１１１１１１１１１", "536-90-4399", "123456780",
    "8S7-9O-6149", "833-64-209l", "lS2-64-6269", "54O-", "S9", "SSN ",
    "12345678", "account ", "ssn ", "phone ", "card", "number", "メール", "です", "、", "。", "\u200b", "\u00ad", "＠",
    "example.com", "@", "%40", "%4", "@a.co", ".com.x", "0", " ", "  ", "\n", "-", ".", "(", ")", "+", "/", "x", "ext",
    "a", "Z9", "<", ">", "_", "'", "1.2.3.4", "2024-01-02", "the quick ", "é", "e\u0301", "и", "12 34 56 78 ",
    "1" * 20, "9 " * 12, "a" * 70, "b" * 64 + "@",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=20)


def pieces(text: str, sizes: list[int]) -> Iterable[str]:
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        yield text[at : at + size]
        at, turn = at + size, turn + 1


def stream(text: str, sizes: list[int], rules: Rules) -> list[Released]:
    guard = StreamGuard(rules)
    return [*map(guard.feed, pieces(text, sizes)), guard.finish()]


def released(text: str, sizes: list[int], rules: Rules) -> str:
    return "".join(one.text for one in stream(text, sizes, rules))


@settings(max_examples=300)
@given(TEXTS, SIZES)
def test_masking_a_stream_is_masking_the_whole_text(text: str, sizes: list[int]) -> None:
    whole = apply([text], MASK)
    parts = stream(text, sizes, MASK)
    assert "".join(one.text for one in parts) == whole.masked[0]
    assert tuple(span for one in parts for span in one.spans) == whole.spans[0]
    assert parts[-1].pii_detected == whole.pii_detected


@settings(max_examples=150)
@given(st.text(alphabet="0123456789 -.()+/@axOlS\u200b", max_size=300), SIZES)
def test_masking_a_stream_of_digits_is_masking_the_whole_text(text: str, sizes: list[int]) -> None:
    assert released(text, sizes, MASK) == apply([text], MASK).masked[0]


OTHERS = [
    *PIECES, "DE89 ", "3704 ", "0044 0532 ", "DE89370400440", "GB", "AB 12 ", "34 56", "C", "A12 ", "12:34", "2001:",
    "2001:db8::8a2e:370:7334", "db8", "::", "fe80::1%", "eth0", "/64", "/2", "10.0.0.1", "10.0.", ":", "%", "/", "_",
    "passport ", "passport number ", "nhs ", "iban ", "version ", "at ", "no ", "１", "\u200b", "\u00ad", "メール",
]  # fmt: skip
OTHER_TEXTS = st.lists(st.sampled_from([*OTHERS, *FRAGMENTS[:24], " ", " ", ".", "-", ",", "x", "9"]), max_size=30).map(
    "".join
)
SETS = st.one_of(st.just(ALL), st.lists(st.sampled_from(ALL), min_size=1, max_size=4, unique=True).map(tuple))


@settings(max_examples=600)
@given(OTHER_TEXTS, SIZES, SETS)
def test_masking_a_stream_is_masking_the_whole_text_with_any_categories(
    text: str, sizes: list[int], categories: tuple[str, ...]
) -> None:
    rules = Rules(pii="MASK", categories=categories)
    whole, parts = apply([text], rules), stream(text, sizes, rules)
    assert "".join(one.text for one in parts) == whole.masked[0]
    assert tuple(span for one in parts for span in one.spans) == whole.spans[0]


@settings(max_examples=150)
@given(OTHER_TEXTS, SIZES, SETS)
def test_a_stream_is_blocked_before_any_category_asked_for(
    text: str, sizes: list[int], categories: tuple[str, ...]
) -> None:
    rules = Rules(pii="BLOCK", categories=categories)
    whole, parts = apply([text], rules), stream(text, sizes, rules)
    out = "".join(one.text for one in parts)
    assert parts[-1].blocked == (whole.outcome == "blocked")
    assert text.startswith(out) and len(out) <= (whole.spans[0][0].start if whole.spans[0] else len(text))


@settings(max_examples=300)
@given(st.text(alphabet="0123456789 -.:/%abADEX", max_size=200), SIZES)
def test_masking_a_stream_of_letters_and_digits_is_masking_the_whole_text(text: str, sizes: list[int]) -> None:
    rules = Rules(pii="MASK", categories=ALL)
    assert released(text, sizes, rules) == apply([text], rules).masked[0]


@pytest.mark.parametrize("source", [source for sources in FOUND.values() for source in sources])
def test_an_identifier_is_masked_on_streams_wherever_it_is_cut(source: str) -> None:
    text, _ = marked(source)
    rules = Rules(pii="MASK", categories=ALL)
    whole = apply([f"{text}, {text}"], rules).masked[0]
    for size in (1, 2, 3, 5, 7, 11):
        assert released(f"{text}, {text}", [size], rules) == whole


@settings(max_examples=100)
@given(TEXTS, SIZES)
def test_held_keywords_do_not_change_the_mask(text: str, sizes: list[int]) -> None:
    rules = Rules(pii="MASK", keywords=("never\u3042there", "not here"))
    assert released(text, sizes, rules) == apply([text], rules).masked[0]


@settings(max_examples=150)
@given(TEXTS, SIZES)
def test_a_blocked_stream_has_released_the_text_before_the_entity_only(text: str, sizes: list[int]) -> None:
    whole = apply([text], BLOCK)
    parts = stream(text, sizes, BLOCK)
    out = "".join(one.text for one in parts)
    assert text.startswith(out)
    assert parts[-1].blocked == (whole.outcome == "blocked")
    if parts[-1].blocked:
        assert len(out) <= whole.spans[0][0].start
    else:
        assert out == text


@settings(max_examples=150)
@given(
    TEXTS, st.sampled_from(["super secret", "SUPER \n SECRET", "zQ", "カタログ", "Super\u200b Secret"]), TEXTS, SIZES
)
def test_nothing_of_a_keyword_is_released(left: str, word: str, right: str, sizes: list[int]) -> None:
    rules = Rules(keywords=WORDS)
    text = left + word + right
    parts = stream(text, sizes, rules)
    assert parts[-1].blocked and parts[-1].invalid_keywords
    assert len("".join(one.text for one in parts)) <= len(left)


SPELT = st.lists(
    st.sampled_from(
        ["cat", "s", "cat", "é", "e", "\u0301", "café", "CAT", " ", "  ", "\u200b", "東京", "c", "a", "t", "-"]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=300)
@given(SPELT, SIZES, st.booleans(), st.sampled_from([("cat",), ("café", "東京"), ("é",), ("cat", "a cat s")]))
def test_a_stream_has_a_keyword_exactly_where_the_whole_text_has_one(
    text: str, sizes: list[int], whole_words: bool, words: tuple[str, ...]
) -> None:
    rules = Rules(keywords=words, whole_words=whole_words)
    parts = stream(text, sizes, rules)
    out = "".join(one.text for one in parts)
    assert parts[-1].blocked == (apply([text], rules).outcome == "blocked")
    # A word that goes on in the text may be cut off where the stream ends.
    assert matcher(words, whole_words).hit(out, more=whole_words and parts[-1].blocked) is None
    assert text.startswith(out) and (parts[-1].blocked or out == text)


@pytest.mark.parametrize("sizes", [[1], [3, 1, 6], [40]], ids=str)
@pytest.mark.parametrize("name", ["shipped", "presidio_research", "pii_anon_adversarial"])
def test_labelled_texts_stream_as_they_are_masked(name: str, sizes: list[int]) -> None:
    texts: list[corpora.Labelled] | None = getattr(corpora, name)()
    if texts is None:
        pytest.skip(f"the public corpus is not at {corpora.PUBLIC}")
    everything = Rules(pii="MASK", categories=ALL)
    for one in texts[:400]:
        for rules in (MASK, everything):
            assert released(one.text, sizes, rules) == apply([one.text], rules).masked[0]


def test_after_a_block_nothing_more_comes_out_and_the_verdict_says_why() -> None:
    guard = StreamGuard(BLOCK)
    first = guard.feed("Hello, write to joe@example.com, ")
    assert first.blocked and first.text == ""
    assert first.verdict is not None
    assert first.verdict.masked == ("Hello, write to <EMAIL_ADDRESS>, ",)
    assert first.verdict.spans[0][0].start == 16
    assert guard.feed("more") == guard.finish() == first


def test_spans_of_a_blocked_stream_count_from_its_beginning() -> None:
    text = "Some words first. And then, joe@example.com, came."
    last = stream(text, [4], BLOCK)[-1]
    assert last.verdict is not None
    span = last.verdict.spans[0][0]
    assert text[span.start : span.end] == "joe@example.com"


def test_spans_of_a_masked_stream_count_from_its_beginning_and_come_with_their_text() -> None:
    text = "Some words\u200b first. And then, joe@example.com, came; (555) 123-4567."
    parts = stream(text, [4], MASK)
    assert [text[s.start : s.end] for one in parts for s in one.spans] == ["joe@example.com", "(555) 123-4567"]
    assert all(one.text.count("<") == len(one.spans) for one in parts)


def test_without_rules_everything_passes_at_once() -> None:
    guard = StreamGuard(Rules())
    assert guard.feed("joe@example.com") == Released(text="joe@example.com")
    assert guard.finish() == Released(text="")


@pytest.mark.parametrize("categories", [(), ALL], ids=["five", "all"])
def test_prose_is_held_back_by_a_word_at_most(categories: tuple[str, ...]) -> None:
    guard = StreamGuard(Rules(pii="MASK", categories=categories))
    text = "The committee met on Thursday to talk about 35 books and the roof. " * 20
    out, most = 0, 0
    for at, character in enumerate(text, 1):
        out += len(guard.feed(character).text)
        most = max(most, at - out)
    assert most <= 40


def test_a_hostile_run_without_an_end_is_held_in_linear_time_and_released_at_the_end() -> None:
    text = "a.co@" * 2_000
    guard = StreamGuard(MASK)
    before = "".join(guard.feed(piece).text for piece in pieces(text, [7]))
    assert before + guard.finish().text == apply([text], MASK).masked[0]
