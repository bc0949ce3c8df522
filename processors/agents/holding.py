"""A stream's guards: each field of each choice has its own, which holds back what the next piece may still change."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from processors.agents.findings import Seen, seen_in
from processors.guardrails.base import Rules, Span, Verdict
from processors.guardrails.stream import Released, StreamGuard
from processors.payload import arguments, fields, guarded
from processors.payload.arguments import Scanner, Token
from processors.payload.fields import Place
from processors.payload.merging import head_of, index_of
from processors.payload.texts import dicts

Json = dict[str, Any]


class Guards:
    """All guards of a stream. `verdict` is set when one blocked; `seen`: what they found, fields in order of beginning.

    `calls`: arguments of calls of tools are guarded, too.
    """

    holds = True

    def __init__(self, rules: Rules, *, calls: bool) -> None:
        self._rules = rules
        self._calls = calls
        self._head: Json = {}
        self._choices: dict[int, dict[Place, FieldGuard | ArgumentsGuard]] = {}
        self._fields = 0
        self.verdict: Verdict | None = None
        self.seen: list[Seen] = []

    @property
    def held(self) -> int:
        """How many characters have come and not gone out."""
        return sum([guard.held for guards in self._choices.values() for guard in guards.values()])

    def passed(self, chunk: Json) -> list[Json]:
        """What may go out in the chunk's place: it with less or other text, and before it what a choice's end frees."""
        self._head = self._head or head_of(chunk)
        before: list[Json] = []
        choices = [self._choice(choice, before) for choice in dicts(chunk, "choices")]
        if self.verdict is not None:
            return []
        if choices and not chunk.get("usage") and all(_says_nothing(choice) for choice in choices):
            return before
        return [*before, guarded.without_logprobs({**chunk, "choices": choices})]

    def _choice(self, choice: Json, before: list[Json]) -> Json:
        index, last = index_of(choice), bool(choice.get("finish_reason"))
        guards = self._choices.setdefault(index, {})
        ended: set[Place] = set()

        def put(place: Place, text: str, json: bool) -> str:
            guard = guards.get(place)
            if guard is None:
                guard = guards[place] = self._guard(json)
            if not last and fields.COMPLETE not in place:
                return guard.feed(text)
            ended.add(place)
            return guard.feed(text) + guard.finish()

        changed = fields.choice(choice, put, calls=self._calls)
        if last:
            before += self._rest(index, ended)
        return changed

    def _guard(self, json: bool) -> "FieldGuard | ArgumentsGuard":
        self._fields += 1
        kind = ArgumentsGuard if json else FieldGuard
        return kind(self._rules, Notes(self, self._fields - 1))

    def _rest(self, index: int, ended: set[Place]) -> list[Json]:
        held = ((place, guard.finish()) for place, guard in self._choices[index].items() if place not in ended)
        choices = ({"index": index, **fields.only(place, text), "finish_reason": None} for place, text in held if text)
        return [{**self._head, "choices": [choice]} for choice in choices]

    @property
    def keyword(self) -> str:
        """`blocked` where there was a keyword."""
        return "blocked" if self.verdict is not None and self.verdict.invalid_keywords else ""

    def rest(self) -> list[Json]:
        """What is still held when a stream ends without finishing its choices."""
        return [chunk for index in self._choices for chunk in self._rest(index, set())]


class Watch:
    """Guards whose findings are noted while all passes as it comes."""

    holds = False
    verdict: Verdict | None = None

    def __init__(self, rules: Rules, *, calls: bool) -> None:
        masking = msgspec.structs.replace(rules, pii="NONE" if rules.pii == "NONE" else "MASK", keywords=())
        apart = (masking, msgspec.structs.replace(rules, pii="NONE"))  # a keyword ends its guard's work
        self._guards = [Guards(one, calls=calls) for one in apart if not one.idle]

    @property
    def held(self) -> int:
        """How many characters would be held if it were to hold any."""
        return max([guards.held for guards in self._guards])

    def passed(self, chunk: Json) -> list[Json]:
        """The chunk itself."""
        for guards in self._guards:
            if guards.verdict is None:
                guards.passed(chunk)
        return [chunk]

    def rest(self) -> list[Json]:
        """Nothing is held; what had to wait for the stream's end is noted now."""
        for guards in self._guards:
            guards.rest()
        return []

    @property
    def seen(self) -> list[Seen]:
        """All personal data there was."""
        return [one._replace(outcome="observed") for guards in self._guards for one in guards.seen]

    @property
    def keyword(self) -> str:
        """`observed` where there was a keyword."""
        return "observed" if any(guards.keyword for guards in self._guards) else ""


class Notes(NamedTuple):
    """Where one field's guard writes down what it found."""

    guards: Guards
    field: int

    def take(self, released: Released, lead: int = 0) -> str:
        """The text that may go out. `lead`: characters before the field's own."""
        if released.verdict is not None and self.guards.verdict is None:
            self.guards.verdict = released.verdict
            self._see((span for spans in released.verdict.spans for span in spans), lead, "blocked")
        self._see(released.spans, lead, "masked")
        return released.text

    def _see(self, spans: Iterable[Span], lead: int, outcome: str) -> None:
        self.guards.seen.extend(seen_in(self.field, span, lead, outcome) for span in spans)


class FieldGuard:
    """The guard of a text."""

    def __init__(self, rules: Rules, notes: Notes) -> None:
        self._guard = StreamGuard(rules)
        self._notes = notes

    @property
    def held(self) -> int:
        """How many characters have come and not gone out."""
        return self._guard.held

    def feed(self, piece: str) -> str:
        """What may go out now."""
        return self._notes.take(self._guard.feed(piece)) if piece else ""

    def finish(self) -> str:
        """All the rest."""
        return self._notes.take(self._guard.finish())


class ArgumentsGuard:
    """The guard of arguments: of what their strings and numbers say, each with the key before it. They stay JSON."""

    def __init__(self, rules: Rules, notes: Notes) -> None:
        self._rules = rules
        self._notes = notes
        self._scanner = Scanner()
        self._guard = StreamGuard(rules)
        self._lead = 0
        self._unsaid = 0  # characters of the key that its value's guard has not given back yet

    @property
    def held(self) -> int:
        """How many characters of the value that has begun have come and not gone out."""
        return self._guard.held

    def feed(self, piece: str) -> str:
        """What may go out now."""
        return "".join([self._passed(token) for token in self._scanner.feed(piece)])

    def finish(self) -> str:
        """All the rest."""
        rest = "".join([self._passed(token) for token in self._scanner.finish()])
        return rest + self._own(self._guard.finish())

    def _passed(self, token: Token) -> str:
        match token.kind:
            case "open":
                self._begin(token.lead)
                return token.text
            case "said":
                return arguments.escaped(self._own(self._guard.feed(token.text)))
            case "close":
                return arguments.escaped(self._own(self._guard.finish())) + token.text
            case "bare":
                self._begin(token.lead)
                said = self._own(self._guard.feed(token.text)) + self._own(self._guard.finish())
                return token.text if said == token.text else arguments.quoted(said)
            case "text":
                return self._own(self._guard.feed(token.text))
        return token.text

    def _begin(self, lead: str) -> None:
        self._guard, self._lead, self._unsaid = StreamGuard(self._rules), len(lead), len(lead)
        if lead:
            self._own(self._guard.feed(lead))

    def _own(self, released: Released) -> str:
        """What is the value's own in a release."""
        text = self._notes.take(released, self._lead)
        own = text[self._unsaid :]
        self._unsaid = max(0, self._unsaid - len(text))
        return own


def _says_nothing(choice: Json) -> bool:
    said = (choice.get(part) for part in ("delta", "message", "text"))
    return not choice.get("finish_reason") and all(_is_silent(part) for part in said)


def _is_silent(value: Any) -> bool:
    """Whether there is nothing but the names of what was said."""
    if isinstance(value, dict):
        return all(_is_silent(one) for key, one in value.items() if key not in ("index", "type"))
    return all(_is_silent(one) for one in value) if isinstance(value, list) else not value
