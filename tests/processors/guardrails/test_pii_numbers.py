import pytest

from processors.guardrails.pii import build_detector


def found(text: str) -> list[tuple[str, str]]:
    return [(s.entity_type, text[s.start : s.end]) for s in build_detector().find(text)]


@pytest.mark.parametrize("number", ["536-90-4399", "536 90 4399", "536.90.4399", "912-78-1234"])
def test_a_delimited_ssn_needs_no_word(number: str) -> None:
    assert found(f"form: {number}.") == [("US_SSN", number)]


@pytest.mark.parametrize("number", ["536904398", "53690-4398", "536-904398"])
def test_other_ways_to_write_an_ssn_need_a_word(number: str) -> None:
    assert found(f"ssn {number}") == [("US_SSN", number)]
    assert found(f"form {number}") == []


@pytest.mark.parametrize(
    "number", ["123-45-6789", "078-05-1120", "000-12-3456", "666-12-3456", "536-00-4399", "111-11-1111", "536-90 4399"]
)
def test_placeholders_and_numbers_never_issued_are_no_ssn(number: str) -> None:
    assert found(f"ssn {number}") == []


def test_a_bank_number_needs_a_word() -> None:
    assert found("account 12345678") == [("US_BANK_NUMBER", "12345678")]
    assert found("order 12345678") == []
    assert found("account 1234567") == []
    assert found("account 123456789012345678") == []


@pytest.mark.parametrize(
    "number", ["8S7-9O-6149", "833-64-209l", "9B6-8S-97l3", "BS2-89-l190", "73O.S9.8088", "54O–31–1078", "G36-2T-6Z23"]
)
def test_letters_may_stand_for_three_digits_of_an_announced_ssn(number: str) -> None:
    assert found(f"Patient X, SSN {number}, Phone") == [("US_SSN", number)]


@pytest.mark.parametrize("number", ["833-64-209l", "54O-31-1O78", "I65-92-5507"])
def test_without_a_word_only_letters_that_part_numbers_avoid_stand_for_digits(number: str) -> None:
    assert found(f"form: {number}.") == [("US_SSN", number)]


@pytest.mark.parametrize(
    "code",
    [
        "B52-10-4000",  # a part number
        "100-20-300B",
        "S60-95-5799",
        "54O-3I-1O78",  # too many letters without a word
        "54O-31-1078-22",  # longer codes
        "AB-54O-31-1078",
        "7-54O-31-1078",
        "x54O-31-1078",
        "54O-31-1078x",
        "54O-31.1078",
        "54O 31 1078",
        "l23-45-6789",  # the sample number
        "66b-12-3456",
    ],
)
def test_ordinary_codes_and_sample_numbers_are_no_misread_ssn(code: str) -> None:
    assert found(f"item {code} in stock") == []


@pytest.mark.parametrize(
    "code", ["OIl-OI-1234", "SOS-12-BOOT", "8S7-9O-6I4g", "6G6-12-3456", "l23-45-6789", "big-so-3456"]
)
def test_mostly_letters_and_numbers_never_issued_are_no_ssn_after_the_word_either(code: str) -> None:
    assert found(f"ssn {code}") == []
