"""Llama Guard behind a chat completions API, whose server's template turns the conversation into the guard's prompt."""

import re
from collections.abc import Mapping, Sequence

from processors.guardrails.safety import chat, taxonomy
from processors.guardrails.safety.base import Ask, Fault, Judgement, Model, Wire
from processors.payload.turns import Conversation

# `safe`, or `unsafe` and on the next line the codes.
_ANSWER = re.compile(r"\s*(?:safe|unsafe(?:\s+(S\d{1,2}(?:\s*,\s*S\d{1,2})*))?)\s*", re.IGNORECASE | re.ASCII)
MOST_TOKENS = 64  # enough for all fourteen codes: a list that breaks off is no verdict


def asks(model: Model, window: Conversation) -> Sequence[Ask]:
    """One call: the guard judges the last turn."""
    messages = [{"role": turn.role, "content": turn.text} for turn in window]
    return (chat.ask(model, messages, max_tokens=MOST_TOKENS, logprobs=True, top_logprobs=5),)


def wire(codes: Mapping[str, str]) -> Wire:
    """The guard with this taxonomy."""

    def read(asked: Ask, answer: bytes) -> Judgement | Fault:
        said = chat.said(answer)
        return said if isinstance(said, Fault) else _judged(said, codes)

    return Wire(asks, read)


def _judged(said: chat.Said, codes: Mapping[str, str]) -> Judgement | Fault:
    form = _ANSWER.fullmatch(said.text)
    if form is None or said.broken_off:
        return Fault(why="its answer has not the form of a verdict")
    named = re.findall(r"S\d+", (form[1] or "").upper())
    if not set(named) <= codes.keys():
        return Fault(why="its answer names a category that its kind does not have")
    found = [codes[code] for code in named]
    score = said.probability("unsafe")
    prompt, total = said.tokens
    return Judgement(
        flagged=said.text.strip().lower().startswith("unsafe"),
        categories=taxonomy.flags(codes, found),
        scores=None if score is None or not found else dict.fromkeys(found, score),
        prompt_tokens=prompt,
        total_tokens=total,
    )
