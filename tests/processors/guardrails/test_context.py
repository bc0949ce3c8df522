from processors.guardrails.context import Announcement, has_context, words_before

BANK = ["account", "bank"]


def has(text: str) -> bool:
    return has_context(text, text.index("1"), BANK)


def test_a_word_among_the_last_five_counts() -> None:
    assert has("account 1")
    assert has("Bank one two three four 1")
    assert not has("bank one two three four five 1")


def test_stop_words_do_not_count() -> None:
    assert has("the account of my friend is with you at 1")


def test_a_word_may_be_part_of_a_longer_one() -> None:
    assert has("bankaccount: 1") and has("my accounts 1")


def test_words_behind_the_number_or_too_far_before_it_do_not_count() -> None:
    assert not has("1 account")
    assert not has("account" + " " * 120 + "1")


def test_a_mask_is_no_context_and_ends_it() -> None:
    assert not has("<US_BANK_NUMBER> 1")
    assert not has("account <PHONE_NUMBER> 1")
    assert not has("<US_BANK_NUMBER>" + "-" * 113 + "1")
    assert has("<PHONE_NUMBER> account 1")
    assert has("<account>1</account>")
    assert not has_context("<US_PASSPORT> 1", 14, ["passport"])


def test_short_words_announce_alone_and_longer_ones_inside_others() -> None:
    words = Announcement(["fin", "nric#", "Número de pasaporte", "여권"])
    assert words.is_in(words_before("the FIN is 1", 11)) and words.is_in(words_before("nric: 1", 6))
    assert not words.is_in(words_before("finance 1", 8))
    assert words.is_in(words_before("numero de pasaportes 1", 21))
