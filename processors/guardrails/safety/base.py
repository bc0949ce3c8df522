"""The words of the judges: where one is asked, with what, and what it may come to."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from processors.guardrails.safety.windows import Cut
from processors.payload.turns import Conversation


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that judges. `url`: what its paths are appended to; `kind`: a row of the registry, or `topics`."""

    url: str
    name: str
    kind: str
    key: str = ""

    @property
    def version(self) -> str:
        """Which judge it is, for the event log."""
        return f"{self.kind}:{self.name}"

    def __repr__(self) -> str:
        return f"Model(url={self.url!r}, name={self.name!r}, kind={self.kind!r})"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One POST to a judge, relative to its base URL. `policy`: what it is about, where a guard has a call for each."""

    path: str
    body: bytes
    policy: str = ""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A judge's verdict. `categories`: all of its taxonomy, if it has one; `scores`: 0..1, of those it gave one for.

    Tokens are the judge's own: its prompt's, and all.
    """

    flagged: bool
    categories: dict[str, bool] = {}
    scores: dict[str, float] | None = None
    prompt_tokens: int = 0
    total_tokens: int = 0


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """No verdict, and why. `too_long`: more text than is judged, which no setting lets through."""

    why: str
    too_long: bool = False


class Wire(NamedTuple):
    """How a kind of judge is spoken to: a window of a conversation -> calls; an answer -> its verdict.

    `cut`: what one request may bring, and how texts that are judged on their own are cut.
    """

    asks: Callable[[Model, Conversation], Sequence[Ask]]
    read: Callable[[Ask, bytes], "Judgement | Fault"]
    cut: Cut = Cut()


def together(verdicts: Sequence[Judgement | Fault]) -> Judgement | Fault:
    """The verdict over several windows or policies: one that flags decides, else one that failed does."""
    judged = [verdict for verdict in verdicts if isinstance(verdict, Judgement)]
    faults = [verdict for verdict in verdicts if isinstance(verdict, Fault)]
    flagged = any(verdict.flagged for verdict in judged)
    if faults and not flagged:
        return faults[0]
    categories: dict[str, bool] = {}
    scores: dict[str, float] = {}
    for verdict in judged:
        for name, found in verdict.categories.items():
            categories[name] = categories.get(name, False) or found
        for name, score in (verdict.scores or {}).items():
            scores[name] = max(scores.get(name, 0.0), score)
    return Judgement(
        flagged=flagged,
        categories=categories,
        scores=scores or None,
        prompt_tokens=sum(verdict.prompt_tokens for verdict in judged),
        total_tokens=sum(verdict.total_tokens for verdict in judged),
    )
