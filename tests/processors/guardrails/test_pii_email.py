import pytest

from processors.guardrails.pii import build_detector


def emails(text: str) -> list[str]:
    found = build_detector().find(text)
    return [text[s.start : s.end] for s in found if s.entity_type == "EMAIL_ADDRESS"]


@pytest.mark.parametrize(
    "address",
    [
        "joe@example.com",
        "a@b.co.uk",
        "first.last+tag@mail.example.org",
        "o'neill_99%x@sub-domain.example.museum",
        "joe%40example.com",
        "joe@xn--bcher-kva.de",
        "l" * 64 + "@example.com",
    ],
)
def test_addresses_with_a_public_suffix_are_found_as_written(address: str) -> None:
    assert emails(f"<{address}>, ") == [address]


@pytest.mark.parametrize("text", ["joe@localhost", "joe@example.nosuchsuffix", "@example.com", "a @ b.com", "x@.com"])
def test_without_local_part_domain_or_known_suffix_it_is_no_address(text: str) -> None:
    assert emails(text) == []


def test_of_a_long_local_part_at_most_64_characters_belong_to_the_address() -> None:
    assert emails("l" * 100 + "@example.com") == ["l" * 64 + "@example.com"]


def test_a_sentence_that_follows_without_a_blank_does_not_hide_an_address() -> None:
    assert emails("joe@example.com.Then") == ["joe@example.com"]


def test_japanese_around_an_address_is_not_part_of_it() -> None:
    assert emails("メールslee@example.comです") == ["slee@example.com"]


def test_a_local_part_in_a_script_without_spaces_belongs_to_the_address() -> None:
    assert emails("宛先、山田太郎@example.jpです") == ["山田太郎@example.jp"]
    assert emails("宛先、田中123@example.jpです") == ["田中123@example.jp"]
    assert emails("あ" * 50 + "@example.jp") == ["あ" * 21 + "@example.jp"]


def test_invisible_characters_inside_an_address_are_covered() -> None:
    assert emails("to jo\u200be@exa\u00admple.com now") == ["jo\u200be@exa\u00admple.com"]
