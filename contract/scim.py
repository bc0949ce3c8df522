"""How people and groups are shown over SCIM (api-contract.md 5.4). Pure.

Numbers in a path are ids; `$ref` says which kind of resource an id belongs to.
"""

from collections.abc import Iterator
from typing import Any

from contract import state
from contract.state import ADMINS, Group, Principal, View

CORE = "urn:ietf:params:scim:schemas:core:2.0"
SCHEMAS = {
    "user": f"{CORE}:User",
    "service_principal": f"{CORE}:ServicePrincipal",
}
PLACES = {"user": "Users", "service_principal": "ServicePrincipals"}


def principal(view: View, one: Principal) -> dict[str, Any]:
    """A user or service principal; admins are shown in the vendor's group `admins`, listed there or not."""
    robot = one.kind == "service_principal"
    return {
        "schemas": [SCHEMAS[one.kind]],
        "id": one.id,
        "userName": one.name,
        **({"applicationId": one.name} if robot else {}),
        "displayName": one.display_name,
        "active": one.active,
        "emails": [] if robot else [{"type": "work", "value": one.name, "primary": True}],
        "groups": [*_groups(view, one.name, one.admin)],
    }


def _groups(view: View, member: str, admin: bool = False) -> Iterator[dict[str, str]]:
    """The groups somebody is in; `indirect`: through another one of them."""
    direct = dict.fromkeys((*view.groups_of.get(member, ()), *((ADMINS,) if admin else ())))
    for name in dict.fromkeys((*direct, *view.memberships(member))):
        known = view.groups.get(name)
        group_id = name if known is None else known.id
        kind = "direct" if name in direct else "indirect"
        yield {"display": name, "type": kind, "value": group_id, "$ref": f"Groups/{group_id}"}


def group(view: View, one: Group, known_as: str | None = None) -> dict[str, Any]:
    """A group with its members, and the groups it is in. `known_as`: its name in `view` where that is another."""
    return {
        "schemas": [f"{CORE}:Group"],
        "id": one.id,
        "displayName": one.name,
        "members": [shown for member in one.members if (shown := _member(view, member)) is not None],
        "groups": [*_groups(view, state.group(known_as or one.name))],
        "meta": {"resourceType": "WorkspaceGroup"},
    }


def _member(view: View, member: str) -> dict[str, str] | None:
    """A member as shown; None for one that is no more."""
    name = state.group_named(member)
    if name is not None:
        inner = view.groups.get(name)
        return None if inner is None else {"display": name, "value": inner.id, "$ref": f"Groups/{inner.id}"}
    known = view.principals.get(member)
    if known is None:
        return None
    return {"display": known.display_name, "value": known.id, "$ref": f"{PLACES[known.kind]}/{known.id}"}
