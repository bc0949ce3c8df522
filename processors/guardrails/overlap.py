"""One order that decides between overlapping findings."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import get_args

from contract.guardrails import Category
from processors.guardrails.base import Span

_US = ("CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_BANK_NUMBER")
_ASKED_FOR = get_args(Category)
_TYPES = {name: place for place, name in enumerate(("IBAN_CODE", *_US, *_ASKED_FOR[1:]))}  # an IBAN may hold a card
_DELIMITED_SSN = 0.5


def resolve(spans: Iterable[Span], text: str) -> list[Span]:
    """Keep the spans that overlap no better one, in the order of the text.

    Better: validated (card, e-mail, IBAN), then a category asked for that its word announces, then a delimited SSN
    (after its word; then an ITIN, where asked for; then without), then a phone with separators, then what a word
    announced, then a phone of bare digits, last another category asked for without its word; then the order of
    `_TYPES`, then the longer, then the earlier one. `text`: the text the spans count in.
    """
    starts: list[int] = []
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: _order(s, text)):
        place = bisect_right(starts, span.start)
        free_left = place == 0 or kept[place - 1].end <= span.start
        if free_left and (place == len(kept) or span.end <= starts[place]):
            starts.insert(place, span.start)
            kept.insert(place, span)
    return kept


def _order(span: Span, text: str) -> tuple[int, int, int, int]:
    length = span.end - span.start
    return _rank(span, text), _TYPES[span.entity_type], -length, span.start


def _rank(span: Span, text: str) -> int:
    if span.entity_type in _ASKED_FOR and span.entity_type != "IBAN_CODE":
        return 1 if span.announced else 3 if span.entity_type == "US_ITIN" else 8
    if span.score >= 1.0:
        return 0
    if span.entity_type == "US_SSN" and span.score >= _DELIMITED_SSN:
        return 2 if span.score > _DELIMITED_SSN else 4
    if span.entity_type == "PHONE_NUMBER":
        return 7 if text[span.start : span.end].isdigit() else 5
    return 6
