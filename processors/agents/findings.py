"""Findings: what a check saw, written down for the event log without the text."""

from collections.abc import Iterable
from itertools import islice
from typing import Literal, NamedTuple

import msgspec

from contract.records import Finding
from processors.agents.case import Case
from processors.guardrails.base import RULES_VERSION, Span

Side = Literal["input", "output"]
MOST = 500  # of one request: what a text of nothing but addresses makes must still fit into the log's row


class Seen(NamedTuple):
    """Personal data that was found. `field`: its number in the body. `outcome`: blocked, masked or observed."""

    field: int
    span: Span
    outcome: str


def seen_in(field: int, span: Span, lead: int, outcome: str) -> Seen:
    """What was found in a text that has `lead` characters before the field's own."""
    return Seen(field, msgspec.structs.replace(span, start=span.start - lead, end=span.end - lead), outcome)


def note(case: Case, side: Side, seen: Iterable[Seen], *, keyword: str = "", took_s: float = 0.0) -> None:
    """Write down what one side's check has found. `keyword`: what became of a keyword; empty where there was none."""
    took_ms = round(took_s * 1000, 3)
    if keyword:
        case.findings.append(
            Finding(
                side=side,
                guardrail="keywords",
                outcome=keyword,
                duration_ms=took_ms,
                rules_version=RULES_VERSION,
            )
        )
    case.findings.extend(
        Finding(
            side=side,
            guardrail="pii",
            outcome=one.outcome,
            entity_type=one.span.entity_type,
            start=one.span.start,
            end=one.span.end,
            score=one.span.score,
            recogniser=one.span.recogniser,
            text_index=one.field,
            duration_ms=took_ms,
            rules_version=RULES_VERSION,
        )
        for one in islice(seen, max(0, MOST - len(case.findings)))
    )
