import msgspec
import pytest

from processors.guardrails.safety.base import Ask, Fault, Judgement, Model
from processors.guardrails.safety.moderations import WIRE
from processors.guardrails.safety.taxonomy import OPENAI, VENDOR
from processors.payload.turns import Turn

MODEL = Model(url="http://guard/v1", name="omni-moderation-latest", kind="openai-moderations")
ASK = Ask(path="/moderations", body=b"")


def read(flagged: bool, categories: dict[str, bool], scores: dict[str, float] | None = None) -> Judgement:
    result = {"flagged": flagged, "categories": categories, "category_scores": scores or {}}
    verdict = WIRE.read(ASK, msgspec.json.encode({"id": "1", "model": "m", "results": [result]}))
    assert isinstance(verdict, Judgement)
    return verdict


def test_the_last_turn_is_what_is_moderated() -> None:
    (ask,) = WIRE.asks(MODEL, (Turn(role="user", text="a"), Turn(role="assistant", text="b")))
    assert (ask.path, msgspec.json.decode(ask.body)) == ("/moderations", {"model": MODEL.name, "input": "b"})


@pytest.mark.parametrize("name", OPENAI)
def test_every_category_has_the_vendors_nearest_key(name: str) -> None:
    verdict = read(True, {other: other == name for other in OPENAI})
    assert {key for key, hit in verdict.categories.items() if hit} == {OPENAI[name]}
    assert tuple(verdict.categories)[:11] == VENDOR


def test_of_two_scores_for_one_key_the_higher_counts() -> None:
    verdict = read(False, {}, {"hate": 0.1, "hate/threatening": 0.3, "violence": 0.2})
    assert verdict.scores == {"hate": 0.3, "violent-crimes": 0.2}
    assert not verdict.flagged


def test_a_category_that_is_new_is_a_key_of_its_own() -> None:
    assert read(True, {"fraud/identity_theft": True}).categories["fraud-identity-theft"]


BROKEN = [
    b"",
    b"{}",
    b'{"results":[]}',
    b'{"results":[{"flagged":"no","categories":{}}]}',
    b'{"results":[{}]}',
    b"\xff",
]


@pytest.mark.parametrize("answer", BROKEN)
def test_anything_else_is_no_verdict(answer: bytes) -> None:
    assert isinstance(WIRE.read(ASK, answer), Fault)
