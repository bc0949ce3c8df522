import warnings
from typing import get_args

import pytest

from contract.guardrails import Category
from processors.guardrails.mask import masked
from processors.guardrails.pii import build_detector
from tests.processors.guardrails import corpora


def test_each_span_is_replaced_once_and_the_rest_stays() -> None:
    text = "mail joe@example.com, ssn 536-90-4399!"
    assert masked(text, build_detector().find(text)) == "mail <EMAIL_ADDRESS>, ssn <US_SSN>!"


def test_a_text_without_spans_is_returned_as_it_is() -> None:
    assert masked("nothing", []) == "nothing"


def test_invisible_characters_around_an_entity_stay_and_those_inside_go() -> None:
    text = "\u200bjoe\u200b@example.com\u200b!"
    assert masked(text, build_detector().find(text)) == "\u200b<EMAIL_ADDRESS>\u200b!"


@pytest.mark.parametrize("name", ["shipped", "presidio_research", "pii_anon_adversarial"])
def test_masking_a_masked_text_changes_nothing(name: str) -> None:
    for detector in (build_detector(), build_detector(get_args(Category))):
        for one in _texts(name):
            once = masked(one.text, detector.find(one.text))
            assert masked(once, detector.find(once)) == once


@pytest.mark.parametrize("name", ["shipped", "presidio_research"])
def test_placeholders_are_those_of_presidios_anonymizer(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from presidio_anonymizer import AnonymizerEngine
        from presidio_anonymizer.entities import RecognizerResult
    engine = AnonymizerEngine()
    for one in _texts(name):
        spans = build_detector().find(one.text)
        theirs = [RecognizerResult(s.entity_type, s.start, s.end, s.score) for s in spans]
        assert masked(one.text, spans) == engine.anonymize(one.text, theirs).text


def _texts(name: str) -> list[corpora.Labelled]:
    texts: list[corpora.Labelled] | None = getattr(corpora, name)()
    if texts is None:
        pytest.skip(f"the public corpus is not at {corpora.PUBLIC}")
    return texts
