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
        """Find numbers; those without delimiters only after a word such as `ssn`."""
        found = []
        for match in _SSN.finditer(text):
            score = _DELIMITED if match["delimited"] else _WEAK
            if score == _WEAK and not has_context(text, match.start(), self.context):
                continue
            if not self.invalidate_result(match[0]):
                found.append(result(self, "US_SSN", match.span(), score))
        return found


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
