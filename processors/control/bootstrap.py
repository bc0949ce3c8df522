"""The first admin: what the ingress asks for at start, as often as it likes."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from contract import codec, state
from contract.records import Command
from contract.refusals import Refusal
from contract.state import ADMINS, USERS, Group, Principal, Token, View
from processors.control import base
from processors.control.base import Change, Decision, Facts
from processors.control.tokens import Hash


class AdminAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The first admin and the hash of the token they come with."""

    name: Annotated[str, Meta(min_length=1)]
    hash: Hash
    display_name: str = ""


def admin(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `AdminAsked`. Makes the principal an admin and keeps the token, where they are not there. Answers `{}`.

    The vendor's two groups come with the first admin.
    """
    asked = base.asked(AdminAsked, command)
    if isinstance(asked, Refusal):
        return asked
    return Decision(
        changes=(*_principal(asked, view, facts), *_groups(asked, view, facts), *_token(asked, view, facts))
    )


def _principal(asked: AdminAsked, view: View, facts: Facts) -> tuple[Change, ...]:
    known = view.principals.get(asked.name)
    if known is not None and known.admin and known.active:
        return ()
    made = known or Principal(id=base.number(facts), name=asked.name, display_name=asked.display_name or asked.name)
    made = msgspec.structs.replace(made, admin=True, active=True)
    return ((state.key("principal", made.name), codec.encode(made)),)


def _groups(asked: AdminAsked, view: View, facts: Facts) -> Iterator[Change]:
    for name, member in ((ADMINS, asked.name), (USERS, None)):
        known = view.groups.get(name) or Group(id=base.number(facts), name=name)
        members = known.members if member is None or member in known.members else (*known.members, member)
        if name not in view.groups or members != known.members:
            yield state.key("group", name), codec.encode(msgspec.structs.replace(known, members=members))


def _token(asked: AdminAsked, view: View, facts: Facts) -> tuple[Change, ...]:
    known = view.tokens.get(asked.hash)
    if known is not None and known.owner == asked.name:
        return ()
    token = Token(
        token_id=facts.mint(), hash=asked.hash, owner=asked.name, created_at_ms=facts.now_ms, comment="first admin"
    )
    return ((state.key("token", token.hash), codec.encode(token)),)
