"""Streams: a provider's events to the caller, piece by piece, guarded and merged for the log."""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec

from contract import refusals
from contract.endpoint import ServedEntity
from contract.records import Finding
from contract.refusals import Refusal
from processors.agents.case import Case, Outcome, refused
from processors.agents.guarding import blocked, judged_by, note, rules_of
from processors.agents.judges import Judges
from processors.agents.judging import judged_texts, observe_texts
from processors.agents.relay import Relay, Send
from processors.agents.restoring import Chunks
from processors.guardrails.base import Rules, Verdict
from processors.guardrails.safety.held import Held
from processors.guardrails.stream import Released, StreamGuard
from processors.payload import counting, texts
from processors.payload.counting import Usage
from processors.payload.merging import Merged, index_of
from processors.providers.base import ProviderUnreachable
from processors.providers.sse import DONE

Json = dict[str, Any]
DONE_EVENT = "data: [DONE]\n\n"


def error_event(error_code: str, message: str, request_id: str) -> str:
    """The event that ends a stream loudly: OpenAI's client needs `error`, Databricks' code sits beside (3.3)."""
    error = {"message": message, "code": error_code, "type": "error", "param": None}
    event = {"error": error, **refusals.envelope(error_code, message, request_id)}
    return f"data: {msgspec.json.encode(event).decode()}\n\n"


def end_of(outcome: Outcome, request_id: str) -> str:
    """How a started stream ends for the caller."""
    return error_event(outcome.error_code, outcome.message, request_id) if outcome.refusal else DONE_EVENT


class Guards:
    """One hold-back guard per choice of a stream. `verdict` is set when one blocked."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._by_choice: dict[int, StreamGuard] = {}
        self.verdict: Verdict | None = None
        self.found_pii = False

    def choice(self, index: int, text: str, last: bool) -> str:
        """What of `text` (and of what was held back) may go out now."""
        guard = self._by_choice.setdefault(index, StreamGuard(self._rules))
        released = guard.feed(text) if text else None
        out = released.text if released else ""
        if last and not (released and released.blocked):
            released = guard.finish()
            out += released.text
        self._note(released)
        return out

    def _note(self, released: Released | None) -> None:
        if released is not None:
            self.found_pii = self.found_pii or bool(released.pii_detected)
            self.verdict = self.verdict or released.verdict

    def rest(self) -> list[tuple[int, str]]:
        """What the guards still hold when a stream ends without finishing its choices."""
        released = {index: guard.finish() for index, guard in self._by_choice.items()}
        for last in released.values():
            self._note(last)
        return [(index, last.text) for index, last in released.items() if last.text]


def guarded(chunk: Json, guards: Guards) -> Json | None:
    """The chunk with its texts as far as they may go; None when nothing of it is left to send."""
    choices = [_guarded_choice(choice, guards) for choice in texts.dicts(chunk, "choices")]
    says_nothing = choices and all(_is_empty(choice) for choice in choices) and not chunk.get("usage")
    return None if says_nothing else {**chunk, "choices": choices}


def _guarded_choice(choice: Json, guards: Guards) -> Json:
    index, last = index_of(choice), choice.get("finish_reason") is not None
    if isinstance(choice.get("text"), str):
        return {**choice, "text": guards.choice(index, choice["text"], last)}
    delta = _delta(choice)
    text = delta.get("content")
    if isinstance(text, str) or last:
        released = guards.choice(index, text or "", last)
        if released or isinstance(text, str):
            delta = {**delta, "content": released}
    return {**choice, "delta": delta}


def _delta(choice: Json) -> Json:
    delta = choice.get("delta")
    return delta if isinstance(delta, dict) else {}


def _said(chunk: Json) -> list[tuple[int, str]]:
    """What a chunk says, by choice."""
    pairs = ((index_of(c), c.get("text") or _delta(c).get("content")) for c in texts.dicts(chunk, "choices"))
    return [(index, text) for index, text in pairs if isinstance(text, str)]


def _is_empty(choice: Json) -> bool:
    return not any(_delta(choice).values()) and not choice.get("text") and choice.get("finish_reason") is None


class Streaming(NamedTuple):
    """What relaying takes. `attempt`: names this worker's try; `now`: seconds; `version`: the configuration's."""

    send: Send
    attempt: str
    now: Callable[[], float]
    version: Callable[[], int]
    judges: Judges = Judges()

    async def relayed(
        self, case: Case, entity: ServedEntity, events: AsyncIterator[bytes], *, hide_usage: bool
    ) -> Outcome:
        """Relay a begun stream to its end. Before its first piece is out a failure is ProviderUnreachable."""
        endpoint = case.endpoint
        assert endpoint is not None  # noqa: S101 - a case without endpoint was refused before
        if case.cleared is not None:
            await case.cleared.wait()  # never set where a judge refuses: then this call is cancelled
        flow = Flow(self, case, entity, rules_of(endpoint, "output"), hide_usage)
        wanted = judged_by(endpoint, "output")
        if wanted.safety:
            flow.held, flow.watched = (None, Held()) if wanted.observe else (Held(), None)
        try:
            return await flow.relayed(events)
        except ProviderUnreachable as error:
            if case.relay is None:
                raise
            return flow.broken(str(error))
        finally:
            flow.note_masked()
            flow.observe_rest()


class Flow:
    """One stream being relayed."""

    def __init__(self, tools: Streaming, case: Case, entity: ServedEntity, rules: Rules, hide_usage: bool) -> None:
        self._tools = tools
        self._case = case
        self._entity = entity
        self._guards = None if rules.idle else Guards(rules)
        self._hide_usage = hide_usage
        self.held: Held | None = None  # what waits for the guard model's verdict, where one is asked
        self.watched: Held | None = None  # what it is to observe and has not been asked about; sent already
        self._merged = Merged()
        self._started = tools.now()
        self._spoken = False  # whether the caller has text: until then nothing waits for company
        self._open: set[int] = set()
        self._finished: set[int] = set()
        self._restored = None if case.restoring is None else Chunks(case.restoring)
        case.merged = self._merged

    async def relayed(self, events: AsyncIterator[bytes]) -> Outcome:
        """Relay until the stream's own end or a guardrail's; ProviderUnreachable when it breaks."""
        async for data in events:
            if data == DONE:
                return await self.finished()
            stopped = self.take(data) or await self._judged()
            if stopped is not None:
                return stopped
        if self.all_choices_finished():
            return await self.finished()
        raise ProviderUnreachable("the stream ended early")

    def take(self, data: bytes) -> Outcome | None:
        """Relay one event's data; an outcome when a guardrail ends the stream here."""
        try:
            chunk = texts.decoded(data)
        except msgspec.DecodeError:
            raise ProviderUnreachable("an event is no JSON object") from None
        if chunk.get("error") and not chunk.get("choices"):
            raise ProviderUnreachable("the provider reported an error in its stream")
        self._note_choices(chunk)
        if self._guards is None:
            self._pass_on(chunk, data)
            return None
        passed = guarded(chunk, self._guards)
        if passed is not None:
            self._pass_on(passed)
        return None if self._guards.verdict is None else self._blocked(self._guards.verdict)

    def _pass_on(self, chunk: Json, data: bytes | None = None) -> None:
        """Send a chunk that the checks have passed, or hold it for the guard model. `data`: it, unchanged."""
        if self.held is not None:
            self.held.hold(chunk, _said(chunk))
            return
        self._emit(chunk, data)
        if self.watched is not None:
            self.watched.hold({}, _said(chunk))
            if self.watched.due:
                self.observe_rest()

    def observe_rest(self) -> None:
        """Have what was sent judged as far as nobody was asked about it."""
        if self.watched is None:
            return
        said = [text for text in self.watched.texts() if text.strip()]
        if said:
            observe_texts(self._case, said, self._tools.judges)
        self.watched.release()

    def _emit(self, chunk: Json, data: bytes | None = None) -> None:
        self._merged.add(chunk)
        if self._restored is not None:
            data = self._restored.event(chunk)
            if data is None:
                return
        if not (self._hide_usage and chunk.get("usage") and not chunk.get("choices")):
            self._write((texts.encoded(chunk) if data is None else data).decode())

    async def _judged(self, *, final: bool = False) -> Outcome | None:
        """Have a full window (or the rest) judged and send it; an outcome when the stream ends here."""
        held = self.held
        if held is None or not (final or held.due):
            return None
        if self._guards is not None and self._guards.found_pii:
            self._case.output_verdict = Verdict(outcome="masked", pii_detected=True)
        said = [text for text in held.texts() if text.strip()]
        refusal = await judged_texts(self._case, said, self._tools.judges, self._usage()) if said else None
        if refusal is not None:
            return self._ended(refusal)
        for chunk in held.release():
            self._emit(chunk)
        return None

    def _note_choices(self, chunk: Json) -> None:
        for choice in texts.dicts(chunk, "choices"):
            index = index_of(choice)
            self._open.add(index)
            if choice.get("finish_reason") is not None:
                self._finished.add(index)

    def all_choices_finished(self) -> bool:
        """Whether every choice seen has said why it ended: then a missing [DONE] is no failure."""
        return bool(self._open) and self._open == self._finished

    def _write(self, json: str) -> None:
        case, tools = self._case, self._tools
        if case.relay is None:
            case.time_to_first_ms = int((tools.now() - self._started) * 1000)
            case.relay = Relay(case.request, tools.attempt, self._entity.name, tools.version(), tools.send)
            case.relay.transit = case.transit
        case.relay.write(f"data: {json}\n\n", at_once=not self._spoken)
        self._spoken = self._spoken or self._merged.has_text

    def note_masked(self) -> None:
        """Write down that something was masked on the way; where, the guard of a stream does not tell."""
        if self._guards is not None and self._guards.found_pii and self._guards.verdict is None:
            self._case.findings.append(Finding(side="output", guardrail="pii", outcome="masked"))

    def _blocked(self, verdict: Verdict) -> Outcome:
        note(self._case, verdict, "output")
        return self._ended(blocked(verdict, "output", usage=self._usage()))

    async def finished(self) -> Outcome:
        """The stream came to its own end."""
        if self._guards is not None:
            for index, text in self._guards.rest():
                self._pass_on(self._held_back(index, text))
            if self._guards.verdict is not None:
                return self._blocked(self._guards.verdict)
        stopped = await self._judged(final=True)
        if stopped is not None:
            return stopped
        for rest in () if self._restored is None else self._restored.rest():
            self._write(rest.decode())
        if self._case.relay is None:
            raise ProviderUnreachable("the stream ended before it began")
        found = self._merged.texts()
        return Outcome(
            status=200,
            logged=texts.encoded(self._merged.answer()),
            usage=self._usage(),
            output_characters=counting.characters(found),
        )

    def _held_back(self, index: int, text: str) -> Json:
        endpoint = self._case.endpoint
        completion = endpoint is not None and endpoint.task == "llm/v1/completions"
        said: Json = {"text": text} if completion else {"delta": {"content": text}}
        return {"choices": [{"index": index, **said, "finish_reason": None}]}

    def broken(self, why: str) -> Outcome:
        """The provider broke off in the middle."""
        return self._ended(refusals.provider_unreachable(why))

    def _ended(self, refusal: Refusal) -> Outcome:
        outcome = refused(refusal, usage=self._usage())
        return msgspec.structs.replace(outcome, output_characters=counting.characters(self._merged.texts()))

    def _usage(self) -> Usage:
        try:
            return msgspec.convert(self._merged.usage or {}, type=Usage)
        except msgspec.ValidationError:
            return Usage()
