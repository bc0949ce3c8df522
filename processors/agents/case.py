"""One request while it is worked on, and what it came to."""

import asyncio
from typing import Any, Protocol

import msgspec

from contract.endpoint import Endpoint, ServedEntity
from contract.records import Attempt, Finding, RequestReceived
from contract.refusals import Refusal
from contract.sealed import is_reversible
from processors.guardrails.base import PASSED, Rules, Verdict
from processors.payload.counting import Usage
from processors.payload.turns import Conversation
from processors.providers.base import HttpAnswer, HttpCall
from processors.rate_limits.admission import Booking
from processors.sealing import Transit

NO_RULES = Rules()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a request came to. `answer`: JSON for the caller; `refusal`: the name of our "no", else empty.

    `logged`: JSON for the log where it differs from the answer (a stream's chunks merged).
    """

    status: int
    answer: bytes = b"null"
    logged: bytes | None = None
    refusal: str = ""
    message: str = ""
    error_code: str = ""
    usage: Usage = Usage()
    output_characters: int = 0
    caller_waits: bool = True


def refused(refusal: Refusal, *, usage: Usage | None = None, caller_waits: bool = True) -> Outcome:
    """The outcome of a "no"; settling writes its body, which names the request."""
    return Outcome(
        status=refusal.status,
        refusal=refusal.name,
        message=refusal.message,
        error_code=refusal.error_code,
        usage=usage or Usage(),
        caller_waits=caller_waits,
    )


class Case:
    """A request in flight: what is known of it so far. `relay` is set once a stream's first piece is out.

    `body`: the caller's JSON object, opened where it came sealed, which `request` stays.
    """

    __slots__ = (
        "attempts",
        "body",
        "bookings",
        "bound",
        "cleared",
        "conversations",
        "endpoint",
        "entity",
        "findings",
        "gone",
        "input_characters",
        "input_verdict",
        "logged_request",
        "merged",
        "observers",
        "output_verdict",
        "provider_ms",
        "relay",
        "request",
        "restoring",
        "reversible",
        "started_ms",
        "time_to_first_ms",
        "transit",
        "unopened",
    )

    def __init__(self, request: RequestReceived, endpoint: Endpoint | None, entity: ServedEntity | None) -> None:
        self.request = request
        self.endpoint = endpoint
        self.entity = entity  # first choice, then whichever was tried last
        self.bookings: tuple[Booking, ...] = ()
        self.attempts: list[Attempt] = []
        self.findings: list[Finding] = []
        self.body: bytes = bytes(request.body)
        self.unopened = False
        self.reversible = is_reversible(endpoint)
        self.transit: Transit | None = None  # seals the replies, where values are put back into them
        self.restoring: Any = None  # these values
        # What no guardrail has read yet is not logged where its values may lie on no topic.
        self.logged_request: bytes = b"null" if self.reversible or request.sealed else self.body
        self.input_characters = 0
        self.input_verdict: Verdict = PASSED  # the checks'; judges come after them
        self.output_verdict: Verdict = PASSED
        self.conversations: tuple[Conversation, ...] = ()  # for the judges: as the provider is asked
        self.cleared: asyncio.Event | None = None  # set once the judges have passed the request
        self.observers: list[asyncio.Task[None]] = []  # judges whose verdicts decide nothing
        self.provider_ms = 0
        self.time_to_first_ms: int | None = None
        self.gone = False
        self.bound: asyncio.Timeout | None = None
        self.relay: Any = None
        self.merged: Any = None  # what a stream has brought so far

    def hang_up(self, now: float) -> None:
        """The caller is gone: whatever is awaited for it ends now. `now`: the loop's time."""
        self.gone = True
        if self.bound is not None and not self.bound.expired():
            self.bound.reschedule(now)


class Check(Protocol):
    """Guardrails over some texts; awaits a process pool for long ones."""

    async def __call__(self, texts: list[str], rules: Rules) -> Verdict: ...


class Calls(Protocol):
    """The provider's side of the world; `processors.transport.Transport` is the real one."""

    async def call(self, call: HttpCall) -> HttpAnswer: ...

    def stream(self, call: HttpCall) -> Any: ...
