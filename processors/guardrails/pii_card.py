"""Payment card numbers: issuer and length, a customary grouping, and the check digit."""

import re
from collections.abc import Iterator

from presidio_analyzer import LocalRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from processors.guardrails.pii_results import result

ENTITY = "CREDIT_CARD"
_SEP = r"[ \-.\n\r]{1,2}"
# All starts are tried (the outer look-ahead consumes nothing), so that a number in front of a
# card does not swallow its first group. `rest` may be a longer card's end or a check code.
# Behind `GB90YNTU` stands the rest of an IBAN.
_SHAPE = re.compile(
    r"(?<![0-9])(?<![0-9][.,])(?<![A-Z]{2}[0-9]{2}[A-Z]{4})(?="
    r"(?P<plain>[0-9]{12,19})(?![0-9])(?!\.[0-9])"
    rf"|(?P<long>[0-9]{{4}}{_SEP}[0-9]{{6}}{_SEP}[0-9]{{4,5}})(?![0-9])(?!\.[0-9])"
    rf"|(?P<fours>[0-9]{{4}}(?:{_SEP}[0-9]{{4}}){{3}})(?![0-9])(?!\.[0-9])"
    rf"(?P<rest>{_SEP}[0-9]{{1,3}}(?![0-9])(?!\.[0-9]))?)"
)
_NOT_DIGIT = re.compile(r"[^0-9]+")
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|(?:6011|65\d\d|64[4-9]\d|62\d\d|60\d\d|81\d\d)\d{12}(?:\d{3})?"  # Discover, UnionPay
    r"|35\d{14}|(?:2131|1800)\d{11}"  # JCB
    r"|(?:50\d\d|5[6-8]\d\d|6\d{3})\d{8,15}"  # Maestro
    r"|1\d{14}",  # UATP
    re.ASCII,
)
_DOUBLED = str.maketrans("0123456789", "0246813579")  # 2d, less 9 when it has two digits


class CreditCardRecognizer(LocalRecognizer):  # type: ignore[misc]
    """A card is certain or it is nothing: the score is 1.0."""

    def __init__(self) -> None:
        super().__init__(supported_entities=[ENTITY])

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Find cards; of two cards with the same start the longer one."""
        found = []
        for shape in _SHAPE.finditer(text):
            for candidate in _candidates(shape):
                if _is_card(_NOT_DIGIT.sub("", candidate)):
                    span = (shape.start(), shape.start() + len(candidate))
                    found.append(result(self, ENTITY, span, 1.0))
                    break
        return found


def _candidates(shape: re.Match[str]) -> Iterator[str]:
    if shape["fours"] and shape["rest"]:
        yield shape["fours"] + shape["rest"]
    yield shape["plain"] or shape["long"] or shape["fours"]


def _is_card(digits: str) -> bool:
    if not _ISSUERS.fullmatch(digits) or digits == digits[0] * len(digits):
        return False
    checked = digits[-1::-2] + digits[-2::-2].translate(_DOUBLED)
    return sum(map(int, checked)) % 10 == 0
