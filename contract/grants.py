"""How the permissions of an endpoint, and of tokens, are shown (api-contract.md 5.5). Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from contract.endpoint import Endpoint
from contract.state import (
    ADMINS,
    TOKENS,
    USERS,
    Authorization,
    Level,
    Permission,
    TokenLevel,
    View,
    group,
    group_named,
)

OBJECT_TYPE = "serving-endpoint"
ROOT = "/serving-endpoints/"
DESCRIPTIONS: dict[Level, str] = {
    "CAN_VIEW": "Can see the endpoint and its settings",
    "CAN_QUERY": "Can see and query the endpoint",
    "CAN_MANAGE": "Can query, change and delete the endpoint and say who else may",
}


ABOVE_TOKENS = "/authorization/"
TOKEN_DESCRIPTIONS: dict[TokenLevel, str] = {
    "CAN_USE": "Can make and use personal access tokens",
    "CAN_MANAGE": "Can manage everybody's tokens and say who may use them; admins alone",
}
EVERYBODY: Mapping[str, TokenLevel] = {group(USERS): "CAN_USE"}


def levels() -> dict[str, Any]:
    """Which levels there are on an endpoint."""
    return _levels(DESCRIPTIONS)


def token_levels() -> dict[str, Any]:
    """Which levels there are on tokens."""
    return _levels(TOKEN_DESCRIPTIONS)


def _levels(descriptions: Mapping[Any, str]) -> dict[str, Any]:
    shown = [{"permission_level": level, "description": text} for level, text in descriptions.items()]
    return {"permission_levels": shown}


def permissions(view: View, endpoint: Endpoint, kept: Permission | None) -> dict[str, Any]:
    """Who may do what with one endpoint, on which `kept` is granted: the creator and the admins always manage."""
    granted: dict[str, Level] = {} if kept is None else dict(kept.levels)
    granted[endpoint.creator] = "CAN_MANAGE"
    return {
        "object_id": f"{ROOT}{endpoint.id}",
        "object_type": OBJECT_TYPE,
        "access_control_list": list(_rows(view, granted, ROOT)),
    }


def token_permissions(view: View, kept: Authorization | None) -> dict[str, Any]:
    """Who may use tokens, as `kept` says; without it everybody may. The admins always manage them."""
    granted = EVERYBODY if kept is None else kept.levels
    return {
        "object_id": f"{ABOVE_TOKENS}{TOKENS}",
        "object_type": TOKENS,
        "access_control_list": list(_rows(view, granted, ABOVE_TOKENS)),
    }


def _rows(view: View, granted: Mapping[str, str], root: str) -> Iterator[dict[str, Any]]:
    inherited = {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": [root]}
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
