import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from processors.guardrails import pii
from processors.guardrails.base import Rules, Verdict
from processors.guardrails.check import apply, needs_pool

PII = "write to joe@example.com"
MASKED = "write to <EMAIL_ADDRESS>"
WORD = ("SuperSecretProject",)


def test_nothing_configured_passes_and_says_nothing() -> None:
    verdict = apply([PII], Rules())
    assert verdict == Verdict(outcome="passed", spans=((),), masked=(PII,))


def test_clean_texts_pass_and_the_bits_say_they_were_checked() -> None:
    verdict = apply(["hello", ""], Rules(pii="BLOCK", keywords=WORD))
    assert (verdict.outcome, verdict.pii_detected, verdict.invalid_keywords) == ("passed", False, False)
    assert verdict.masked == ("hello", "")


def test_mask_masks_each_text_and_block_blocks_with_the_masked_texts_at_hand() -> None:
    assert apply(["hi", PII], Rules(pii="MASK")).outcome == "masked"
    verdict = apply(["hi", PII], Rules(pii="BLOCK"))
    assert verdict.outcome == "blocked"
    assert verdict.masked == ("hi", MASKED)
    assert [len(spans) for spans in verdict.spans] == [0, 1]


def test_a_keyword_blocks_even_where_personal_data_would_be_masked_and_the_log_stays_clean() -> None:
    verdict = apply(["about supersecretproject", PII], Rules(pii="MASK", keywords=("x y", *WORD)))
    assert (verdict.outcome, verdict.invalid_keywords, verdict.keyword) == ("blocked", True, 1)
    assert verdict.masked[1] == MASKED


def test_texts_of_3_kb_together_want_the_pool_and_half_as_much_with_categories() -> None:
    few, many = ["a" * 1500, "b" * 1500], ["a" * 1600, "b" * 1600]
    rules, more = Rules(pii="MASK"), Rules(pii="MASK", categories=("IBAN_CODE",))
    assert (needs_pool(few, rules), needs_pool(many, rules)) == (False, True)
    assert (needs_pool(few[:1], more), needs_pool(few, more)) == (False, True)


def test_check_and_verdict_cross_a_process_border() -> None:
    rules = Rules(pii="MASK", keywords=WORD)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=pii.warm_up) as pool:
        assert pool.submit(apply, [PII], rules).result(timeout=60) == apply([PII], rules)


def test_rules_and_verdicts_are_values() -> None:
    verdict = apply([PII], Rules(pii="MASK"))
    assert pickle.loads(pickle.dumps(verdict)) == verdict
    assert hash(Rules(pii="MASK", keywords=WORD)) == hash(Rules(pii="MASK", keywords=WORD))


def test_the_words_of_the_stage_can_be_imported_without_presidio() -> None:
    program = "import sys; from processors.guardrails import base, envelope; print('presidio_analyzer' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
