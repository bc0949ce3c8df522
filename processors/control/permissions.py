"""Who may do what with an endpoint: set anew, or merged into what is there."""

import msgspec

from contract import codec, grants, refusals, state
from contract.endpoint import Endpoint
from contract.records import Command
from contract.refusals import Refusal
from contract.state import LEVELS, Level, Permission, View
from processors.control import base
from processors.control.base import Decision, Facts

SUBJECTS = 1000  # of one endpoint: its record is read with every change


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a row of the list is about: exactly one of the names."""

    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None


class Grant(Named, frozen=True, kw_only=True):
    """One row of the list."""

    permission_level: Level


class GrantsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor's body, for the endpoint whose id is the command's target."""

    access_control_list: tuple[Grant, ...] = ()


def put(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `GrantsAsked`, which replaces what was granted. Answers who may do what now."""
    return _decided(command, view, keep=False)


def patch(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `GrantsAsked`, which is added to what was granted; a subject's level is replaced. Answers as `put`."""
    return _decided(command, view, keep=True)


def _decided(command: Command, view: View, *, keep: bool) -> Decision | Refusal:
    asked = base.asked(GrantsAsked, command)
    if isinstance(asked, Refusal):
        return asked
    endpoint = _found(command, view)
    if isinstance(endpoint, Refusal):
        return endpoint
    granted = _granted(asked, view)
    if isinstance(granted, Refusal):
        return granted
    before = view.permissions.get(endpoint.id) if keep else None
    levels = granted if before is None else {**before.levels, **granted}
    if len(levels) > SUBJECTS:
        return refusals.quota(f"access_control_list: at most {SUBJECTS} names per endpoint")
    return _written(endpoint, levels, view)


def _granted(asked: GrantsAsked, view: View) -> dict[str, Level] | Refusal:
    levels: dict[str, Level] = {}
    for index, grant in enumerate(asked.access_control_list):
        whose = subject(grant, index, view)
        if isinstance(whose, Refusal):
            return whose
        levels[whose] = grant.permission_level
    return levels


def _found(command: Command, view: View) -> Endpoint | Refusal:
    endpoint = view.endpoint_by_id(command.target)
    if endpoint is None:
        return refusals.unknown_resource(f"Endpoint with id '{command.target}'")
    if view.level(endpoint, command.requester.name) < LEVELS["CAN_MANAGE"]:
        text = f"User does not have permission to manage endpoint '{endpoint.name}' (CAN_MANAGE is needed)."
        return refusals.forbidden(text)
    return endpoint


def subject(grant: Named, index: int, view: View) -> str | Refusal:
    """Whom the row at `index` is about, as grants know them; 404 when nobody is called like that."""
    named = {
        "user_name": grant.user_name,
        "group_name": grant.group_name,
        "service_principal_name": grant.service_principal_name,
    }
    given = [(field, name) for field, name in named.items() if name is not None]
    if len(given) != 1:
        return refusals.invalid(f"access_control_list[{index}]: give exactly one of {', '.join(named)}")
    field, name = given[0]
    if field == "group_name":
        known = name in view.groups or name == state.USERS
        return state.group(name) if known else refusals.unknown_resource(f"Group '{name}'")
    principal = view.principals.get(name)
    if principal is None or f"{principal.kind}_name" != field:
        noun = "User" if field == "user_name" else "Service principal"
        return refusals.unknown_resource(f"{noun} '{name}'")
    return name


def _written(endpoint: Endpoint, levels: dict[str, Level], view: View) -> Decision:
    kept = Permission(endpoint_id=endpoint.id, levels=levels)
    key, record = state.key("permission", endpoint.id), codec.encode(kept)
    return base.answer(grants.permissions(view, endpoint, kept), (key, record))
