"""US social security and bank account numbers: Presidio's rules, found in one linear pass.

A number that needs a word before it is reported only with that word: every report that stays
below the threshold would cost as much as the whole search.
"""

import re

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import UsBankRecognizer as PresidioUsBank
from presidio_analyzer.predefined_recognizers import UsSsnRecognizer as PresidioUsSsn

from processors.guardrails.context import has_context
from processors.guardrails.pii_results import result

_WEAK = 0.05
_DELIMITED = 0.5
_SSN = re.compile(
    r"\b(?:(?P<delimited>[0-9]{3}[- .][0-9]{2}[- .][0-9]{4})"
    r"|[0-9]{5}-[0-9]{4}|[0-9]{3}-[0-9]{6}|[0-9]{9})\b",
    re.ASCII,
)
LIKE_DIGIT = "0-9OoQDIilZzASsGbTBgq"
_READ_AS = str.maketrans("OoQDIilZzASsGbTBgq", "000011122455667899")
# A number read from paper: `8S7-9O-6149`. What stands in a longer run of such groups is a code.
_LIKE_SSN = re.compile(
    r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z][\-.])"
    rf"(?=[{LIKE_DIGIT}]{{3}}([\-.])[{LIKE_DIGIT}]{{2}}\1[{LIKE_DIGIT}]{{4}}(?![0-9A-Za-z_])(?![\-.][0-9A-Za-z]))"
    r".{11}",
    re.DOTALL,
)
_GROUPS = (slice(0, 3), slice(4, 6), slice(7, 11))
_FEWEST_DIGITS = 6  # of nine, and one in each group
_MOST_ALONE = 2  # letters without a word before them, and only those that part numbers leave out
_NEVER_IN_CODES = frozenset("OoIil")
_BANK = re.compile(r"\b[0-9]{8,17}\b", re.ASCII)


class UsSsnRecognizer(PresidioUsSsn):  # type: ignore[misc]
    """Presidio's patterns and its refusals (placeholders, areas never issued)."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Find numbers; those without delimiters only after a word such as `ssn`, most of those with letters too."""
        found = []
        for match in _SSN.finditer(text):
            score = _DELIMITED if match["delimited"] else _WEAK
            if score == _WEAK and not has_context(text, match.start(), self.context):
                continue
            if not self.invalidate_result(match[0]):
                found.append(result(self, "US_SSN", match.span(), score))
        return found + [
            result(self, "US_SSN", match.span(), _DELIMITED)
            for match in _LIKE_SSN.finditer(text)
            if self._is_misread(text, match)
        ]

    def _is_misread(self, text: str, match: re.Match[str]) -> bool:
        """Whether letters stand for some digits of an SSN; those of part numbers only after a word."""
        letters = [character for character in match[0] if character.isalpha()]
        if not letters or len(letters) > 9 - _FEWEST_DIGITS:
            return False
        if not all(any(map(str.isdigit, match[0][group])) for group in _GROUPS):
            return False
        alone = len(letters) <= _MOST_ALONE and _NEVER_IN_CODES.issuperset(letters)
        if not alone and not has_context(text, match.start(), self.context):
            return False
        return not self.invalidate_result(match[0].translate(_READ_AS))


class UsBankRecognizer(PresidioUsBank):  # type: ignore[misc]
    """8 to 17 digits, only after a word such as `account`."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,
        regex_flags: int | None = None,
    ) -> list[RecognizerResult]:
        """Find account numbers that a word announces."""
        return [
            result(self, "US_BANK_NUMBER", match.span(), _WEAK)
            for match in _BANK.finditer(text)
            if has_context(text, match.start(), self.context)
        ]
