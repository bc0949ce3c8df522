"""What becomes of memberships, grants and rate limits whose subject goes, or gets another name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from contract import codec, state
from contract.endpoint import RateLimit
from contract.state import View
from processors.control import gateway
from processors.control.base import Change

L = TypeVar("L")


def moved(grants: Mapping[str, L], subject: str, to: str | None) -> dict[str, L]:
    """`grants` with what `subject` held given to `to`, or to nobody.

    >>> moved({"group:a": "READ", "b": "WRITE"}, "group:a", None)
    {'b': 'WRITE'}
    """
    pairs = [(to if one == subject else one, level) for one, level in grants.items()]
    return {one: level for one, level in pairs if one is not None}


def everything_moved(view: View, subject: str, to: str | None, now_ms: int) -> Iterator[Change]:
    """All that is below, for a subject that is called `to` from now on, or is no more."""
    yield from memberships_moved(view, subject, to)
    yield from grants_moved(view, subject, to)
    yield from limits_moved(view, subject, to, now_ms)


def memberships_moved(view: View, subject: str, to: str | None) -> Iterator[Change]:
    """Every group that lists `subject` itself, with `to` in its place."""
    for name in view.groups_of.get(subject, ()):
        known = view.groups[name]
        members = tuple(moved(dict.fromkeys(known.members), subject, to))
        yield state.key("group", name), codec.encode(msgspec.structs.replace(known, members=members))


def grants_moved(view: View, subject: str, to: str | None) -> Iterator[Change]:
    """Every permission, authorization and scope that grants `subject` something, with `to` in its place."""
    for permission in view.permissions.values():
        if subject in permission.levels:
            levels = moved(permission.levels, subject, to)
            changed = msgspec.structs.replace(permission, levels=levels)
            yield state.key("permission", permission.endpoint_id), codec.encode(changed)
    for said in view.authorizations.values():
        if subject in said.levels:
            allowed = msgspec.structs.replace(said, levels=moved(said.levels, subject, to))
            yield state.key("authorization", said.name), codec.encode(allowed)
    for scope in view.scopes.values():
        if subject in scope.grants:
            acls = moved(scope.grants, subject, to)
            left = msgspec.structs.replace(scope, manager="", acls=acls)
            yield state.key("scope", scope.name), codec.encode(left)


def limits_moved(view: View, subject: str, to: str | None, now_ms: int) -> Iterator[Change]:
    """Every endpoint with a rate limit for `subject`: it is for `to` now, or gone: it would bind the next so named."""
    for endpoint in view.endpoints.values():
        before = (endpoint.ai_gateway and endpoint.ai_gateway.rate_limits) or ()
        if any(_bound(limit) == subject for limit in before):
            changed = gateway.with_limits(endpoint, _limits(before, subject, to), now_ms)
            yield state.key("endpoint", endpoint.name), codec.encode(changed)


def _bound(limit: RateLimit) -> str | None:
    """Whom a limit names, as a subject."""
    named = limit.principal is not None and limit.key == "user_group"
    return state.group(limit.principal or "") if named else limit.principal


def _limits(before: Sequence[RateLimit], subject: str, to: str | None) -> tuple[RateLimit, ...]:
    """The limits after the move; one that named `to` while nobody was called so gives way."""
    after: dict[tuple[str, str | None, bool], RateLimit] = {}
    for limit in before:
        if _bound(limit) != subject:
            after.setdefault((limit.key, limit.principal, limit.calls is None), limit)
        elif to is not None:
            name = state.group_named(to) or to
            after[limit.key, name, limit.calls is None] = msgspec.structs.replace(limit, principal=name)
    return tuple(after.values())
