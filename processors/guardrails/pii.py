"""The PII detector: Presidio's analyzer without a language model, on folded windows."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Protocol

import msgspec
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from processors.guardrails.base import Span
from processors.guardrails.context import PrefixContextEnhancer
from processors.guardrails.fold import Folded, fold, is_glued_script
from processors.guardrails.overlap import resolve
from processors.guardrails.pii_card import CreditCardRecognizer
from processors.guardrails.pii_email import EmailRecognizer
from processors.guardrails.pii_identifiers import Identifiers
from processors.guardrails.pii_ip import ENTITY as IP_ADDRESS
from processors.guardrails.pii_ip import Addresses
from processors.guardrails.pii_numbers import UsBankRecognizer, UsSsnRecognizer
from processors.guardrails.pii_phone import PhoneRecognizer
from processors.guardrails.pii_windows import Windows, cut_windows, worth_folding

THRESHOLD = 0.4
ENTITIES = ("CREDIT_CARD", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_BANK_NUMBER", "US_SSN")
GLUED_LOCAL_LIMIT = 21  # a local part has 64 octets, such a letter three in UTF-8
_LANGUAGE = "en"
_LONGEST_BESIDES = 160  # twice the longest address of a machine
_GLUED_LOCAL = re.compile(rf"[\w.+\-]{{1,{GLUED_LOCAL_LIMIT}}}\Z")


class Finder(Protocol):
    """Finds categories that are asked for, in a whole shadow."""

    def find(self, shadow: str, since: int = 0) -> Iterator[Span]:
        """Yield findings that begin at `since` or later, overlapping ones too."""

    def undecided(self, shadow: str) -> int:
        """Where the part begins that could become a finding with the next characters."""


class Detector:
    """Finds the five US categories in a text, and what is asked for besides; holds no state between calls."""

    def __init__(self, analyzer: AnalyzerEngine, besides: Sequence[Finder] = ()) -> None:
        self.analyzer = analyzer
        self._besides = tuple(besides)

    def find(self, text: str) -> list[Span]:
        """Return the entities of a text, not overlapping, in order."""
        if not worth_folding(text):
            return []
        folded = fold(text)
        return [_in_original(s, folded) for s in resolve(self.raw(folded), folded.shadow)]

    def raw(self, folded: Folded, since: int = 0) -> list[Span]:
        """Return all findings that end behind `since`, overlapping ones too, counted in `folded.visible`."""
        begun = max(0, since - _LONGEST_BESIDES)
        besides = chain.from_iterable(one.find(folded.shadow, begun) for one in self._besides)
        return [span for span in chain(self._american(folded), besides) if span.end > since]

    def undecided(self, folded: Folded) -> int:
        """Where the part begins that could become an asked-for category with the next characters."""
        return min((one.undecided(folded.shadow) for one in self._besides), default=len(folded.shadow))

    def _american(self, folded: Folded) -> list[Span]:
        windows = cut_windows(folded.shadow)
        if windows is None:
            return []
        found = self.analyzer.analyze(
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


def build_detector(categories: tuple[str, ...] = ()) -> Detector:
    """Build the process's detector once; takes a tenth of a second, reads no model, no network.

    `categories`: looked for besides the five, by the names of `contract.guardrails.Category`.
    """
    return _with(_american_detector(), categories) if categories else _american_detector()


@lru_cache(maxsize=1)
def _american_detector() -> Detector:
    return Detector(new_analyzer())


@lru_cache(maxsize=64)
def _with(american: Detector, categories: tuple[str, ...]) -> Detector:
    besides: list[Finder] = [Addresses()] if IP_ADDRESS in categories else []
    numbers = [category for category in categories if category != IP_ADDRESS]
    if numbers:
        besides.append(Identifiers(numbers))
    return Detector(american.analyzer, besides)


def new_analyzer() -> AnalyzerEngine:
    """Presidio's engine with our recognisers."""
    nlp = NoOpNlpEngine(models=[{"lang_code": _LANGUAGE, "model_name": "none"}])
    nlp.load()
    recognizers = [
        CreditCardRecognizer(),
        EmailRecognizer(),
        PhoneRecognizer(),
        UsBankRecognizer(),
        UsSsnRecognizer(),
    ]
    return AnalyzerEngine(
        registry=RecognizerRegistry(recognizers=recognizers, supported_languages=[_LANGUAGE]),
        nlp_engine=nlp,
        supported_languages=[_LANGUAGE],
        context_aware_enhancer=PrefixContextEnhancer(),
    )


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
    return msgspec.structs.replace(
        span, start=folded.start_in_original(span.start), end=folded.end_in_original(span.end)
    )
