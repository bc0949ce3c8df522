"""Streams: a provider's events to the caller, piece by piece, guarded and merged for the log."""

from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any, NamedTuple

import msgspec

from contract import refusals
from contract.endpoint import Endpoint, ServedEntity
from contract.refusals import Refusal
from processors.agents.case import Case, Outcome, refused
from processors.agents.findings import note
from processors.agents.guarding import beyond, blocked, judged_by, off_the_loop, rules_of
from processors.agents.holding import Guards, Watch
from processors.agents.judges import Judges
from processors.agents.judging import judged_texts, observe_texts
from processors.agents.relay import Relay, Send
from processors.agents.restoring import Chunks
from processors.guardrails import check
from processors.guardrails.base import Verdict
from processors.guardrails.safety.held import Held
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


def _guards(endpoint: Endpoint) -> Guards | Watch | None:
    """What the answer's pieces pass; None where nothing is asked for."""
    rules, wanted = rules_of(endpoint, "output"), beyond(endpoint, "output")
    if rules.idle:
        return None
    return (Watch if wanted.observe else Guards)(rules, calls=wanted.tool_calls)


def _said(chunk: Json) -> list[tuple[Hashable, str]]:
    """What a chunk says, by choice and field."""
    choices = texts.dicts(chunk, "choices")
    return [((index_of(choice), place), text) for choice in choices for place, text in texts.said(choice)]


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
        flow = Flow(self, case, entity, _guards(endpoint), hide_usage)
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
            flow.note_found()
            flow.observe_rest()


class Flow:
    """One stream being relayed."""

    def __init__(
        self, tools: Streaming, case: Case, entity: ServedEntity, guards: Guards | Watch | None, hide_usage: bool
    ) -> None:
        self._tools = tools
        self._case = case
        self._entity = entity
        self._guards = guards
        self._guarding_s = 0.0  # what the guards took so far
        self._hide_usage = hide_usage
        self.held: Held | None = None  # what waits for the guard model's verdict, where one is asked
        self.watched: Held | None = None  # what it is to observe and has not been asked about; sent already
        self._merged = Merged()
        self._last_usage: Json | None = None  # waits for what is held back
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
            stopped = await self.take(data) or await self._judged()
            if stopped is not None:
                return stopped
        if self.all_choices_finished():
            return await self.finished()
        raise ProviderUnreachable("the stream ended early")

    async def take(self, data: bytes) -> Outcome | None:
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
        if self._guards.holds and chunk.get("usage") and not chunk.get("choices"):
            self._last_usage = chunk
            return None
        started = self._tools.now()
        passed = await off_the_loop(self._is_long(self._guards, len(data)), self._guards.passed, chunk)
        self._guarding_s += self._tools.now() - started
        for one in passed:
            self._pass_on(one, data if one is chunk else None)
        return None if self._guards.verdict is None else self._blocked(self._guards.verdict)

    def _is_long(self, guards: Guards | Watch, more: int) -> bool:
        """Whether the guards have more to read than an event loop may wait for."""
        return more + guards.held >= check.INLINE_CHARACTERS

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
        try:
            self._merged.add(chunk)
        except RecursionError:
            raise ProviderUnreachable("an event is nested too deeply") from None
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
        if self._guards is not None and self._guards.holds and self._guards.seen:
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
            if choice.get("finish_reason"):
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

    def note_found(self) -> None:
        """Write down what the guards have found on the way."""
        guards = self._guards
        if guards is not None:
            if not guards.holds:
                guards.rest()  # what broke off is looked at to its end: it is out already
            note(self._case, "output", guards.seen, keyword=guards.keyword, took_s=self._guarding_s)

    def _blocked(self, verdict: Verdict) -> Outcome:
        return self._ended(blocked(verdict, "output", usage=self._usage()))

    async def finished(self) -> Outcome:
        """The stream came to its own end."""
        if self._guards is not None:
            for chunk in await off_the_loop(self._is_long(self._guards, 0), self._guards.rest):
                self._pass_on(chunk)
            if self._guards.verdict is not None:
                return self._blocked(self._guards.verdict)
            if self._last_usage is not None:
                self._pass_on(self._last_usage)
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

    def broken(self, why: str) -> Outcome:
        """The provider broke off in the middle."""
        return self._ended(refusals.provider_unreachable(why))

    def _ended(self, refusal: Refusal) -> Outcome:
        outcome = refused(refusal, usage=self._usage())
        return msgspec.structs.replace(outcome, output_characters=counting.characters(self._merged.texts()))

    def _usage(self) -> Usage:
        try:
            return msgspec.convert(self._merged.usage or (self._last_usage or {}).get("usage") or {}, type=Usage)
        except msgspec.ValidationError:
            return Usage()
