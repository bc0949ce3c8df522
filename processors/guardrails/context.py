"""Words before a number that tell what the number is, without a language model."""

import re
from collections.abc import Iterable, Sequence
from typing import get_args

from presidio_analyzer import ContextAwareEnhancer, EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from contract.guardrails import Category
from processors.guardrails.fold import fold

LOOK_BACK = 120  # characters
WORDS_BACK = 5
FACTOR = 0.35
FLOOR = 0.4
US_CATEGORIES = ("CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER", "US_BANK_NUMBER")

_SHORT = 4  # letters: a shorter word is no sign where it is a part of another one
_MASKS = (*US_CATEGORIES, *get_args(Category))
_WORD = re.compile(r"[a-z]+")
# A mask is no context: else masking a masked text could find more. The mask may be cut off.
_AFTER_MASK = re.compile(
    rf".*(?:<(?:{'|'.join(_MASKS)})|^[A-Z_]{{1,{max(map(len, _MASKS))}}})>",
    re.DOTALL,
)
_STOP_WORDS = frozenset(
    re.findall(
        "[a-z]+",
        "my the is a an of for to in on at and or with this that it are was be your our his her "
        "their as by from please i you he she we they me no",
    )
)


def has_context(shadow: str, start: int, context: Iterable[str]) -> bool:
    """True when one of the last five words before `start` contains a word of `context`.

    Looks at 120 characters and never behind the number: a stream has not got them yet.

    >>> has_context("my bank account is 12345678", 19, ["account"])
    True
    """
    near = words_before(shadow, start)
    return any(word.strip() in near for word in context)


def words_before(shadow: str, start: int) -> str:
    """The last five words before `start`, in lower case, a blank between them.

    >>> words_before("The Passport number of my wife: 1", 32)
    'passport number wife'
    """
    before = shadow[max(0, start - LOOK_BACK) : start]
    if ">" in before and (mask := _AFTER_MASK.match(before)):
        before = before[mask.end() :]
    return " ".join(_words(before)[-WORDS_BACK:])


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]


class Announcement:
    """The words that announce a category: short ones count alone, longer ones inside others too."""

    def __init__(self, phrases: Iterable[str]) -> None:
        words = {" ".join(_words(fold(phrase).shadow)) for phrase in phrases} - {""}
        parts = [rf"\b{word}\b" if len(word) <= _SHORT else word for word in sorted(words)]
        self._pattern = re.compile("|".join(parts))

    def is_in(self, near: str) -> bool:
        """Whether one of them is among words from `words_before`.

        >>> nhs = Announcement(["nhs", "health authority"])
        >>> nhs.is_in("nhs number"), nhs.is_in("bnhs"), nhs.is_in("health authority id")
        (True, False, True)
        """
        return self._pattern.search(near) is not None


class PrefixContextEnhancer(ContextAwareEnhancer):  # type: ignore[misc]
    """Presidio's hook for context; costs O(results), Presidio's own one O(results x tokens)."""

    def __init__(self) -> None:
        super().__init__(
            context_similarity_factor=FACTOR,
            min_score_with_context_similarity=FLOOR,
            context_prefix_count=WORDS_BACK,
            context_suffix_count=0,
        )

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        """Raise the score of results whose recogniser's words stand before them."""
        words: dict[str, Sequence[str]] = {r.id: r.context for r in recognizers}
        for result in raw_results:
            own = words[result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]]
            if result.score < self.MAX_SCORE and has_context(text, result.start, own):
                result.score = min(self.MAX_SCORE, max(result.score + FACTOR, FLOOR))
        return raw_results
