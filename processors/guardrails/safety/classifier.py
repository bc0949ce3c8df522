"""Classifiers of prompt injection, such as Prompt Guard 2: a text in, the probability of a label out.

`classify` is the form of vLLM, SGLang and Dynamo, `predict` the one of Text Embeddings Inference.
"""

from collections.abc import Sequence

import msgspec

from processors.guardrails.safety.base import Ask, Fault, Judgement, Model, Wire
from processors.guardrails.safety.windows import Cut
from processors.payload.turns import Conversation

SCORE = "prompt_injection"
THRESHOLD = 0.5
CUT = Cut(size=500, overlap=150, most=1_024, in_bytes=True)  # such a model reads 512 tokens, its own marks included
BENIGN = frozenset({"benign", "safe", "legit", "label_0"})
MALICIOUS = frozenset({"malicious", "injection", "jailbreak", "label_1", "label_2"})
ROUNDING = 0.001  # of probabilities in half precision


class _Usage(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int = 0
    total_tokens: int = 0


class _Class(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    probs: tuple[float, ...]


class _Classified(msgspec.Struct, frozen=True, kw_only=True):
    data: tuple[_Class, ...]
    usage: _Usage | None = None


class _Prediction(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    score: float


def _classify(model: Model, window: Conversation) -> Sequence[Ask]:
    body = {"model": model.name, "input": window[-1].text}
    return (Ask(path="/classify", body=msgspec.json.encode(body)),)


def _classified(asked: Ask, answer: bytes) -> Judgement | Fault:
    try:
        read = msgspec.json.decode(answer, type=_Classified)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Fault(why="its answer is no classification")
    if len(read.data) != 1 or len(read.data[0].probs) < 2:
        return Fault(why="its answer is not about one text and two classes")
    (one,) = read.data
    return _judged([_Prediction(label=one.label, score=max(one.probs))], read.usage or _Usage())


def _predict(model: Model, window: Conversation) -> Sequence[Ask]:
    body = {"inputs": window[-1].text, "truncate": False}
    return (Ask(path="/predict", body=msgspec.json.encode(body)),)


def _predicted(asked: Ask, answer: bytes) -> Judgement | Fault:
    try:
        read = msgspec.json.decode(answer, type=tuple[_Prediction, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Fault(why="its answer is no prediction")
    return _judged(read, _Usage())


def _judged(found: Sequence[_Prediction], used: _Usage) -> Judgement | Fault:
    """The verdict by labels and their probabilities: all of them, or the likeliest alone."""
    classes = {one.label.lower(): one.score for one in found}
    if not classes or not classes.keys() <= BENIGN | MALICIOUS:
        return Fault(why="its answer has a label that is neither benign nor malicious")
    if not all(-ROUNDING <= score <= 1 + ROUNDING for score in classes.values()):
        return Fault(why="its answer has a score that is no probability")
    benign = [score for label, score in classes.items() if label in BENIGN]
    score = 1 - max(benign) if benign else sum(classes.values())
    likeliest = max(classes, key=lambda label: classes[label])
    return Judgement(
        flagged=likeliest in MALICIOUS or score >= THRESHOLD,
        scores={SCORE: min(1.0, max(0.0, score))},
        prompt_tokens=used.prompt_tokens,
        total_tokens=used.total_tokens,
    )


CLASSIFY = Wire(_classify, _classified, CUT)
PREDICT = Wire(_predict, _predicted, CUT)
