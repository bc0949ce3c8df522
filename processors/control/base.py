"""What every action is handed and what it hands back."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from contract import endpoint, refusals
from contract.records import Command
from contract.refusals import Refusal
from contract.state import View

T = TypeVar("T")
Change = tuple[str, bytes | None]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs besides the configuration. `mint`: a new id of 32 hex digits at each call.

    `guard`, `topics`, `injection`: whether a guard model and judges of topics and of prompt injection are configured.
    """

    now_ms: int
    mint: Callable[[], str]
    account_id: str
    workspace_id: str
    guard: bool = False
    topics: bool = False
    injection: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A "yes": records for `gateway.state`, in order (a null value deletes), and the answer's JSON."""

    changes: tuple[Change, ...] = ()
    body: bytes = b"{}"
    status: int = 200


Action = Callable[[Command, View, Facts], Decision | Refusal]


def asked(kind: type[T], command: Command) -> T | Refusal:
    """The command's body as `kind`, or why not."""
    return endpoint.asked(kind, command.body)


def answer(value: Any, *changes: Change) -> Decision:
    """A decision that answers `value` as JSON."""
    return Decision(changes=changes, body=msgspec.json.encode(value))


def not_admin(command: Command, view: View) -> Refusal | None:
    """403 unless an active admin asks."""
    return None if view.is_admin(command.requester.name) else refusals.admins_only()


def number(facts: Facts) -> str:
    """A new id for somebody: the vendor's are decimal, and some of its fields are integers of 64 bits.

    Sixteen digits fit what JavaScript and JSON readers keep exactly.
    """
    return str(int(facts.mint(), 16) % 10**15 + 10**15)
