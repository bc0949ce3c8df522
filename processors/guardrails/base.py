"""The words of the guardrail stage: what is asked for, what was found, what follows."""

from typing import Literal

import msgspec

RULES_VERSION = "2"  # of what the checks find: the next one with every change of that, for findings are kept
Behavior = Literal["NONE", "BLOCK", "MASK"]  # the vendor's strings
Outcome = Literal["passed", "blocked", "masked"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The guardrails of one side (input or output) of one endpoint; hashable.

    `categories`: personal data looked for besides the five US categories, by Presidio's names.
    `whole_words`: a keyword does not count inside a longer word.
    """

    pii: Behavior = "NONE"
    keywords: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    whole_words: bool = False

    @property
    def idle(self) -> bool:
        """True when nothing is configured, so no text needs to be looked at."""
        return self.pii == "NONE" and not self.keywords


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One found entity; `start` and `end` count characters of the text as it was given.

    `announced`: a word before it says what it is; told for the categories that are asked for.
    """

    start: int
    end: int
    entity_type: str
    score: float
    recogniser: str
    announced: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks of some texts came to.

    `pii_detected`, `invalid_keywords`: None when that check was not configured.
    `spans`, `masked`: one entry per text, in order; both hold the text's own value when
    personal data is not checked. `masked` is filled on a block too: it is what may be logged.
    `keyword`: index of the first hit in `Rules.keywords`; the word itself goes to nobody.
    `flagged`, `categories`, `category_scores`: the guard model's. `invalid_topics`, `prompt_injection`: their judges';
    None: not asked. `judge_tokens`: what the judges used, their prompts' tokens and all.
    """

    outcome: Outcome
    pii_detected: bool | None = None
    invalid_keywords: bool | None = None
    keyword: int | None = None
    spans: tuple[tuple[Span, ...], ...] = ()
    masked: tuple[str, ...] = ()
    flagged: bool = False
    categories: dict[str, bool] | None = None
    category_scores: dict[str, float] | None = None
    invalid_topics: bool | None = None
    prompt_injection: bool | None = None
    judge_tokens: tuple[int, int] = (0, 0)


PASSED = Verdict(outcome="passed")
