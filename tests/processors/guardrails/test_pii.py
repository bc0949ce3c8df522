import socket
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.guardrails import Category
from processors.guardrails.fold import fold
from processors.guardrails.pii import ENTITIES, THRESHOLD, Detector, build_detector, new_analyzer
from processors.guardrails.pii_identifiers import KINDS, Identifiers
from processors.guardrails.pii_ip import Addresses
from tests.processors.guardrails import corpora
from tests.processors.guardrails.corpora import US_PHONES, Label, Labelled

EMPLOYEES = """
サマンサ・リー, slee@fictional-corp.com, (555) 123-4567, シニアマーケティングマネージャー
ラージ・パテル, rpatel@imaginary-tech.net, (555) 987-6543, ソフトウェアエンジニアII
エレナ・ロドリゲス, erodriguez@pretend-company.org, (555) 246-8135, オペレーションディレクター
"""
NOTEBOOK = Path(corpora.PUBLIC).parents[1] / "seeds" / "000_5c782f832ae2ac2f.txt"

# category -> least recall, least precision; what the detector reaches today, rounded down.
RESEARCH = {
    "CREDIT_CARD": (0.99, 0.99),
    "EMAIL_ADDRESS": (1.0, 1.0),
    "US_SSN": (1.0, 1.0),
    "PHONE_NUMBER": (0.40, 0.98),
    US_PHONES: (0.95, 0.0),
}
ADVERSARIAL = {
    "EMAIL_ADDRESS": (1.0, 1.0),
    "US_SSN": (1.0, 1.0),
    "PHONE_NUMBER": (1.0, 1.0),
}

MET = {"CREDIT_CARD": 19, "EMAIL_ADDRESS": 8, "PHONE_NUMBER": 18, "US_SSN": 11, "US_BANK_NUMBER": 1}
ASKED_FOR = {"IBAN_CODE": (1.0, 1.0), "IP_ADDRESS": (1.0, 1.0)}


def found(text: str) -> list[tuple[str, str]]:
    return [(s.entity_type, text[s.start : s.end]) for s in build_detector().find(text)]


@pytest.mark.parametrize("one", corpora.shipped(), ids=lambda one: ascii(one.text[:40]))
def test_each_case_of_the_shipped_set_has_exactly_its_entities(one: Labelled) -> None:
    labels = (Label(start=s.start, end=s.end, entity_type=s.entity_type) for s in build_detector().find(one.text))
    assert tuple(labels) == one.labels


def test_the_shipped_set_has_every_category() -> None:
    labels = Counter(label.entity_type for one in corpora.shipped() for label in one.labels)
    assert set(labels) == set(ENTITIES)
    assert min(labels.values()) >= 5


@pytest.mark.parametrize(
    ("name", "floors"),
    [("presidio_research", RESEARCH), ("pii_anon_adversarial", ADVERSARIAL)],
    ids=["research", "adv"],
)
def test_no_category_falls_below_its_recall_and_precision(name: str, floors: dict[str, tuple[float, float]]) -> None:
    texts = getattr(corpora, name)()
    if texts is None:
        pytest.skip(f"the public corpus is not at {corpora.PUBLIC}")
    scores = corpora.scores(texts, build_detector().find)
    assert {name for name in corpora.CATEGORIES if scores[name].labels} <= floors.keys()
    for category, (recall, precision) in floors.items():
        assert scores[category].recall >= recall, category
        assert scores[category].precision >= precision, category


def test_no_fewer_of_presidios_own_cases_are_met_exactly() -> None:
    cases = corpora.recogniser_cases()
    if cases is None:
        pytest.skip(f"the public corpus is not at {corpora.PUBLIC}")
    met: Counter[str] = Counter()
    for case in cases:
        spans = [[s.start, s.end] for s in build_detector().find(case["text"]) if s.entity_type == case["entity"]]
        met[case["entity"]] += spans == case["spans"]
    assert {name: max(MET[name], met[name]) for name in MET} == met


def test_categories_asked_for_raise_no_false_alarms_in_sentences() -> None:
    texts = corpora.presidio_research()
    if texts is None:
        pytest.skip(f"the public corpus is not at {corpora.PUBLIC}")
    besides = get_args(Category)
    scores = corpora.scores(texts, build_detector(besides).find, besides)
    for category in besides:
        score, (recall, precision) = scores[category], ASKED_FOR.get(category, (1.0, 0.0))
        assert score.recall >= recall and score.precision >= precision, category
        assert score.findings == score.right, category


def test_the_notebooks_employee_table_is_found() -> None:
    assert found(EMPLOYEES) == [
        ("EMAIL_ADDRESS", "slee@fictional-corp.com"),
        ("PHONE_NUMBER", "(555) 123-4567"),
        ("EMAIL_ADDRESS", "rpatel@imaginary-tech.net"),
        ("PHONE_NUMBER", "(555) 987-6543"),
        ("EMAIL_ADDRESS", "erodriguez@pretend-company.org"),
        ("PHONE_NUMBER", "(555) 246-8135"),
    ]


def test_the_notebook_as_published_holds_all_of_its_employees() -> None:
    if not NOTEBOOK.exists():
        pytest.skip(f"the published page is not at {NOTEBOOK}")
    assert set(found(EMPLOYEES)) <= set(found(NOTEBOOK.read_text(encoding="utf-8")))


def test_every_finding_reaches_the_threshold_and_names_presidios_recogniser() -> None:
    spans = build_detector().find("joe@example.com 4111111111111111 536-90-4399 (555) 123-4567 account 12345678")
    assert [s.recogniser for s in spans] == [
        "EmailRecognizer",
        "CreditCardRecognizer",
        "UsSsnRecognizer",
        "PhoneRecognizer",
        "UsBankRecognizer",
    ]
    assert all(s.score >= THRESHOLD for s in spans)


PARTS = [
    "joe@example.com",
    "(555) 123-4567",
    "4111 1111 1111 1111",
    "account 12345678",
    "ssn 536904398",
    "call ",
    "8S7-9O-6149",
    "833-64-209l",
]
FILLER = ["and then nothing happened for a long while. " * n for n in (1, 3, 8, 20)]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*PARTS, *FILLER, " ", ", "]), max_size=15))
def test_windows_change_nothing(parts: list[str]) -> None:
    text = "".join(parts)
    detector = build_detector()
    whole = detector.analyzer.analyze(text, language="en", entities=list(ENTITIES), score_threshold=THRESHOLD)
    windowed = detector.raw(fold(text))
    expected = {(r.start, r.end, r.entity_type, r.score) for r in whole if text[r.start] != "@"}
    assert {(s.start, s.end, s.entity_type, s.score) for s in windowed} == expected


def test_the_detector_works_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the detector opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    detector = Detector(new_analyzer(), [Addresses(), Identifiers(list(KINDS))])
    assert len(detector.find("joe@example.co.jp, (555) 123-4567, 10.0.0.1, ab123456c")) == 4
