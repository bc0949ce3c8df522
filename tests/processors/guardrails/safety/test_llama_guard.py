import math
from typing import Any

import msgspec
import pytest

from processors.guardrails.safety import taxonomy
from processors.guardrails.safety.base import Fault, Judgement, Model
from processors.guardrails.safety.registry import WIRES
from processors.payload.turns import Turn
from tests.support.guard import completion, first_token

SAID = (Turn(role="user", text="How do I?"), Turn(role="assistant", text="Like this."))


def guard(number: int) -> Model:
    return Model(url="http://guard/v1", name="guard", kind=f"llama-guard-{number}", key="sk-guard")


def read(number: int, text: str, logprobs: Any = None) -> Judgement | Fault:
    model = guard(number)
    wire = WIRES[model.kind]
    return wire.read(wire.asks(model, SAID)[0], msgspec.json.encode(completion(text, logprobs)))


def found(number: int, text: str) -> set[str]:
    verdict = read(number, text)
    assert isinstance(verdict, Judgement), verdict
    return {name for name, hit in verdict.categories.items() if hit}


def test_the_conversation_is_sent_as_it_is_and_no_chance_is_taken() -> None:
    (ask,) = WIRES["llama-guard-3"].asks(guard(3), SAID)
    assert ask.path == "/chat/completions"
    body = msgspec.json.decode(ask.body)
    assert body["messages"] == [
        {"role": "user", "content": "How do I?"},
        {"role": "assistant", "content": "Like this."},
    ]
    assert (body["model"], body["temperature"], body["logprobs"], body["top_logprobs"]) == ("guard", 0, True, 5)


@pytest.mark.parametrize("code", range(1, 12))
def test_every_category_of_the_second_has_the_vendors_key(code: int) -> None:
    assert found(2, f"unsafe\nS{code}") == {taxonomy.VENDOR[code - 1]}


NEWER = [
    "violent-crimes", "non-violent-crimes", "sex-crimes", "child-exploitation", "defamation", "specialized-advice",
    "privacy", "intellectual-property", "indiscriminate-weapons", "hate", "self-harm", "sexual-content", "elections",
    "code-interpreter-abuse",
]  # fmt: skip


@pytest.mark.parametrize("number", [3, 4])
@pytest.mark.parametrize("code", range(1, 15))
def test_the_third_and_the_fourth_number_their_categories_anew(number: int, code: int) -> None:
    assert found(number, f"unsafe\nS{code}") == {NEWER[code - 1]}


@pytest.mark.parametrize("number", [2, 3, 4])
def test_all_categories_of_the_vendor_are_always_there(number: int) -> None:
    verdict = read(number, "safe")
    assert isinstance(verdict, Judgement)
    assert tuple(verdict.categories)[:11] == taxonomy.VENDOR
    assert (verdict.flagged, any(verdict.categories.values())) == (False, False)
    assert (verdict.prompt_tokens, verdict.total_tokens) == (196, 201)


@pytest.mark.parametrize(
    "text", ["unsafe\nS2,S9", "\n\nunsafe\nS2, S9\n", "UNSAFE\ns2,s9", "unsafe S9,S2", "\n \nUnsafe\n\ns2 ,s9"]
)
def test_forms_a_guard_is_seen_to_answer_in(text: str) -> None:
    assert found(2, text) == {"non-violent-crimes", "hate"}


def test_unsafe_without_a_category_is_unsafe() -> None:
    verdict = read(2, "unsafe")
    assert isinstance(verdict, Judgement) and verdict.flagged


GARBAGE = [
    "", "yes", "safe\nS1", "unsafe\nS2 S9", "unsafe\nS2,", "unsafe\nS123", "safe.", "not safe", "safe unsafe",
    "The message is safe", "unsafe\n2", "unsafes", "unsafe\nS12", "unsafe\nS0",
    "saf", "unsaf", "unsafe\nS", "unsafe\n,S2", "unsafe, S2", "ſafe", "unsafe\nS２", "safe\nunsafe\nS2", "safe\n\nsafe",
]  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE)
def test_anything_else_is_no_verdict(text: str) -> None:
    assert isinstance(read(2, text), Fault)


@pytest.mark.parametrize("text", ["unsafe\nS1", "safe"])
def test_an_answer_that_breaks_off_is_no_verdict(text: str) -> None:
    answer = completion(text)
    answer["choices"][0]["finish_reason"] = "length"
    wire = WIRES["llama-guard-3"]
    assert isinstance(wire.read(wire.asks(guard(3), SAID)[0], msgspec.json.encode(answer)), Fault)


BROKEN = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"choices":[]}',
    b"<html>",
    b'{"choices":[{"message":{"content":null}}]}',
    b"\xff",
]


@pytest.mark.parametrize("answer", BROKEN)
def test_no_answer_is_no_verdict(answer: bytes) -> None:
    wire = WIRES["llama-guard-2"]
    assert isinstance(wire.read(wire.asks(guard(2), SAID)[0], answer), Fault)


@pytest.mark.parametrize("tops", [[("unsafe", -0.1), ("safe", -2.4)], [(" un", -0.1), ("safe", -2.4)]])
def test_a_score_is_the_probability_of_unsafe_as_the_first_word(tops: list[tuple[str, float]]) -> None:
    verdict = read(2, "unsafe\nS9", first_token(*tops))
    assert isinstance(verdict, Judgement) and verdict.scores is not None
    assert list(verdict.scores) == ["hate"]
    assert verdict.scores["hate"] == pytest.approx(math.exp(-0.1))


def test_without_probabilities_there_is_no_score() -> None:
    verdict = read(2, "unsafe\nS9")
    assert isinstance(verdict, Judgement) and verdict.scores is None


def test_a_models_repr_hides_its_key() -> None:
    assert "sk-guard" not in repr(guard(2)) + str(guard(2))
