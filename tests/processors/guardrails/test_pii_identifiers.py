from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.guardrails import Category
from processors.guardrails.base import Rules
from processors.guardrails.check import apply
from processors.guardrails.fold import fold
from processors.guardrails.pii import ENTITIES, build_detector
from processors.guardrails.pii_identifiers import KINDS, iban_length
from tests.processors.guardrails import corpora
from tests.processors.guardrails import identifiers as made

ALL = get_args(Category)

# category -> texts with the identifier in [[ ]]
FOUND = {
    "IBAN_CODE": [
        f"IBAN [[{made.iban('DE', '370400440532013000')}]]",
        f"pay to [[{made.in_fours(made.iban('DE', '370400440532013000'))}]] 2 days from today",
        f"[[{made.in_fours(made.iban('NO', '86011117947'))}]]",
        f"[[{made.iban('GB', 'NWBK60161331926819')}]].",
        f"in small letters [[{made.iban('FR', '20041010050500013M02606').lower()}]]",
        f"番号は[[{made.iban('CH', '00762011623852957')}]]です",
        f"[[{made.iban('MT', 'MALT011000012345MTLCAST001S')}]]",
        f"[[{made.iban('AT', '1904300234573201').replace('1904', '-1904')}]]",
    ],
    "US_ITIN": ["form: [[912-70-1234]]", "itin [[912701234]]", "tax id [[912 88 1234]]"],
    "UK_NHS": [
        f"NHS number [[{made.nhs('943476591')}]]",
        f"nhs: [[{made.spaced(made.nhs('401023213'), 3, 3, 4)}]]",
    ],
    "UK_NINO": ["insured as [[AB 12 34 56 C]].", "[[ab123456c]]"],
    "ES_NIF": [f"con [[{made.nif('12345678')}]]", f"[[{made.nif('87654321')[:8]}-{made.nif('87654321')[8]}]]"],
    "ES_NIE": [f"con [[{made.nie('X', '1234567')}]]", f"[[{made.nie('Z', '7654321').lower()}]]"],
    "IT_FISCAL_CODE": [f"[[{made.fiscal_code('RSSMRA85T10A562')}]]", f"cf [[{made.fiscal_code('VRDLGI76A41F20R')}]]"],
    "IT_IDENTITY_CARD": ["Carta d'identità [[AA 1234567]]", "carta [[CA12345AA]]", "documento [[1234567AB]]"],
    "DE_ID_CARD": [f"Personalausweis [[{made.machine_read('L01X00T4')}]]", "Ausweisnummer: [[T12345678]]"],
    "DE_SOCIAL_SECURITY": [f"versichert: [[{made.german_insurance('15070649C10')}]]"],
    "DE_TAX_ID": [f"Steuer-ID [[{made.german_tax('8609574271')}]]"],
    "PL_PESEL": [f"ur. [[{made.pesel('4405140135')}]]"],
    "FI_PERSONAL_IDENTITY_CODE": [
        f"[[{made.finnish('131052', '-', '308')}]]",
        f"[[{made.finnish('010203', 'A', '123')}]]",
    ],
    "SE_PERSONNUMMER": [f"[[811228-{made.luhn('811228987')[6:]}]]", f"personnummer [[{made.luhn('811228987')}]]"],
    "CA_SIN": [f"[[{made.in_threes(made.luhn('14645428'), '-')}]]", f"sin [[{made.luhn('14645428')}]]"],
    "AU_TFN": [f"TFN [[{made.tfn('12345678')}]]", f"tax file number [[{made.in_threes(made.tfn('12345678'), ' ')}]]"],
    "AU_MEDICARE": [
        f"Medicare card [[{made.medicare('21234567')}]]",
        f"medicare: [[{made.spaced(made.medicare('21234567'), 4, 5, 1)}]]",
    ],
    "IN_PAN": ["on [[ABCPD1234E]] now", "[[abcpd1234e]]"],
    "IN_AADHAAR": [f"Aadhaar [[{made.verhoeff('23412341234')}]]", f"[[{made.in_fours(made.verhoeff('23412341234'))}]]"],
    "KR_RRN": [f"[[900101-{made.korean('900101123456')[6:]}]]", f"[[{made.korean('900101123456')}]]"],
    "KR_FRN": ["[[900101-5234567]]", "frn [[9001015234567]]"],
    "SG_NRIC_FIN": ["holder [[S1234567D]]", "fin [[Q1234567D]]"],
    "TH_TNIN": [f"Thai national ID [[{made.thai('110170023070')}]]"],
    "TR_NATIONAL_ID": [f"[[{made.turkish('100000001')}]]"],
    "NG_NIN": [f"NIN: [[{made.verhoeff('2345678901')}]]"],
    "ZA_ID_NUMBER": [f"[[{made.luhn('800101500908')}]]"],
    "US_PASSPORT": ["Passport [[A12345678]]", "passport no. [[123456789]]"],
    "UK_PASSPORT": ["passport number [[AB1234567]]"],
    "DE_PASSPORT": [f"Reisepass [[{made.machine_read('C01X00T4')}]]"],
    "ES_PASSPORT": ["pasaporte [[ABC123456]]"],
    "IT_PASSPORT": ["passaporto [[YA1234567]]"],
    "IN_PASSPORT": ["passport: [[A12 34567]]", "Indian passport [[J8369854]]"],
    "KR_PASSPORT": ["passport [[M123A4567]]"],
    "PH_PASSPORT": ["passport [[P1234567A]]"],
    "ZA_PASSPORT": ["travel document [[A12345678]]"],
}  # fmt: skip

NOT_FOUND = {
    "IBAN_CODE": [
        "DE88370400440532013000",
        made.iban("DE", "37040044053201300"),  # right digits, wrong length
        made.iban("ZZ", "370400440532013000"),
        made.iban("DE", "370400440532013000") + "X",
        "X" + made.iban("DE", "370400440532013000"),
    ],
    "US_ITIN": ["912-49-1234", "812-70-1234", "912-70-12345", "0-912-70-1234"],
    "UK_NHS": ["nhs 9434765918", made.nhs("943476591"), "nhs 1" + made.nhs("943476591")],
    "UK_NINO": ["BG123456C", "AB123456E", "AB12345C", "AB123456CD", "at 12 34 56 of"],
    "ES_NIF": ["12345678A", "123456Z"],
    "ES_NIE": ["X1234567A", "A1234567L"],
    "IT_FISCAL_CODE": ["RSSMRA85T10A562A", "RSSMRA85T40A562S", "a" + made.fiscal_code("RSSMRA85T10A562")],
    "IT_IDENTITY_CARD": ["AA 1234567", "CA12345AA", "carta AA123456"],
    "DE_ID_CARD": [made.machine_read("L01X00T4"), "T12345678", "Personalausweis L01X00T47"],
    "DE_SOCIAL_SECURITY": ["15070649C104", "15990649C103"],
    "DE_TAX_ID": ["Steuer-ID 86095742718", made.german_tax("8609574271")],
    "PL_PESEL": ["44051401358", made.pesel("4499990135"), "3.44051401359"],
    "FI_PERSONAL_IDENTITY_CODE": ["131052-308U", "311152-308T"],
    "SE_PERSONNUMMER": ["811228-9873", "personnummer 811328-9874"],
    "CA_SIN": ["146-454-288", made.in_threes(made.luhn("14645428"), " "), made.luhn("14645428"), "sin 146454288"],
    "AU_TFN": ["123 456 783", made.in_threes(made.tfn("12345678"), " "), "tfn 000 000 000", "tfn 123456783"],
    "AU_MEDICARE": [made.medicare("21234567"), "medicare 2123456711", "medicare " + made.medicare("71234567")],
    "IN_PAN": ["ABCDD1234E", "ABCP1234E", "ABCPD12345"],
    "IN_AADHAAR": [
        made.in_fours(made.verhoeff("23412341234")) + " 1234",
        made.verhoeff("23412341234"),
        "aadhaar 234123412347",
        "aadhaar " + made.verhoeff("13412341234"),
    ],
    "KR_RRN": ["901301-1234568", "900101-7234568", "9001011234567"],
    "KR_FRN": ["901301-5234567", "9001015234567"],
    "SG_NRIC_FIN": ["A1234567D", "S123456D", "S12345678D"],
    "TH_TNIN": [made.thai("110170023070"), "Thai national ID 1101700230709"],
    "TR_NATIONAL_ID": ["10000000147", "20000000146"],
    "NG_NIN": [made.verhoeff("2345678901"), "nin 23456789011"],
    "ZA_ID_NUMBER": ["8001015009088", made.luhn("801301500908")],
    "US_PASSPORT": ["A12345678", "123456789", "the customer 123456789", "passport 1234567890"],
    "UK_PASSPORT": ["AB1234567", "passport ABC1234567"],
    "DE_PASSPORT": [made.machine_read("C01X00T4"), "Reisepass C01X00T42"],
    "ES_PASSPORT": ["ABC123456", "pasaporte AB123456"],
    "IT_PASSPORT": ["YA1234567", "compassaporto"],
    "IN_PASSPORT": ["A12 34567", "passport A02 34567"],
    "KR_PASSPORT": ["M123A4567", "passport X123A4567"],
    "PH_PASSPORT": ["P1234567A", "passport P123456A"],
    "ZA_PASSPORT": ["A12345678", "travel document B12345678"],
}  # fmt: skip


def found(text: str, *categories: str) -> list[tuple[str, str]]:
    return [(s.entity_type, text[s.start : s.end]) for s in build_detector(categories).find(text)]


def marked(source: str) -> tuple[str, str]:
    left, _, rest = source.partition("[[")
    inside, _, right = rest.partition("]]")
    return left + inside + right, inside


def test_every_category_has_a_recogniser_and_examples_of_both_kinds() -> None:
    assert set(KINDS) | {"IP_ADDRESS"} == set(ALL)
    assert FOUND.keys() == NOT_FOUND.keys() == KINDS.keys()


@pytest.mark.parametrize("category", FOUND)
def test_an_identifier_is_found_where_it_is_asked_for_and_nowhere_else(category: str) -> None:
    for source in FOUND[category]:
        text, identifier = marked(source)
        assert found(text, category) == [(category, identifier)], text
        assert category not in dict(found(text))


@pytest.mark.parametrize("category", NOT_FOUND)
def test_wrong_check_digits_shapes_and_places_are_not_found(category: str) -> None:
    for text in NOT_FOUND[category]:
        assert category not in dict(found(text, category)), text


@pytest.mark.parametrize("category", FOUND)
def test_an_identifier_is_masked_whatever_else_is_asked_for(category: str) -> None:
    for source in FOUND[category]:
        text, identifier = marked(source)
        masked = apply([text], Rules(pii="MASK", categories=ALL)).masked[0]
        assert identifier not in masked
        again = apply([masked], Rules(pii="MASK", categories=ALL))
        assert again.outcome == "passed"


def test_findings_name_presidios_recogniser_and_say_whether_a_word_announced_them() -> None:
    spans = build_detector(("UK_NINO",)).find("AB123456C, national insurance AB123456C")
    assert [(s.recogniser, s.announced, round(s.score, 2)) for s in spans] == [
        ("UkNinoRecognizer", False, 0.5),
        ("UkNinoRecognizer", True, 0.85),
    ]


def test_what_the_five_find_stays_found_whatever_is_asked_for_besides() -> None:
    everything = build_detector(ALL)
    for one in corpora.shipped():
        for span in build_detector().find(one.text):
            assert any(s.start <= span.start and span.end <= s.end for s in everything.find(one.text)), one.text


def test_the_five_are_what_is_found_when_nothing_is_asked_for() -> None:
    assert build_detector() is build_detector(())
    assert {s.entity_type for one in corpora.shipped() for s in build_detector().find(one.text)} == set(ENTITIES)


@pytest.mark.parametrize(
    ("country", "length"), [("NO", 15), ("BE", 16), ("GB", 22), ("FR", 27), ("BR", 29), ("MT", 31)]
)
def test_the_lengths_of_ibans_are_those_of_the_registry(country: str, length: int) -> None:
    assert iban_length(country) == length


PIECES = [marked(source)[1] for sources in FOUND.values() for source in sources]
TEXTS = st.lists(st.sampled_from([*PIECES, " ", "-", ".", "x", "7", "passport ", "nhs "]), max_size=8).map("".join)


@settings(max_examples=100)
@given(TEXTS)
def test_categories_asked_for_one_by_one_are_what_is_found_together(text: str) -> None:
    folded = fold(text)
    together = {(s.start, s.end, s.entity_type) for s in build_detector(ALL).raw(folded)}
    alone = {(s.start, s.end, s.entity_type) for category in ALL for s in build_detector((category,)).raw(folded)}
    assert together == alone
