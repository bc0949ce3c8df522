"""One order that decides between overlapping findings."""

from bisect import bisect_right
from collections.abc import Iterable

from processors.guardrails.base import Span

_TYPES = ("CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_BANK_NUMBER")
_DELIMITED_SSN = 0.5


def resolve(spans: Iterable[Span], text: str) -> list[Span]:
    """Keep the spans that overlap no better one, in the order of the text.

    Better: validated (card, e-mail), then a delimited SSN, then a phone with separators, then
    what a word announced, last a phone of bare digits; then the order of `_TYPES`, then the
    longer, then the earlier one. `text`: the text the spans count in.
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
    return _rank(span, text), _TYPES.index(span.entity_type), -length, span.start


def _rank(span: Span, text: str) -> int:
    if span.score >= 1.0:
        return 0
    if span.entity_type == "US_SSN" and span.score >= _DELIMITED_SSN:
        return 1
    if span.entity_type == "PHONE_NUMBER":
        return 4 if text[span.start : span.end].isdigit() else 2
    return 3
