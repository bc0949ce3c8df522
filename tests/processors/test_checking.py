from processors.checking import Checker
from processors.guardrails import check
from processors.guardrails.base import Rules


async def test_a_short_text_is_checked_at_once() -> None:
    checker = Checker()
    verdict = await checker.check(["to bob@example.com"], Rules(pii="MASK"))
    assert verdict.masked == ("to <EMAIL_ADDRESS>",)
    checker.stop()


async def test_a_long_text_is_checked_beside_the_loop_with_the_same_verdict() -> None:
    checker = Checker()
    texts, rules = ["to bob@example.com " + "word " * (check.POOL_CHARACTERS // 5)], Rules(pii="MASK")
    try:
        assert await checker.check(texts, rules) == check.apply(texts, rules)
    finally:
        checker.stop()
