"""Users and service principals: who makes them, what changes, what goes with them."""

import re

import pytest

from contract.state import Level, Permission, Token
from tests.processors.control.world import ADMIN, OWNER, STRANGER, T0, World

USER = {"user_name": "new@example.com"}


def test_a_user_gets_a_decimal_id_and_a_name_to_show() -> None:
    world = World()
    made = world.do("user.create", USER, by=ADMIN)
    assert re.fullmatch("[0-9]{16}", made["id"])
    assert (made["userName"], made["displayName"], made["active"]) == ("new@example.com", "new", True)
    assert made["emails"] == [{"type": "work", "value": "new@example.com", "primary": True}]
    assert world.view.principals["new@example.com"].kind == "user"


def test_making_somebody_is_201() -> None:
    decision = World().decide("user.create", USER, by=ADMIN)
    assert decision.status == 201


@pytest.mark.parametrize("name", ["", "group:staff", "a b@c.d", "nobody", "a@b@c", "a:b@c"])
def test_a_user_is_named_by_an_email_and_never_like_a_group(name: str) -> None:
    status, code, message = World().refused("user.create", {"user_name": name}, by=ADMIN)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE") and message.lower().startswith("user")


@pytest.mark.parametrize("name", [OWNER, OWNER.upper()])
def test_a_name_is_taken_whatever_its_case(name: str) -> None:
    assert World().refused("user.create", {"user_name": name}, by=ADMIN)[:2] == (409, "RESOURCE_ALREADY_EXISTS")


def test_a_service_principal_is_known_by_an_application_id_it_may_bring() -> None:
    world = World()
    made = world.do("service_principal.create", {"display_name": "Robot"}, by=ADMIN)
    assert re.fullmatch("[0-9a-f-]{36}", made["applicationId"])
    assert world.view.principals[made["applicationId"]].kind == "service_principal"
    own = "01234567-89ab-cdef-0123-456789abcdef"
    body = {"display_name": "Other", "application_id": own}
    assert world.do("service_principal.create", body, by=ADMIN)["applicationId"] == own
    assert world.refused("service_principal.create", body, by=ADMIN)[0] == 409
    assert world.refused("service_principal.create", body | {"application_id": "x"}, by=ADMIN)[0] == 400


def test_what_is_not_given_stays() -> None:
    world = World()
    world.do("principal.change", {"kind": "user", "active": False}, target="2", by=ADMIN)
    shown = world.do("principal.change", {"kind": "user", "display_name": "T"}, target="2", by=ADMIN)
    assert (shown["displayName"], shown["active"]) == ("T", False)


def test_an_id_of_the_other_kind_is_404() -> None:
    body = {"kind": "service_principal", "active": False}
    assert World().refused("principal.change", body, target="2", by=ADMIN)[0] == 404


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("user.create", USER),
        ("service_principal.create", {"display_name": "R"}),
        ("principal.change", {"kind": "user", "active": False}),
        ("principal.delete", {"kind": "user"}),
    ],
)
@pytest.mark.parametrize("by", [OWNER, STRANGER])
def test_only_admins_do_this(action: str, body: dict[str, object], by: str) -> None:
    assert World().refused(action, body, target="1", by=by)[:2] == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(("action", "more"), [("principal.change", {"active": False}), ("principal.delete", {})])
def test_nobody_shuts_themselves_out(action: str, more: dict[str, object]) -> None:
    assert World().refused(action, {"kind": "user", **more}, target="1", by=ADMIN)[0] == 400


def test_whoever_gets_a_name_after_its_owner_has_gone_gets_nothing_with_it() -> None:
    world = World()
    endpoint = world.create(by=ADMIN)
    world.keep("token/" + "a" * 64, Token(token_id="t", hash="a" * 64, owner=OWNER, created_at_ms=T0))
    world.keep("token/" + "b" * 64, Token(token_id="u", hash="b" * 64, owner=ADMIN, created_at_ms=T0))
    group = world.do("group.create", {"display_name": "staff", "members": ["1", "2"]}, by=ADMIN)
    levels: dict[str, Level] = {OWNER: "CAN_QUERY", "group:staff": "CAN_VIEW"}
    world.keep(f"permission/{endpoint.id}", Permission(endpoint_id=endpoint.id, levels=levels))
    world.do("scope.create", {"scope": "mine"})
    world.do("scope.create", {"scope": "shared"}, by=ADMIN)
    world.do("scope.put_acl", {"scope": "shared", "principal": OWNER, "permission": "READ"}, by=ADMIN)
    assert world.do("principal.delete", {"kind": "user"}, target="2", by=ADMIN) == {}
    world.do("user.create", {"user_name": OWNER}, by=ADMIN)
    view = world.view
    assert [token.owner for token in view.tokens.values()] == [ADMIN]
    assert view.groups["staff"].members == (ADMIN,) and view.groups_of.get(OWNER, ()) == ()
    assert view.level(endpoint, OWNER) == 0
    assert [view.scope_level(scope, OWNER) for scope in view.scopes.values()] == [0, 0]
    assert group["id"] == view.groups["staff"].id
