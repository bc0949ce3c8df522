"""Who may read, write and manage a secret scope. Said by whoever manages it."""

import msgspec

from contract import codec, refusals, state
from contract.records import Command
from contract.refusals import Refusal
from contract.state import ScopeLevel, SecretScope, View
from processors.control.base import Decision, Facts
from processors.control.secrets import asked_within

SUBJECTS = 1000  # of one scope: its record is read with every change


class AclAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a user, service principal or group may do."""

    scope: str
    principal: str
    permission: ScopeLevel


class AclNamed(msgspec.Struct, frozen=True, kw_only=True):
    """Whose level is to go."""

    scope: str
    principal: str


def subject(principal: str, view: View) -> str | None:
    """Whom a bare name stands for: a principal before a group; None when nobody is called like that."""
    if principal in view.principals:
        return principal
    return state.group(principal) if principal in view.groups or principal == state.USERS else None


def put(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `AclAsked`. Grants the level in the place of the one before. Answers `{}`."""
    asked = asked_within(AclAsked, "MANAGE", command, view)
    if isinstance(asked, Refusal):
        return asked
    whose = subject(asked.principal, view)
    if whose is None:
        return refusals.unknown_resource(f"Principal '{asked.principal}'")
    scope = view.scopes[asked.scope]
    grants = {**scope.grants, whose: asked.permission}
    if len(grants) > SUBJECTS:
        return refusals.quota(f"Scope {scope.name} has {SUBJECTS} names on its list already.")
    return _written(scope, grants)


def delete(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `AclNamed`. Answers `{}`; 404 when the principal holds nothing."""
    asked = asked_within(AclNamed, "MANAGE", command, view)
    if isinstance(asked, Refusal):
        return asked
    scope = view.scopes[asked.scope]
    whose = subject(asked.principal, view)
    if whose not in scope.grants:
        return refusals.unknown_resource(f"ACL of principal '{asked.principal}' on scope {scope.name}")
    return _written(scope, {one: level for one, level in scope.grants.items() if one != whose})


def _written(scope: SecretScope, grants: dict[str, ScopeLevel]) -> Decision:
    # the manager is on the list from now on, so that they can be taken off it
    kept = msgspec.structs.replace(scope, manager="", acls=grants)
    return Decision(changes=((state.key("scope", scope.name), codec.encode(kept)),))
