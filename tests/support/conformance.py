"""What each guardrail does on each surface: the grid that the real stack is held to, and its page.

`python -m tests.support.grid` writes it into docs/guardrails.md; tests/stack/test_conformance.py asks for every cell.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.support.provider import Step
from tests.support.services import REPOSITORY

Body = dict[str, Any]
Side = Literal["input", "output"]
Word = str
PAGE = REPOSITORY / "docs" / "guardrails.md"
COMMAND = "python -m tests.support.grid"
BEGIN, END = "<!-- conformance -->\n", "<!-- /conformance -->\n"
WORDS: dict[Word, str] = {
    "400": "status 400 with the vendor's envelope",
    "event": "an error event ends the stream, and nothing of the text is out",
    "masked": "the text arrives masked",
    "503": "status 503",
    "passes": "the text arrives as it is",
    "-": "there is no such guardrail on that side",
}


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A column. `rules`: one side's configuration; `trigger`: the text that sets it off, with `secret` in it."""

    rules: Body
    trigger: str
    secret: str
    sides: tuple[Side, ...] = ("input", "output")


MAIL, DOWN = "jane.doe@example.com", "do it [status 500] now"
GUARDS: dict[str, Guard] = {
    "keyword": Guard(rules={"invalid_keywords": ["moonshot"]}, trigger="our moonshot plan", secret="moonshot"),
    "PII BLOCK": Guard(rules={"pii": {"behavior": "BLOCK"}}, trigger=f"write to {MAIL} soon", secret=MAIL),
    "PII MASK": Guard(rules={"pii": {"behavior": "MASK"}}, trigger=f"write to {MAIL} soon", secret=MAIL),
    "safety": Guard(rules={"safety": True}, trigger="do it [unsafe S10] now", secret="[unsafe S10]"),
    "topics": Guard(
        rules={"valid_topics": ["gardening"]},
        trigger='sow [say {"topic": 0}] now',
        secret="[say",
        sides=("input",),
    ),
    "injection": Guard(
        rules={"extensions": {"prompt_injection": True}},
        trigger="sow [inject] now",
        secret="[inject]",
        sides=("input",),
    ),
    "guard down": Guard(rules={"safety": True}, trigger=DOWN, secret="[status 500]"),
    "and `fail_open`": Guard(
        rules={"safety": True, "extensions": {"fail_open": True}}, trigger=DOWN, secret="[status 500]"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A row: one place of a text.

    `asks`: the request with the text in that place; on the output side nothing depends on the text.
    `answers`: what the provider says with the text. `expected`: a word for each column. `calls`: `tool_calls` is on.
    """

    name: str
    side: Side
    asks: Callable[[str], Body]
    expected: tuple[Word, ...]
    answers: Callable[[str], Step] | None = None
    task: str = "llm/v1/chat"
    calls: bool = False

    @property
    def streams(self) -> bool:
        """Whether the answer is streamed."""
        return bool(self.asks("").get("stream"))

    def rules(self, guard: Guard) -> Body:
        """The configuration of the row's side for a guardrail."""
        beyond = {**guard.rules.get("extensions", {}), **({"tool_calls": True} if self.calls else {})}
        return {**guard.rules, **({"extensions": beyond} if beyond else {})}

    def cells(self) -> Iterator[tuple[str, Guard, Word]]:
        """The columns that there are on this side, and what is expected in them."""
        for (name, guard), word in zip(GUARDS.items(), self.expected, strict=True):
            if self.side in guard.sides:
                yield name, guard, word


HEAD = f"""Made by `{COMMAND}` from the table that `tests/stack/test_conformance.py` holds the real stack to, cell by
cell. "Guard down": the model that judges safety answers 500. A query over Kafka goes the way of its request over HTTP,
and `ai_query` is HTTP.

"""


def page(surfaces: Sequence[Surface]) -> str:
    """The grid and what its words say."""
    rows = [["surface", "side", "stream", *GUARDS], ["---"] * (3 + len(GUARDS))]
    rows += [[one.name, one.side, "yes" if one.streams else "no", *_words(one)] for one in surfaces]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(f"- {word}: {says}" for word, says in WORDS.items()) + "\n"


def _words(surface: Surface) -> list[Word]:
    known = {name: word for name, _, word in surface.cells()}
    return [known.get(name, "-") for name in GUARDS]


def written(text: str, grid: str) -> str:
    """The text with the grid between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{grid}{END}{after}"


def strings(value: Any) -> str:
    """All that a JSON value says, in order, but for what its parts are."""
    if isinstance(value, dict):
        return "".join(strings(one) for key, one in value.items() if key not in ("type", "role", "id"))
    return "".join(map(strings, value)) if isinstance(value, list) else value if isinstance(value, str) else ""
