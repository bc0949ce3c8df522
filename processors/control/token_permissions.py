"""Who may have tokens and use them: set anew, or merged into what is there. Said by admins, who always may."""

import msgspec

from contract import codec, grants, refusals, state
from contract.records import Command
from contract.refusals import Refusal
from contract.state import ADMINS, TOKENS, Authorization, TokenLevel, View
from processors.control import base
from processors.control.base import Decision, Facts
from processors.control.permissions import SUBJECTS, Named, subject


class Grant(Named, frozen=True, kw_only=True):
    """One row of the list."""

    permission_level: TokenLevel


class GrantsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor's body."""

    access_control_list: tuple[Grant, ...] = ()


def put(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `GrantsAsked`, which replaces what was granted; an empty list leaves the admins. Answers who may now."""
    return _decided(command, view, keep=False)


def patch(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `GrantsAsked`, which is added to what was granted, at first to everybody. Answers as `put`."""
    return _decided(command, view, keep=True)


def _decided(command: Command, view: View, *, keep: bool) -> Decision | Refusal:
    asked = base.asked(GrantsAsked, command)
    if isinstance(asked, Refusal):
        return asked
    granted = base.not_admin(command, view) or _granted(asked, view)
    if isinstance(granted, Refusal):
        return granted
    before = view.authorizations.get(TOKENS)
    kept = grants.EVERYBODY if before is None else before.levels
    levels = {**(kept if keep else {}), **granted}
    if len(levels) > SUBJECTS:
        return refusals.quota(f"access_control_list: at most {SUBJECTS} names")
    said = Authorization(name=TOKENS, levels=levels)
    change = (state.key("authorization", TOKENS), codec.encode(said))
    return base.answer(grants.token_permissions(view, said), change)


def _granted(asked: GrantsAsked, view: View) -> dict[str, TokenLevel] | Refusal:
    levels: dict[str, TokenLevel] = {}
    for index, grant in enumerate(asked.access_control_list):
        whose = subject(grant, index, view)
        if isinstance(whose, Refusal):
            return whose
        if whose == state.group(ADMINS):
            continue  # nobody can give them less, or more, than they have
        if grant.permission_level == "CAN_MANAGE":
            text = f"only the group '{ADMINS}' has CAN_MANAGE on tokens, and it cannot be given to others"
            return refusals.invalid(f"access_control_list[{index}].permission_level: {text}")
        levels[whose] = grant.permission_level
    return levels
