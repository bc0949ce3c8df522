from itertools import pairwise
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from contract.guardrails import Category
from processors.guardrails.base import Span
from processors.guardrails.overlap import resolve

TYPES = ("CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_BANK_NUMBER")
TEXT = "1" * 30 + "-" * 30


def span(entity_type: str, start: int, end: int, score: float) -> Span:
    return Span(start=start, end=end, entity_type=entity_type, score=score, recogniser="r")


SPANS = st.builds(
    lambda kind, start, length, score: span(kind, start, start + length, score),
    st.sampled_from((*TYPES, *get_args(Category))),
    st.integers(0, 40),
    st.integers(1, 20),
    st.sampled_from([0.4, 0.5, 0.75, 1.0]),
)


@given(st.lists(SPANS, max_size=15, unique=True))
def test_the_result_does_not_depend_on_the_order_of_the_findings(spans: list[Span]) -> None:
    shuffled = sorted(spans, key=lambda s: (s.end, s.score, s.start))
    assert resolve(spans, TEXT) == resolve(shuffled, TEXT) == resolve(reversed(spans), TEXT)


@given(st.lists(SPANS, max_size=15))
def test_kept_spans_do_not_overlap_and_every_other_one_touches_a_kept_one(spans: list[Span]) -> None:
    kept = resolve(spans, TEXT)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    for one in spans:
        assert any(k.start < one.end and one.start < k.end for k in kept)


def test_a_card_beats_what_else_its_digits_could_be() -> None:
    card, bank = span("CREDIT_CARD", 0, 16, 1.0), span("US_BANK_NUMBER", 0, 16, 0.4)
    assert resolve([bank, card], TEXT) == [card]


def test_a_delimited_ssn_beats_a_phone_and_a_written_phone_beats_an_announced_account() -> None:
    ssn, phone = span("US_SSN", 35, 46, 0.5), span("PHONE_NUMBER", 30, 46, 0.75)
    bank = span("US_BANK_NUMBER", 36, 46, 0.4)
    assert resolve([phone, ssn, bank], TEXT) == [ssn]
    assert resolve([bank, phone], TEXT) == [phone]


def test_an_announced_account_beats_a_phone_of_bare_digits() -> None:
    bank, phone = span("US_BANK_NUMBER", 0, 10, 0.4), span("PHONE_NUMBER", 0, 10, 0.65)
    assert resolve([phone, bank], TEXT) == [bank]


def test_of_two_alike_the_longer_is_kept() -> None:
    short, long = span("EMAIL_ADDRESS", 3, 9, 1.0), span("EMAIL_ADDRESS", 0, 9, 1.0)
    assert resolve([short, long], TEXT) == [long]


def asked(entity_type: str, start: int, end: int, score: float, *, announced: bool) -> Span:
    return Span(start=start, end=end, entity_type=entity_type, score=score, recogniser="r", announced=announced)


def test_a_category_asked_for_beats_written_phones_only_after_its_word() -> None:
    phone = span("PHONE_NUMBER", 30, 46, 0.75)
    known, unknown = (asked("UK_NHS", 30, 46, 1.0, announced=word) for word in (True, False))
    assert resolve([phone, known], TEXT) == [known]
    assert resolve([unknown, phone], TEXT) == [phone]


def test_an_iban_beats_a_card_among_its_digits() -> None:
    card, iban = span("CREDIT_CARD", 8, 22, 1.0), asked("IBAN_CODE", 0, 22, 1.0, announced=False)
    assert resolve([card, iban], TEXT) == [iban]


def test_an_itin_beats_an_ssn_that_no_word_announces() -> None:
    itin = asked("US_ITIN", 0, 11, 0.5, announced=False)
    assert resolve([span("US_SSN", 0, 11, 0.5), itin], TEXT) == [itin]
    announced = span("US_SSN", 0, 11, 0.85)
    assert resolve([announced, itin], TEXT) == [announced]
