"""Numbers of states and banks besides the US ones: passports, national identifiers, IBANs. Each is asked for.

Presidio's recognisers judge (their forms, check digits and words), but they are shown only what has the right shape
at the border of a word: one pass over the text is enough for all, and none takes quadratic time, as IN_PAN's patterns.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from presidio_analyzer import PatternRecognizer, predefined_recognizers
from presidio_analyzer.predefined_recognizers.generic.iban_patterns import regex_per_country

from processors.guardrails.base import Span
from processors.guardrails.context import FACTOR, FLOOR, Announcement, words_before
from processors.guardrails.pii_shapes import BORDER_BEFORE, beginning, whole

_CERTAIN = 1.0
_REACH = 60  # an IBAN has 34 characters, eight blanks and a border


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How one category is written.

    `recogniser`: Presidio's class. `words`: what announces it; None: Presidio's own words.
    `sure`: its check is worth more than one digit, so that mere digits that pass it need no word before them.
    `careful`: needs its word always, for Presidio is sure of too much.
    """

    recogniser: str
    shapes: tuple[str, ...]
    words: tuple[str, ...] | None = None
    sure: bool = False
    careful: bool = False


def _iban(length: int) -> str:
    groups, rest = divmod(length - 4, 4)
    return "[A-Z]{2}[0-9]{2}" + r"[ \-]?[A-Z0-9]{4}" * groups + (rf"[ \-]?[A-Z0-9]{{{rest}}}" if rest else "")


_IBAN = tuple(map(_iban, range(15, 33)))
_TWO_LETTERS_SEVEN_DIGITS = "[A-Z]{2}[0-9]{7}"
_MACHINE_READ = "[A-Z][0-9A-Z]{7}[0-9]"

KINDS: Mapping[str, Kind] = {
    "IBAN_CODE": Kind(recogniser="IbanRecognizer", shapes=_IBAN),
    "US_ITIN": Kind(recogniser="UsItinRecognizer", shapes=("9[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{4}",)),
    "UK_NHS": Kind(recogniser="NhsRecognizer", shapes=("[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}",)),
    "UK_NINO": Kind(recogniser="UkNinoRecognizer", shapes=("[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",)),
    "ES_NIF": Kind(recogniser="EsNifRecognizer", shapes=("[0-9]?[0-9]{7}-?[A-Z]",)),
    "ES_NIE": Kind(recogniser="EsNieRecognizer", shapes=("[XYZ][0-9]?[0-9]{7}-?[A-Z]",)),
    "IT_FISCAL_CODE": Kind(
        recogniser="ItFiscalCodeRecognizer",
        shapes=("[A-Z]{6}[0-9A-Z]{2}[A-Z][0-9A-Z]{2}[A-Z][0-9A-Z]{3}[A-Z]",),
    ),
    "IT_IDENTITY_CARD": Kind(
        recogniser="ItIdentityCardRecognizer",
        shapes=("[A-Z]{2} ?[0-9]{7}", "[0-9]{7}[A-Z]{2}", "[A-Z]{2}[0-9]{5}[A-Z]{2}"),
    ),
    "DE_ID_CARD": Kind(recogniser="DeIdCardRecognizer", shapes=(_MACHINE_READ,), careful=True),
    "DE_SOCIAL_SECURITY": Kind(recogniser="DeSocialSecurityRecognizer", shapes=("[0-9]{8}[A-Z][0-9]{3}",)),
    "DE_TAX_ID": Kind(recogniser="DeTaxIdRecognizer", shapes=("[1-9][0-9]{10}",)),
    "PL_PESEL": Kind(recogniser="PlPeselRecognizer", shapes=("[0-9]{11}",), sure=True),
    "FI_PERSONAL_IDENTITY_CODE": Kind(
        recogniser="FiPersonalIdentityCodeRecognizer", shapes=(r"[0-9]{6}[\-+A-FU-Y][0-9]{3}[0-9A-Y]",)
    ),
    "SE_PERSONNUMMER": Kind(
        recogniser="SePersonnummerRecognizer",
        shapes=(r"[0-9]{6}[\-+]?[0-9]{4}", r"[0-9]{8}[\-+]?[0-9]{4}"),
        sure=True,
    ),
    "CA_SIN": Kind(recogniser="CaSinRecognizer", shapes=("[1-9][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3}",)),
    "AU_TFN": Kind(recogniser="AuTfnRecognizer", shapes=("[0-9]{3} ?[0-9]{3} ?[0-9]{3}",)),
    "AU_MEDICARE": Kind(recogniser="AuMedicareRecognizer", shapes=("[2-6][0-9]{3} ?[0-9]{5} ?[0-9]",)),
    "IN_PAN": Kind(recogniser="InPanRecognizer", shapes=("[A-Z]{5}[0-9]{4}[A-Z]",)),
    "IN_AADHAAR": Kind(recogniser="InAadhaarRecognizer", shapes=("[0-9]{4}[ :-]?[0-9]{4}[ :-]?[0-9]{4}",)),
    "KR_RRN": Kind(recogniser="KrRrnRecognizer", shapes=("[0-9]{6}-?[0-9]{7}",), sure=True),
    "KR_FRN": Kind(recogniser="KrFrnRecognizer", shapes=("[0-9]{6}-?[0-9]{7}",)),
    "SG_NRIC_FIN": Kind(recogniser="SgFinRecognizer", shapes=("[A-Z][0-9]{7}[A-Z]",)),
    "TH_TNIN": Kind(recogniser="ThTninRecognizer", shapes=("[1-9][0-9]{12}",)),
    "TR_NATIONAL_ID": Kind(recogniser="TrNationalIdRecognizer", shapes=("[1-9][0-9]{10}",), sure=True),
    "NG_NIN": Kind(recogniser="NgNinRecognizer", shapes=("[0-9]{11}",)),
    "ZA_ID_NUMBER": Kind(recogniser="ZaIdNumberRecognizer", shapes=("[0-9]{13}",), sure=True),
    "US_PASSPORT": Kind(  # Presidio's `us` is in too many words
        recogniser="UsPassportRecognizer", shapes=("[A-Z][0-9]{8}", "[0-9]{9}"), words=("passport", "travel document")
    ),
    "UK_PASSPORT": Kind(recogniser="UkPassportRecognizer", shapes=(_TWO_LETTERS_SEVEN_DIGITS,)),
    "DE_PASSPORT": Kind(recogniser="DePassportRecognizer", shapes=(_MACHINE_READ,), careful=True),
    "ES_PASSPORT": Kind(recogniser="EsPassportRecognizer", shapes=("[A-Z]{3}[0-9]{6}",)),
    "IT_PASSPORT": Kind(recogniser="ItPassportRecognizer", shapes=(_TWO_LETTERS_SEVEN_DIGITS,)),
    "IN_PASSPORT": Kind(recogniser="InPassportRecognizer", shapes=("[A-Z][1-9][0-9] ?[0-9]{4}[1-9]",)),
    "KR_PASSPORT": Kind(recogniser="KrPassportRecognizer", shapes=("[MSROD][0-9]{3}[0-9A-Z][0-9]{4}",)),
    "PH_PASSPORT": Kind(recogniser="PhPassportRecognizer", shapes=("[A-Z][0-9]{7}[A-Z]", _TWO_LETTERS_SEVEN_DIGITS)),
    "ZA_PASSPORT": Kind(recogniser="ZaPassportRecognizer", shapes=("[ADMT][0-9]{8}",), careful=True),
}


class Identifiers:
    """Finds the asked-for categories of `KINDS` in a shadow; holds no state between calls."""

    # Where one may begin: all have a digit soon, most in their first word.
    _START = re.compile(rf"{BORDER_BEFORE}(?:[A-Za-z]{{2}} (?=[0-9])|[A-Za-z]{{0,15}}[0-9])")
    # The same where the text ends early; this is only to try the costly pattern at fewer places.
    _MAYBE = re.compile(rf"{_START.pattern}|{BORDER_BEFORE}[A-Za-z]{{1,16}}[ .\-]?\Z")

    def __init__(self, categories: Sequence[str]) -> None:
        self._known = [_Known(category, KINDS[category]) for category in categories]
        shapes = list(dict.fromkeys(shape for category in categories for shape in KINDS[category].shapes))
        self._any = re.compile("|".join(map(whole, shapes)), re.IGNORECASE)
        longest = [shape for shape in shapes if shape not in _IBAN[:-1]]  # it begins as all of them do
        self._beginning = re.compile(f"{BORDER_BEFORE}(?:{'|'.join(map(beginning, longest))})", re.IGNORECASE)

    def find(self, shadow: str, since: int = 0) -> Iterator[Span]:
        """Yield what begins at `since` or later, overlapping findings too, counted in the shadow."""
        for begin in self._START.finditer(shadow, since):
            if self._any.match(shadow, begin.start()):
                near: str | None = None
                for known in self._known:
                    for end in known.ends(shadow, begin.start()):
                        near = words_before(shadow, begin.start()) if near is None else near
                        span = known.judged(shadow, begin.start(), end, near)
                        if span is not None:
                            yield span

    def undecided(self, shadow: str) -> int:
        """Where the part begins that could become one with the next characters; the length when there is none."""
        near = self._MAYBE.search(shadow, max(0, len(shadow) - _REACH))
        match = self._beginning.search(shadow, near.start()) if near else None
        return match.start() if match else len(shadow)


class _Known:
    """One category with Presidio's recogniser for it."""

    def __init__(self, category: str, kind: Kind) -> None:
        self._category = category
        self._kind = kind
        self._recogniser: PatternRecognizer = getattr(predefined_recognizers, kind.recogniser)()
        self._shapes = [re.compile(whole(shape), re.IGNORECASE) for shape in kind.shapes]
        flags = self._recogniser.global_regex_flags & re.IGNORECASE
        self._patterns = [(re.compile(one.regex, flags), one.score) for one in self._recogniser.patterns]
        self._announcement = Announcement(self._recogniser.context if kind.words is None else kind.words)

    def ends(self, shadow: str, start: int) -> Iterator[int]:
        """Where the shapes end that begin at `start`."""
        for shape in self._shapes:
            match = shape.match(shadow, start)
            if match:
                yield match.end()

    def judged(self, shadow: str, start: int, end: int, near: str) -> Span | None:
        """The finding, when Presidio's recogniser and our rule about words agree to it."""
        text = shadow[start:end]
        text = text.upper() if self._category == "IBAN_CODE" else text  # Presidio's has capitals only
        score = max((score for pattern, score in self._patterns if pattern.fullmatch(text)), default=0.0)
        announced = bool(score) and self._announcement.is_in(near)
        if not score or not (announced or self._may_stand_alone(shadow, start, end)):
            return None
        score = self._checked(text, score)
        score = min(_CERTAIN, max(score + FACTOR, FLOOR)) if announced and score else score
        if score < FLOOR or (not announced and text.isdigit() and score < _CERTAIN):
            return None
        return Span(
            start=start,
            end=end,
            entity_type=self._category,
            score=score,
            recogniser=self._recogniser.name,
            announced=announced,
        )

    def _may_stand_alone(self, shadow: str, start: int, end: int) -> bool:
        """Whether no word is needed: not for mere digits, which one in ten passes, nor for a part of a table."""
        text = shadow[start:end]
        if self._kind.careful or self._kind.sure or not text.replace(" ", "").isdigit():
            return not self._kind.careful
        among_numbers = _DIGIT_BEFORE.search(shadow[max(0, start - 2) : start]) or _DIGIT_AFTER.match(shadow, end)
        return " " in text and not _THOUSANDS.fullmatch(text) and not among_numbers

    def _checked(self, text: str, score: float) -> float:
        """The score after Presidio's check of the digits; 0 when they are wrong."""
        if self._category == "IBAN_CODE" and not _has_its_countrys_length(text):
            return 0.0
        if self._recogniser.invalidate_result(text) or _ALL_THE_SAME.fullmatch(text):
            return 0.0
        valid = self._recogniser.validate_result(text)
        return score if valid is None else _CERTAIN if valid else 0.0


_THOUSANDS = re.compile(r"[0-9]{1,3}(?: [0-9]{3})+")
_DIGIT_BEFORE = re.compile(r"[0-9] \Z")
_DIGIT_AFTER = re.compile(r" [0-9]")
_ALL_THE_SAME = re.compile(r"([0-9])(?:[ -]?\1)*")
_UNITS = re.compile(r"\[[^\]]+\](?:\[ \]\?)?(?:\)?\{(\d+)\})?(?:\[ \]\?)?")


def iban_length(country: str) -> int | None:
    """How many characters the country's IBANs have; None for a country that has none.

    >>> iban_length("DE"), iban_length("NO"), iban_length("US")
    (22, 15, None)
    """
    form = regex_per_country.get(country)
    return None if form is None else 2 + sum(int(unit[1] or 1) for unit in _UNITS.finditer(form[4:]))


_LENGTHS = {country: iban_length(country) for country in regex_per_country}


def _has_its_countrys_length(text: str) -> bool:
    return _LENGTHS.get(text[:2]) == sum(map(str.isalnum, text))
