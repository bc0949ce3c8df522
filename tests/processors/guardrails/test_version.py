"""What is found in fixed texts changes only with `RULES_VERSION`; `cases/versions.json` has the digest of each."""

import hashlib
import json
from pathlib import Path
from typing import get_args

import msgspec

from contract.guardrails import Category
from processors.guardrails.base import RULES_VERSION
from processors.guardrails.pii import build_detector

CASES = Path(__file__).parent / "cases"


def digest() -> str:
    texts = [json.loads(line) for line in (CASES / "fixed.jsonl").read_text(encoding="utf-8").splitlines()]
    detectors = [build_detector(), build_detector(get_args(Category))]
    found = [[[msgspec.to_builtins(span) for span in one.find(text)] for one in detectors] for text in texts]
    for spans in (spans for both in found for spans in both):
        for span in spans:
            span["score"] = round(span["score"], 3)
    return hashlib.sha256(json.dumps([texts, found], sort_keys=True).encode()).hexdigest()


def test_what_is_found_changes_only_with_a_new_version() -> None:
    versions = json.loads((CASES / "versions.json").read_text(encoding="utf-8"))
    assert versions.get(RULES_VERSION) == digest(), "give RULES_VERSION the next number and note its digest"


def test_the_present_version_is_the_last_one_noted() -> None:
    versions = json.loads((CASES / "versions.json").read_text(encoding="utf-8"))
    assert list(versions)[-1] == RULES_VERSION
