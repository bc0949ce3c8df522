import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.guardrails.pii_card import CreditCardRecognizer

RECOGNISER = CreditCardRecognizer()


def cards(text: str) -> list[str]:
    return [text[r.start : r.end] for r in RECOGNISER.analyze(text, ["CREDIT_CARD"])]


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4222222222222",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
        "6759649826438453",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111 1111\n1111 1111",
        "3782 822463 10005",
    ],
)
def test_issuers_and_groupings_in_use_are_cards(number: str) -> None:
    assert cards(f"pay {number}, please") == [number]


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111112",
        "9111111111111111",
        "0000000000000000",
        "41 11 11 11 11 11 11 11",
        "4111111111111111.5",
        "14111111111111111111111",
        "1700000000123",
    ],
)
def test_wrong_check_digit_issuer_grouping_or_surroundings_are_no_card(number: str) -> None:
    assert cards(number) == []


def test_numbers_around_a_card_do_not_hide_it() -> None:
    assert cards("12 4111 1111 1111 1111 123") == ["4111 1111 1111 1111"]


def luhn_holds(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2
        total += digit if place % 2 == 0 else doubled // 10 + doubled % 10
    return total % 10 == 0


@given(st.integers(10**14, 10**15 - 1).map(lambda rest: f"4{rest}"))
def test_exactly_the_numbers_with_a_right_check_digit_are_visa_cards(digits: str) -> None:
    assert (cards(digits) == [digits]) == luhn_holds(digits)
