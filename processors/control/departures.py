"""What becomes of grants whose subject goes, or gets another name."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from contract import codec, state
from contract.state import View
from processors.control.base import Change

L = TypeVar("L")


def moved(grants: Mapping[str, L], subject: str, to: str | None) -> dict[str, L]:
    """`grants` with what `subject` held given to `to`, or to nobody.

    >>> moved({"group:a": "READ", "b": "WRITE"}, "group:a", None)
    {'b': 'WRITE'}
    """
    pairs = [(to if one == subject else one, level) for one, level in grants.items()]
    return {one: level for one, level in pairs if one is not None}


def grants_moved(view: View, subject: str, to: str | None) -> Iterator[Change]:
    """Every permission and scope that `subject` is granted something on, with `to` in its place."""
    for permission in view.permissions.values():
        if subject in permission.levels:
            levels = moved(permission.levels, subject, to)
            changed = msgspec.structs.replace(permission, levels=levels)
            yield state.key("permission", permission.endpoint_id), codec.encode(changed)
    for scope in view.scopes.values():
        if subject in scope.grants:
            acls = moved(scope.grants, subject, to)
            left = msgspec.structs.replace(scope, manager="", acls=acls)
            yield state.key("scope", scope.name), codec.encode(left)
