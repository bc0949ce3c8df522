"""Users and service principals: made, changed, gone with all that was theirs. For admins."""

import re
import uuid
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from contract import codec, refusals, scim, state
from contract.records import Command, Kind
from contract.refusals import Refusal
from contract.state import Principal, View
from processors.control import base
from processors.control.base import Change, Decision, Facts
from processors.control.departures import everything_moved

EMAIL = re.compile(r"[^\s@:]+@[^\s@:]+")  # no colon: a subject that begins with `group:` is a group
APPLICATION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Name = Annotated[str, Meta(min_length=1, max_length=255)]
NOUNS: dict[Kind, str] = {"user": "User", "service_principal": "ServicePrincipal"}


class UserAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A user to make."""

    user_name: Name
    display_name: Name | None = None
    active: bool = True


class ServicePrincipalAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A service principal to make; without an application id it gets one."""

    display_name: Name
    application_id: str | None = None
    active: bool = True


class PrincipalChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of the principal whose id is the command's target; None stays as it is."""

    kind: Kind
    display_name: Name | None = None
    active: bool | None = None


class PrincipalNamed(msgspec.Struct, frozen=True, kw_only=True):
    """Of which kind the principal is whose id is the command's target."""

    kind: Kind


def create_user(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `UserAsked`. Answers the user over SCIM, 201. Names that differ in case alone are one name."""
    asked = base.asked(UserAsked, command)
    if isinstance(asked, Refusal):
        return asked
    if not EMAIL.fullmatch(asked.user_name):
        return refusals.invalid("userName: must be an e-mail address")
    display_name = asked.display_name or asked.user_name.partition("@")[0]
    made = Principal(id=base.number(facts), name=asked.user_name, display_name=display_name, active=asked.active)
    return base.not_admin(command, view) or _made(made, view)


def create_service_principal(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `ServicePrincipalAsked`. Answers the service principal over SCIM, 201."""
    asked = base.asked(ServicePrincipalAsked, command)
    if isinstance(asked, Refusal):
        return asked
    application_id = asked.application_id or str(uuid.UUID(hex=facts.mint()))
    if not APPLICATION_ID.fullmatch(application_id):
        return refusals.invalid("applicationId: must be a UUID in small letters")
    made = Principal(
        id=base.number(facts),
        name=application_id,
        display_name=asked.display_name,
        kind="service_principal",
        active=asked.active,
    )
    return base.not_admin(command, view) or _made(made, view)


def _made(made: Principal, view: View) -> Decision | Refusal:
    folded = made.name.casefold()
    if any(name.casefold() == folded for name in view.principals):
        return refusals.already_exists(f"{NOUNS[made.kind]} {made.name}")
    decision = _written(made, view)
    return msgspec.structs.replace(decision, status=201)


def _written(one: Principal, view: View) -> Decision:
    return base.answer(scim.principal(view, one), (state.key("principal", one.name), codec.encode(one)))


def _found(command: Command, kind: Kind, view: View) -> Principal | Refusal:
    refusal = base.not_admin(command, view)
    if refusal is not None:
        return refusal
    wanted = command.target
    found = next((one for one in view.principals.values() if one.id == wanted and one.kind == kind), None)
    return found or refusals.unknown_resource(f"{NOUNS[kind]} with id {wanted}")


def change(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `PrincipalChange`. Answers the principal over SCIM. Nobody deactivates themselves: an admin remains."""
    asked = base.asked(PrincipalChange, command)
    if isinstance(asked, Refusal):
        return asked
    found = _found(command, asked.kind, view)
    if isinstance(found, Refusal):
        return found
    if asked.active is False and found.name == command.requester.name:
        return refusals.invalid("active: nobody can deactivate themselves")
    changed = msgspec.structs.replace(
        found,
        display_name=asked.display_name or found.display_name,
        active=found.active if asked.active is None else asked.active,
    )
    return _written(changed, view)


def delete(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `PrincipalNamed`. What was theirs goes, too: the next one of that name gets nothing of it."""
    asked = base.asked(PrincipalNamed, command)
    if isinstance(asked, Refusal):
        return asked
    found = _found(command, asked.kind, view)
    if isinstance(found, Refusal):
        return found
    if found.name == command.requester.name:
        return refusals.invalid("id: nobody can delete themselves")
    return Decision(changes=tuple(_departure(found.name, view, facts)))


def _departure(name: str, view: View, facts: Facts) -> Iterator[Change]:
    """Tokens first, so that nothing is done with them; who is deleted last, so that the same command can go on."""
    for token in view.tokens.values():
        if token.owner == name:
            yield state.key("token", token.hash), None
    yield from everything_moved(view, name, None, facts.now_ms)
    yield state.key("principal", name), None
