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
