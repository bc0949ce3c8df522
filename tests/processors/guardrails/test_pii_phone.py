import pytest

from processors.guardrails.pii import build_detector


def phones(text: str) -> list[str]:
    found = build_detector().find(text)
    return [text[s.start : s.end] for s in found if s.entity_type == "PHONE_NUMBER"]


@pytest.mark.parametrize(
    "number",
    [
        "(555) 123-4567",
        "555-123-4567",
        "555.123.4567",
        "555 123 4567",
        "(555)123-4567",
        "+1 (234) 817-8325",
        "1-800-555-0199",
        "001-212-555-0146",
        "212-555-0147x123",
        "212-555-0148 ext. 4567",
        "+44 20 7946 0958",
        "+4420794609",
        "212/555-2368",
    ],
)
def test_written_forms_are_phones_without_any_word(number: str) -> None:
    assert phones(f"Ann, {number}; room 2") == [number]


def test_bare_digits_need_a_word_before_them_and_a_real_area_code() -> None:
    assert phones("call 2125552368 now") == ["2125552368"]
    assert phones("invoice 2125552368 of May") == []
    assert phones("call 5551234567 now") == []


@pytest.mark.parametrize(
    "text",
    [
        "192.168.100.200",
        "2024-01-15 2024-02-15",
        "INV-2024-000123",
        "1700000000",
        "1700000000123",
        "123e4567-e89b-12d3-a456-426614174000",
        "3.14159265358979",
        "12 34 56 78 90 12 34 56 78 90",
        "555-123-4567-8",
        "2.555-123-4567",
    ],
)
def test_addresses_dates_times_and_tables_are_no_phones(text: str) -> None:
    assert phones(text) == []


def test_each_phone_of_a_list_is_found() -> None:
    assert phones("(555) 123-4567 (555) 987-6543\n212-555-0142") == [
        "(555) 123-4567",
        "(555) 987-6543",
        "212-555-0142",
    ]
