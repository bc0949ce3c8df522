"""Labelled texts: the shipped set, and the public corpora where they lie beside the repository."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from processors.guardrails.base import Span

CASES = Path(__file__).parent / "cases" / "labelled.jsonl"
PUBLIC = Path(__file__).parents[3].parent / "shared" / "corpora" / "pii"
CATEGORIES = ("CREDIT_CARD", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_BANK_NUMBER", "US_SSN")
US_PHONES = "US-shaped phones"

_NAMES = {
    "SOCIAL_SECURITY_NUMBER": "US_SSN",
    "CREDIT_CARD_NUMBER": "CREDIT_CARD",
    "BANK_ACCOUNT_NUMBER": "US_BANK_NUMBER",
}
_US_PHONE = re.compile(r"(?:\+?1|001)?[ .\-]?\(?[2-9][0-9]{2}\)?[ .\-]?[0-9]{3}[ .\-]?[0-9]{4}(?:x[0-9]{1,5})?")


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled entity; counts characters of its text."""

    start: int
    end: int
    entity_type: str


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """A text and what it holds."""

    text: str
    labels: tuple[Label, ...]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Any-overlap counts of one category: a finding of the right type that touches a label."""

    labels: int = 0
    found: int = 0
    findings: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.labels if self.labels else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.findings if self.findings else 1.0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            labels=self.labels + other.labels,
            found=self.found + other.found,
            findings=self.findings + other.findings,
            right=self.right + other.right,
        )


def shipped() -> list[Labelled]:
    """The hand-made set; entities are written as [[TYPE text]] in its lines."""
    return [_marked(json.loads(line)) for line in CASES.read_text(encoding="utf-8").splitlines()]


def presidio_research() -> list[Labelled] | None:
    """1,500 sentences; None when the corpus is not there."""
    path = PUBLIC / "presidio_research_synth_dataset_v2.json"
    if not path.exists():
        return None
    return [_research(row) for row in json.loads(path.read_text(encoding="utf-8"))]


def pii_anon_adversarial() -> list[Labelled] | None:
    """1,606 records; None when the corpus is not there."""
    path = PUBLIC / "pii_anon_test_adversarial.jsonl.gz"
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_anon(json.loads(line)) for line in lines]


def recogniser_cases() -> list[dict[str, Any]] | None:
    """Presidio's own unit tuples; None when they are not there."""
    path = PUBLIC / "presidio_recognizer_cases.jsonl"
    if not path.exists():
        return None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def scores(
    texts: Iterable[Labelled], find: Callable[[str], list[Span]], besides: Sequence[str] = ()
) -> dict[str, Score]:
    """Score each of the five categories and those `besides`, and the labelled phones that look American."""
    total: Counter[tuple[str, str]] = Counter()
    for one in texts:
        _count(one, find(one.text), total)
    fields = ("labels", "found", "findings", "right")
    return {
        name: Score(**{field: total[name, field] for field in fields}) for name in (*CATEGORIES, US_PHONES, *besides)
    }


def _count(one: Labelled, findings: list[Span], total: Counter[tuple[str, str]]) -> None:
    for label in one.labels:
        names = [label.entity_type]
        if label.entity_type == "PHONE_NUMBER" and _US_PHONE.fullmatch(one.text[label.start : label.end]):
            names.append(US_PHONES)
        for name in names:
            total[name, "labels"] += 1
            total[name, "found"] += any(_touch(label, finding) for finding in findings)
    for finding in findings:
        total[finding.entity_type, "findings"] += 1
        total[finding.entity_type, "right"] += any(_touch(label, finding) for label in one.labels)


def _touch(label: Label, finding: Span) -> bool:
    same = label.entity_type == finding.entity_type
    return same and label.start < finding.end and finding.start < label.end


def _marked(source: str) -> Labelled:
    text = ""
    labels = []
    parts = re.split(r"\[\[([A-Z_]+) (.*?)\]\]", source, flags=re.DOTALL)  # plain, type, entity, plain, ...
    for plain, entity_type, entity in zip(parts[::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True):
        text += plain
        if entity_type:
            labels.append(Label(start=len(text), end=len(text) + len(entity), entity_type=entity_type))
            text += entity
    return Labelled(text=text, labels=tuple(labels))


def _research(row: dict[str, Any]) -> Labelled:
    labels = (
        Label(start=s["start_position"], end=s["end_position"], entity_type=s["entity_type"]) for s in row["spans"]
    )
    return Labelled(text=row["full_text"], labels=tuple(labels))


def _anon(row: dict[str, Any]) -> Labelled:
    labels = (Label(start=s, end=e, entity_type=_NAMES.get(name, name)) for s, e, name in row["spans"])
    return Labelled(text=row["text"], labels=tuple(labels))
