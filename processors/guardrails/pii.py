"""The PII detector: Presidio's analyzer without a language model, on folded windows."""

import re
from functools import lru_cache

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from processors.guardrails.base import Span
from processors.guardrails.context import PrefixContextEnhancer
from processors.guardrails.fold import Folded, fold, is_glued_script
from processors.guardrails.overlap import resolve
from processors.guardrails.pii_card import CreditCardRecognizer
from processors.guardrails.pii_email import EmailRecognizer
from processors.guardrails.pii_numbers import UsBankRecognizer, UsSsnRecognizer
from processors.guardrails.pii_phone import PhoneRecognizer
from processors.guardrails.pii_windows import Windows, cut_windows, worth_folding

THRESHOLD = 0.4
ENTITIES = ("CREDIT_CARD", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_BANK_NUMBER", "US_SSN")
GLUED_LOCAL_LIMIT = 21  # a local part has 64 octets, such a letter three in UTF-8
_LANGUAGE = "en"
_GLUED_LOCAL = re.compile(rf"[\w.+\-]{{1,{GLUED_LOCAL_LIMIT}}}\Z")


class Detector:
    """Finds the five US categories in a text; holds no state between calls."""

    def __init__(self, analyzer: AnalyzerEngine) -> None:
        self._analyzer = analyzer

    def find(self, text: str) -> list[Span]:
        """Return the entities of a text, not overlapping, in order."""
        if not worth_folding(text):
            return []
        folded = fold(text)
        return [_in_original(s, folded) for s in resolve(self.raw(folded), folded.shadow)]

    def raw(self, folded: Folded) -> list[Span]:
        """Return all findings, overlapping ones too, counted in `folded.visible`."""
        windows = cut_windows(folded.shadow)
        if windows is None:
            return []
        found = self._analyzer.analyze(
            windows.joined,
            language=_LANGUAGE,
            entities=list(ENTITIES),
            score_threshold=THRESHOLD,
        )
        spans = (_in_visible(one, windows, folded) for one in found)
        return [span for span in spans if span is not None]


def glued_local_start(visible: str, start: int) -> int:
    """Where a local part begins that goes on to the left of `start` without a space.

    `start` itself when no letter of such a script stands before it.
    """
    if start == 0 or not is_glued_script(visible[start - 1]):
        return start
    return local_letters_start(visible, start)


def local_letters_start(visible: str, end: int) -> int:
    """Where the letters begin, 21 at most, that could be a local part ending at `end`."""
    match = _GLUED_LOCAL.search(visible[max(0, end - GLUED_LOCAL_LIMIT) : end])
    return end - len(match[0]) if match else end


@lru_cache(maxsize=1)
def build_detector() -> Detector:
    """Build the process's detector; takes a tenth of a second, reads no model, no network."""
    nlp = NoOpNlpEngine(models=[{"lang_code": _LANGUAGE, "model_name": "none"}])
    nlp.load()
    recognizers = [
        CreditCardRecognizer(),
        EmailRecognizer(),
        PhoneRecognizer(),
        UsBankRecognizer(),
        UsSsnRecognizer(),
    ]
    analyzer = AnalyzerEngine(
        registry=RecognizerRegistry(recognizers=recognizers, supported_languages=[_LANGUAGE]),
        nlp_engine=nlp,
        supported_languages=[_LANGUAGE],
        context_aware_enhancer=PrefixContextEnhancer(),
    )
    return Detector(analyzer)


def warm_up() -> None:
    """Build the detector and run it once; call before the first request, and before a fork."""
    build_detector().find("mail joe@example.com, call (555) 123-4567, card 4111 1111 1111 1111")


def _in_visible(one: RecognizerResult, windows: Windows, folded: Folded) -> Span | None:
    start = windows.in_shadow(one.start)
    end = start + one.end - one.start
    first = folded.shadow[start]
    if one.entity_type == "EMAIL_ADDRESS" and (first.isdigit() or first in "@%"):
        start, sign = glued_local_start(folded.visible, start), start
        if start == sign and not first.isdigit():
            return None
    name = one.recognition_metadata[RecognizerResult.RECOGNIZER_NAME_KEY]
    return Span(start=start, end=end, entity_type=one.entity_type, score=one.score, recogniser=name)


def _in_original(span: Span, folded: Folded) -> Span:
    if folded.kept is None:
        return span
    return Span(
        start=folded.start_in_original(span.start),
        end=folded.end_in_original(span.end),
        entity_type=span.entity_type,
        score=span.score,
        recogniser=span.recogniser,
    )
