"""Guard a streamed text: release what can no longer become part of an entity or a keyword.

One guard per choice and per field (content, tool arguments). Pure: it waits for nothing.

Why the released text equals the whole text's mask however it was cut: a cut is made only where
(1) no finding crosses it and (2) no finding that starts before it depends on what is still to
come. Every finding depends on at most `_CONTEXT` characters before it, and those are kept.
"""

import re

import msgspec

from processors.guardrails import keywords
from processors.guardrails.base import Rules, Span, Verdict
from processors.guardrails.fold import INVISIBLE, Folded, fold
from processors.guardrails.mask import masked
from processors.guardrails.overlap import resolve
from processors.guardrails.pii import build_detector, glued_local_start, local_letters_start

_CONTEXT = 480  # words (120) before a finding, which may reach 340 characters back itself
_PATIENCE = 1024  # characters held from which on a new look waits for a quarter more

_NUMBER_REACH = 100  # 19 digits with at most 3 separators between, and the look-ahead
_NUMBER_TAIL = re.compile(r"[0-9+(][0-9 .\-()/\n\r+]*(?: ?(?:[xX]|[eE](?:x(?:t\.?)?)?) ?)?\Z")
_EMAIL_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+'-@"
_LOCAL_REACH = 66  # 64 and a sign of which `%4` has come
_EMAIL_REACH = 330  # 64, the sign, 255, the look-ahead
_TRACE = re.compile(r"[0-9@%+(]")  # what every finding has


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """What may go out now; the bits tell about the stream so far.

    `spans`: what was masked in `text`; they count in the whole stream's text as it came.
    `blocked`: nothing more will ever be released; stop reading. `verdict` is set then, its
    `masked` holds the one text that was held back, its spans count in the whole stream's text.
    """

    text: str
    spans: tuple[Span, ...] = ()
    blocked: bool = False
    pii_detected: bool | None = None
    invalid_keywords: bool | None = None
    verdict: Verdict | None = None


class StreamGuard:
    """A state machine: `feed` each delta, then `finish` once; both may release and may block."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._matcher = keywords.matcher(rules.keywords, rules.whole_words)
        self._context = ""  # visible characters already released
        self._buffer = ""  # received and not released
        self._offset = 0  # characters released
        self._look_again_at = 0
        self._found = False
        self._blocked: Released | None = None

    @property
    def held(self) -> int:
        """How many characters have been received and not released."""
        return len(self._buffer)

    def feed(self, delta: str) -> Released:
        """Take the next piece of the answer."""
        if self._blocked:
            return self._blocked
        self._buffer += delta
        if self._rules.idle:
            return self._release(len(self._buffer), [])
        if len(self._buffer) < self._look_again_at:
            return self._release(0, [])
        released = self._look(final=False)
        if len(self._buffer) > _PATIENCE:
            self._look_again_at = len(self._buffer) * 5 // 4
        return released

    def finish(self) -> Released:
        """Release all the rest, after its check."""
        return self._blocked or self._look(final=True)

    def _look(self, *, final: bool) -> Released:
        hit = self._matcher.hit(self._buffer, before=self._context[-1:], more=not final)
        if hit is not None:
            return self._block(hit)
        end = len(self._buffer) if final else len(self._buffer) - self._matcher.held(self._buffer)
        if self._rules.pii == "NONE":
            return self._release(end, [])
        return self._look_for_pii(end, final=final)

    def _look_for_pii(self, end: int, *, final: bool) -> Released:
        known = len(self._context)
        folded = fold(self._context + self._buffer)
        detector = build_detector(self._rules.categories)
        decided = len(folded.visible) if final else min(_undecided_start(folded), detector.undecided(folded))
        cut = min(decided, folded.visible_before(known + end))
        if not _TRACE.search(folded.shadow, known, self._trace_end(folded.shadow, known, decided)):
            return self._release(self._original_cut(folded, cut, end), [])
        raw = detector.raw(folded, since=known)
        cut = _outside(raw, cut)
        spans = resolve((s for s in raw if s.end <= cut), folded.shadow)
        if spans and self._rules.pii == "BLOCK":
            return self._block(None)
        return self._release(self._original_cut(folded, cut, end), self._in_buffer(folded, spans))

    def _trace_end(self, shadow: str, known: int, decided: int) -> int:
        """How far a trace of a finding matters that begins before `decided`.

        The five have one left of it, but for an SSN that begins with letters: then one stands there.
        """
        if self._rules.categories or (decided > known and shadow[decided - 1].isalpha()):
            return len(shadow)
        return max(known, decided)

    def _original_cut(self, folded: Folded, cut: int, end: int) -> int:
        """The place in the buffer of a cut among the visible characters."""
        if cut >= len(folded.visible):
            return end
        return min(end, max(0, folded.start_in_original(cut) - len(self._context)))

    def _in_buffer(self, folded: Folded, spans: list[Span]) -> list[Span]:
        known = len(self._context)
        return [
            msgspec.structs.replace(
                span,
                start=folded.start_in_original(span.start) - known,
                end=folded.end_in_original(span.end) - known,
            )
            for span in spans
        ]

    def _release(self, cut: int, spans: list[Span]) -> Released:
        raw, self._buffer = self._buffer[:cut], self._buffer[cut:]
        moved = tuple(_moved(span, self._offset) for span in spans)
        if raw:
            self._context = (self._context + INVISIBLE.sub("", raw))[-_CONTEXT:]
            self._offset += len(raw)
            self._look_again_at = 0
        self._found = self._found or bool(spans)
        return self._report(masked(raw, spans), moved)

    def _block(self, keyword: int | None) -> Released:
        spans = self._spans_of_buffer()
        self._found = self._found or bool(spans)
        report = self._report("", ())
        verdict = Verdict(
            outcome="blocked",
            pii_detected=report.pii_detected,
            invalid_keywords=keyword is not None if self._rules.keywords else None,
            keyword=keyword,
            spans=(tuple(_moved(span, self._offset) for span in spans),),
            masked=(masked(self._buffer, spans),),
        )
        self._buffer = ""
        self._blocked = msgspec.structs.replace(
            report, blocked=True, invalid_keywords=verdict.invalid_keywords, verdict=verdict
        )
        return self._blocked

    def _report(self, text: str, spans: tuple[Span, ...]) -> Released:
        return Released(
            text=text,
            spans=spans,
            pii_detected=self._found if self._rules.pii != "NONE" else None,
            invalid_keywords=False if self._rules.keywords else None,
        )

    def _spans_of_buffer(self) -> list[Span]:
        if self._rules.pii == "NONE":
            return []
        folded = fold(self._context + self._buffer)
        known = len(self._context)
        raw = build_detector(self._rules.categories).raw(folded, since=known)
        raw = [span for span in raw if span.start >= known]
        return self._in_buffer(folded, resolve(raw, folded.shadow))


def _moved(span: Span, by: int) -> Span:
    return msgspec.structs.replace(span, start=span.start + by, end=span.end + by)


def _outside(spans: list[Span], cut: int) -> int:
    """Move the cut to the left until no span crosses it."""
    for span in sorted(spans, key=lambda s: s.end, reverse=True):
        if span.start < cut < span.end:
            cut = span.start
    return cut


def _undecided_start(folded: Folded) -> int:
    """Where the part begins in which the next characters may still change a finding."""
    shadow = folded.shadow
    number = _NUMBER_TAIL.search(shadow, max(0, len(shadow) - _NUMBER_REACH))
    return min(number.start() if number else len(shadow), _email_start(folded))


def _email_start(folded: Folded) -> int:
    tail = folded.shadow[-_EMAIL_REACH:]
    run = tail[len(tail.rstrip(_EMAIL_CHARACTERS)) :]
    signed = "@" in run or "%40" in run
    held = len(run) if signed else min(len(run), _LOCAL_REACH)
    start = len(folded.shadow) - held
    if held == len(run) and (not run or run[0] in "0123456789@%"):
        start = glued_local_start(folded.visible, start)
    # Letters of a script without spaces may still come, then a sign: all this is a local part.
    return min(start, local_letters_start(folded.visible, len(folded.visible)))
