"""Replace entities by their names, as Presidio's anonymizer does by default."""

from collections.abc import Sequence

from processors.guardrails.base import Span


def masked(text: str, spans: Sequence[Span]) -> str:
    """Put `<ENTITY_TYPE>` in place of each span.

    `spans`: in the order of the text, not overlapping.

    >>> span = Span(start=3, end=10, entity_type="EMAIL_ADDRESS", score=1.0, recogniser="x")
    >>> masked("to a@b.com now", [span])
    'to <EMAIL_ADDRESS> now'
    """
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += (text[at : span.start], f"<{span.entity_type}>")
        at = span.end
    return "".join((*parts, text[at:]))
