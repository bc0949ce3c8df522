"""Phone numbers: the US shape, the international shape, and what libphonenumber knows.

Presidio's recogniser asks libphonenumber alone, which refuses `(555) 123-4567` (no such area
code) and reads 10-digit ids as phones. Here a written shape suffices, bare digits need a word.
"""

import re
from collections.abc import Iterator

import phonenumbers
from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import PhoneRecognizer as PresidioPhone

from processors.guardrails.context import has_context
from processors.guardrails.pii_results import result

ENTITY = "PHONE_NUMBER"
_REGION = "US"
_WRITTEN = 0.4
_BARE = 0.3
_MOST_DIGITS = 17  # a longer run of digits and separators is no phone but a table

_NANP = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][.\-])(?=("
    r"(?:(?:\+|00)?1[ .\-]?)?(?:\([0-9]{3}\)[ \-.]?|[0-9]{3}[ .\-])"
    r"[0-9]{3}[ .\-]?[0-9]{4}(?: ?(?:[xX]|[eE]xt\.?) ?[0-9]{1,5})?(?![0-9])(?![.\-][0-9])"
    r"))"
)
_PLUS = re.compile(r"(?<![0-9A-Za-z])\+[1-9](?:[ .\-()]{0,2}[0-9]){7,14}(?![0-9])")
_RUN = re.compile(r"(?<![0-9A-Za-z])[+(]{0,2}[0-9](?:[ .\-()/]{0,3}[0-9]){6,}")
_BARE_DIGITS = re.compile(r"(?<![0-9A-Za-z])(?<![0-9][.\-])1?[2-9][0-9]{9}(?![0-9A-Za-z])(?![.\-][0-9])")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![0-9.]){_OCTET}(?:\.{_OCTET}){{3}}(?![0-9]|\.[0-9])")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-/.][01]?[0-9][-/.][0-3]?[0-9](?![0-9])")
_OF_A_YEAR = re.compile(r"(?:19|20)[0-9]{2}[-/][0-9]{6,8}")  # `2024-000123`: invoices, cases

Bounds = tuple[int, int]


class PhoneRecognizer(PresidioPhone):  # type: ignore[misc]
    """Presidio's phone recogniser for the US, by shape first."""

    def __init__(self) -> None:
        super().__init__(supported_regions=(_REGION,))

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Find phones; bare digits score lower and are reported only after a word."""
        written = [*_nanp(text), *(match.span() for match in _PLUS.finditer(text))]
        written += self._known(text, written)
        bare = [
            match.span()
            for match in _BARE_DIGITS.finditer(text)
            if has_context(text, match.start(), self.context) and _valid(match[0])
        ]
        return [result(self, ENTITY, span, _WRITTEN) for span in written] + [
            result(self, ENTITY, span, _BARE) for span in bare
        ]

    def _known(self, text: str, written: list[Bounds]) -> Iterator[Bounds]:
        """Ask libphonenumber about the runs in which no shape was found."""
        taken = sorted(written)
        place = 0
        for run in _RUN.finditer(text):
            while place < len(taken) and taken[place][1] <= run.start():
                place += 1
            if place < len(taken) and taken[place][0] < run.end():
                continue
            if _may_be_phone(text, run):
                yield from self._matches(run)

    def _matches(self, run: re.Match[str]) -> Iterator[Bounds]:
        for match in phonenumbers.PhoneNumberMatcher(run[0], _REGION, leniency=self.leniency):
            if not match.raw_string.isdigit():
                yield run.start() + match.start, run.start() + match.end


def _nanp(text: str) -> Iterator[Bounds]:
    """Yield the US shapes from left to right, without those inside an earlier one."""
    last = 0
    for match in _NANP.finditer(text):
        if match.end(1) > last:
            last = match.end(1)
            yield match.span(1)


def _may_be_phone(text: str, run: re.Match[str]) -> bool:
    digits = sum(map(str.isdigit, run[0]))
    if not (7 if "+" in run[0] else 10) <= digits <= _MOST_DIGITS or run[0].isdigit():
        return False
    if _OF_A_YEAR.fullmatch(run[0]):
        return False
    around = text[max(0, run.start() - 4) : run.end() + 4]
    return not _IPV4.search(around) and not _DATE.search(run[0])


def _valid(digits: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(digits, _REGION))
