"""What a caller reads when a guardrail stepped in: a JSON document inside a JSON string.

Source: api-contract.md 3.4. Clients look for the substrings `pii_detection":true` and
`invalid_keywords":true` in the error's text, so the inner document is compact and stays a string.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from processors.guardrails.base import Verdict

Side = Literal["input", "output"]
_ROLES: dict[Side, str] = {"input": "user", "output": "assistant"}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message of which the content has been masked."""

    role: str
    content: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens spent before the block: the provider's on the output side, and the judges' own."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """The report on one batch item; a check that did not run says null.

    `flagged`, `categories`, `category_scores` belong to the safety check alone.
    `invalid_keywords` is left out where no keywords are configured, as in live replies; likewise `invalid_topics`
    and `prompt_injection`.
    """

    flagged: bool = False
    categories: dict[str, bool] | None = None
    category_scores: dict[str, float] | None = None
    pii_detection: bool | None = None
    invalid_keywords: bool | msgspec.UnsetType = msgspec.UNSET
    invalid_topics: bool | msgspec.UnsetType = msgspec.UNSET
    prompt_injection: bool | msgspec.UnsetType = msgspec.UNSET
    anonymized_input: tuple[Message, ...] | None = None


def element(verdict: Verdict, messages: Sequence[Message] | None = None) -> Element:
    """Report on one item; `messages` are shown only when personal data was found in it."""
    keywords, topics, injection = verdict.invalid_keywords, verdict.invalid_topics, verdict.prompt_injection
    return Element(
        flagged=verdict.flagged,
        categories=verdict.categories,
        category_scores=verdict.category_scores,
        pii_detection=verdict.pii_detected,
        invalid_keywords=msgspec.UNSET if keywords is None else keywords,
        invalid_topics=msgspec.UNSET if topics is None else topics,
        prompt_injection=msgspec.UNSET if injection is None else injection,
        anonymized_input=tuple(messages) if messages and verdict.pii_detected else None,
    )


def block_message(
    verdicts: Sequence[Verdict],
    *,
    side: Side,
    messages: Sequence[Sequence[Message]] | None = None,
    usage: Usage | None = None,
) -> str:
    """Return the inner JSON, to be put as a string into the outer body's `message`.

    `verdicts`: one for each batch item (a chat request is one item), blocked or not.
    `messages`: for each item its masked messages; None makes one message of each masked text,
    by the user (input) or the assistant (output).
    """
    if messages is None:
        role = _ROLES[side]
        messages = [[Message(role=role, content=t) for t in v.masked] for v in verdicts]
    inner: dict[str, Any] = {
        "usage": usage or Usage(),
        f"{side}_guardrail": [element(v, m) for v, m in zip(verdicts, messages, strict=True)],
        "finishReason": f"{side}_guardrail_triggered",
    }
    return msgspec.json.encode(inner).decode()
