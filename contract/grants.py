"""How an endpoint's permissions are shown (api-contract.md 5.5). Pure."""

from collections.abc import Iterator
from typing import Any

from contract.endpoint import Endpoint
from contract.state import ADMINS, Level, Permission, View, group, group_named

OBJECT_TYPE = "serving-endpoint"
ROOT = "/serving-endpoints/"
DESCRIPTIONS: dict[Level, str] = {
    "CAN_VIEW": "Can see the endpoint and its settings",
    "CAN_QUERY": "Can see and query the endpoint",
    "CAN_MANAGE": "Can query, change and delete the endpoint and say who else may",
}


def levels() -> dict[str, Any]:
    """Which levels there are."""
    shown = [{"permission_level": level, "description": text} for level, text in DESCRIPTIONS.items()]
    return {"permission_levels": shown}


def permissions(view: View, endpoint: Endpoint, kept: Permission | None) -> dict[str, Any]:
    """Who may do what with one endpoint, on which `kept` is granted: the creator and the admins always manage."""
    return {
        "object_id": f"{ROOT}{endpoint.id}",
        "object_type": OBJECT_TYPE,
        "access_control_list": list(_rows(view, endpoint, kept)),
    }


def _rows(view: View, endpoint: Endpoint, kept: Permission | None) -> Iterator[dict[str, Any]]:
    granted: dict[str, Level] = {} if kept is None else dict(kept.levels)
    granted[endpoint.creator] = "CAN_MANAGE"
    inherited = {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": [ROOT]}
    admins = group(ADMINS)
    for subject, level in granted.items():
        own = {"permission_level": level, "inherited": False}
        yield {**_subject(view, subject), "all_permissions": [own, *([inherited] if subject == admins else [])]}
    if admins not in granted:
        yield {**_subject(view, admins), "all_permissions": [inherited]}


def _subject(view: View, subject: str) -> dict[str, str]:
    name = group_named(subject)
    if name is not None:
        return {"group_name": name}
    known = view.principals.get(subject)
    if known is None:  # an endpoint outlives whoever made it
        return {"user_name": subject}
    field = "user_name" if known.kind == "user" else "service_principal_name"
    return {field: subject, "display_name": known.display_name}
