from processors.guardrails.safety.base import Ask, Judgement
from processors.guardrails.safety.known import Known

ONE, TWO, THREE = (Ask(path="/classify", body=body) for body in (b"1", b"2", b"3"))


def test_a_verdict_is_known_by_its_question_and_has_cost_nothing() -> None:
    known = Known()
    known.put(ONE, Judgement(flagged=True, scores={"prompt_injection": 0.9}, prompt_tokens=7, total_tokens=9))
    assert known.get(ONE) == Judgement(flagged=True, scores={"prompt_injection": 0.9})
    assert known.get(TWO) is None


def test_the_verdict_unused_for_longest_is_forgotten() -> None:
    known = Known(most=2)
    known.put(ONE, Judgement(flagged=False))
    known.put(TWO, Judgement(flagged=True))
    known.get(ONE)
    known.put(THREE, Judgement(flagged=False))
    assert [known.get(ask) is not None for ask in (ONE, TWO, THREE)] == [True, False, True]


def test_who_may_remember_nothing_knows_nothing() -> None:
    known = Known(most=0)
    known.put(ONE, Judgement(flagged=False))
    assert known.get(ONE) is None
