"""How people and groups are shown over SCIM (api-contract.md 5.4). Pure.

Numbers in a path are ids; `$ref` says which kind of resource an id belongs to.
"""

from typing import Any

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
        "groups": [_group_of(view, name) for name in _names_of_groups(view, one)],
    }


def _names_of_groups(view: View, one: Principal) -> dict[str, None]:
    return dict.fromkeys((*view.groups_of.get(one.name, ()), *((ADMINS,) if one.admin else ())))


def _group_of(view: View, name: str) -> dict[str, str]:
    known = view.groups.get(name)
    group_id = name if known is None else known.id
    return {"display": name, "type": "direct", "value": group_id, "$ref": f"Groups/{group_id}"}


def group(view: View, one: Group) -> dict[str, Any]:
    """A group with its members."""
    members = [view.principals[name] for name in one.members if name in view.principals]
    return {
        "schemas": [f"{CORE}:Group"],
        "id": one.id,
        "displayName": one.name,
        "members": [
            {"display": member.display_name, "value": member.id, "$ref": f"{PLACES[member.kind]}/{member.id}"}
            for member in members
        ],
        "groups": [],
        "meta": {"resourceType": "WorkspaceGroup"},
    }
