from typing import Any

import msgspec
import pytest

from processors.guardrails.safety.base import Fault, Judgement, Model, together
from processors.guardrails.safety.shield_gemma import POLICIES, WIRE
from processors.payload.turns import Turn
from tests.support.guard import completion, first_token

MODEL = Model(url="http://guard/v1", name="shieldgemma-2b", kind="shieldgemma")
TALK = (Turn(role="user", text="a"), Turn(role="assistant", text="b"), Turn(role="user", text="c"))
ASKS = {ask.policy: ask for ask in WIRE.asks(MODEL, TALK)}
KEYS = {
    "dangerous content": "dangerous-content",
    "harassment": "harassment",
    "hate speech": "hate",
    "sexually explicit": "sexual-content",
}


def read(policy: str, text: str, logprobs: Any = None) -> Judgement | Fault:
    return WIRE.read(ASKS[policy], msgspec.json.encode(completion(text, logprobs)))


def test_each_policy_is_a_call_with_its_guideline_about_the_last_turn() -> None:
    bodies = {policy: msgspec.json.decode(ask.body) for policy, ask in ASKS.items()}
    assert bodies.keys() == KEYS.keys() == POLICIES.keys()
    for policy, body in bodies.items():
        assert body["messages"] == [{"role": "user", "content": "c"}]
        assert body["chat_template_kwargs"] == {"guideline": POLICIES[policy]}


def test_an_answer_is_judged_after_what_it_answers() -> None:
    ask = WIRE.asks(MODEL, TALK[:2])[0]
    assert [message["role"] for message in msgspec.json.decode(ask.body)["messages"]] == ["user", "assistant"]


@pytest.mark.parametrize("policy", KEYS)
@pytest.mark.parametrize(("text", "flagged"), [("Yes", True), ("no", False), ("\nYes, because", True), ("No.", False)])
def test_yes_breaks_the_policy(policy: str, text: str, flagged: bool) -> None:
    verdict = read(policy, text)
    assert isinstance(verdict, Judgement)
    assert (verdict.flagged, verdict.categories[KEYS[policy]]) == (flagged, flagged)


@pytest.mark.parametrize("text", ["", "maybe", "Yesterday", "nothing", "unsafe"])
def test_anything_else_is_no_verdict(text: str) -> None:
    assert isinstance(read("harassment", text), Fault)


def test_where_there_are_probabilities_half_decides() -> None:
    verdict = read("harassment", "No", first_token(("No", -0.7), ("Yes", -0.6)))
    assert isinstance(verdict, Judgement) and verdict.flagged
    assert verdict.scores is not None and 0.5 < verdict.scores["harassment"] < 0.6


def test_policies_are_one_verdict_together() -> None:
    said = {policy: "Yes" if policy == "hate speech" else "No" for policy in KEYS}
    verdict = together([read(policy, text) for policy, text in said.items()])
    assert isinstance(verdict, Judgement)
    assert {key for key, hit in verdict.categories.items() if hit} == {"hate"}
    assert (verdict.prompt_tokens, verdict.total_tokens) == (4 * 196, 4 * 201)


def test_a_failed_policy_is_no_verdict_unless_another_is_broken() -> None:
    fault = Fault(why="x")
    assert together([read("harassment", "No"), fault]) == fault
    verdict = together([read("harassment", "Yes"), fault])
    assert isinstance(verdict, Judgement) and verdict.flagged
