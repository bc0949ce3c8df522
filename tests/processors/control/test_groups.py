"""Groups: members by id, admins by membership, grants that follow a name."""

from typing import Any

import pytest

from contract.state import Permission
from tests.processors.control.world import ADMIN, OWNER, STRANGER, World


def with_group(*members: str) -> tuple[World, str]:
    world = World()
    made = world.do("group.create", {"display_name": "staff", "members": list(members)}, by=ADMIN)
    return world, made["id"]


def change(world: World, group_id: str, *steps: tuple[str, list[str]], **more: Any) -> Any:
    body = {"steps": [{"op": op, "ids": ids} for op, ids in steps]} | more
    return world.do("group.change", body, target=group_id, by=ADMIN)


def admins(world: World, *members: str) -> str:
    """The group `admins`, as the first admin's ingress has it made."""
    world.do("bootstrap.admin", {"name": ADMIN, "hash": "c" * 64})
    group_id = world.view.groups["admins"].id
    change(world, group_id, ("add", list(members)))
    return group_id


def test_a_group_shows_its_members_and_they_are_in_it() -> None:
    world, group_id = with_group("2")
    shown = change(world, group_id)
    assert shown["displayName"] == "staff"
    assert shown["members"] == [{"display": "Taka", "value": "2", "$ref": "Users/2"}]
    assert world.view.groups_of == {OWNER: ("staff",)}


@pytest.mark.parametrize(
    ("steps", "members"),
    [
        ([("add", ["1"])], (OWNER, ADMIN)),
        ([("add", ["2", "2"])], (OWNER,)),
        ([("remove", ["2"])], ()),
        ([("remove", ["1", "unknown"])], (OWNER,)),
        ([("replace", ["1"])], (ADMIN,)),
        ([("replace", []), ("add", ["1"])], (ADMIN,)),
    ],
)
def test_members_change_step_by_step(steps: list[tuple[str, list[str]]], members: tuple[str, ...]) -> None:
    world, group_id = with_group("2")
    change(world, group_id, *steps)
    assert world.view.groups["staff"].members == members
    assert {name for name, groups in world.view.groups_of.items() if groups == ("staff",)} == set(members)


@pytest.mark.parametrize("op", ["add", "replace"])
def test_an_id_that_nobody_has_is_named(op: str) -> None:
    world, group_id = with_group()
    body = {"steps": [{"op": op, "ids": ["2", "nobody"]}]}
    status, _, message = world.refused("group.change", body, target=group_id, by=ADMIN)
    assert status == 400 and "'nobody'" in message


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "a\nb", "x" * 256])
def test_a_bad_name_is_refused(name: str) -> None:
    assert World().refused("group.create", {"display_name": name}, by=ADMIN)[0] == 400


@pytest.mark.parametrize("name", ["staff", "STAFF", "admins", "Users"])
def test_a_name_is_taken_whatever_its_case(name: str) -> None:
    world, _ = with_group()
    assert world.refused("group.create", {"display_name": name}, by=ADMIN)[0] == 409


def test_members_of_admins_are_admins_as_long_as_they_are_in_it_and_active() -> None:
    world = World()
    group_id = admins(world, "2")
    assert world.view.is_admin(OWNER)
    world.do("principal.change", {"kind": "user", "active": False}, target="2", by=ADMIN)
    assert not world.view.is_admin(OWNER)
    world.do("principal.change", {"kind": "user", "active": True}, target="2", by=ADMIN)
    change(world, group_id, ("remove", ["2"]))
    assert not world.view.is_admin(OWNER)


def test_the_admins_keep_one_of_them() -> None:
    world = World()
    group_id = admins(world, "2")
    root = world.view.principals[ADMIN]
    world.keep(f"principal/{ADMIN}", type(root)(id="1", name=ADMIN, display_name="Root"))
    empty = {"steps": [{"op": "replace", "ids": []}]}
    assert world.refused("group.change", empty, target=group_id, by=ADMIN)[0] == 400
    change(world, group_id, ("replace", ["2"]))
    assert world.view.is_admin(OWNER) and not world.view.is_admin(ADMIN)


def test_the_vendors_groups_keep_their_names_and_cannot_go() -> None:
    world = World()
    admins(world)
    for name in ("admins", "users"):
        group_id = world.view.groups[name].id
        assert world.refused("group.delete", target=group_id, by=ADMIN)[0] == 400
        assert world.refused("group.change", {"display_name": "x"}, target=group_id, by=ADMIN)[0] == 400
    filled = {"steps": [{"op": "add", "ids": ["2"]}]}
    assert world.refused("group.change", filled, target=world.view.groups["users"].id, by=ADMIN)[0] == 400


def test_grants_follow_a_groups_new_name_and_go_with_the_group() -> None:
    world, group_id = with_group("2")
    endpoint = world.create(by=ADMIN)
    kept = Permission(endpoint_id=endpoint.id, levels={"group:staff": "CAN_QUERY"})
    world.keep(f"permission/{endpoint.id}", kept)
    world.do("scope.create", {"scope": "s"}, by=ADMIN)
    world.do("scope.put_acl", {"scope": "s", "principal": "staff", "permission": "WRITE"}, by=ADMIN)
    change(world, group_id, display_name="crew")
    assert list(world.view.groups) == ["crew"]
    assert (world.view.level(endpoint, OWNER), world.view.scope_level(world.view.scopes["s"], OWNER)) == (2, 2)
    world.do("group.delete", target=group_id, by=ADMIN)
    world.do("group.create", {"display_name": "crew", "members": ["2"]}, by=ADMIN)
    assert (world.view.level(endpoint, OWNER), world.view.scope_level(world.view.scopes["s"], OWNER)) == (0, 0)


def test_a_group_may_change_the_case_of_its_name() -> None:
    world, group_id = with_group("2")
    assert change(world, group_id, display_name="Staff")["displayName"] == "Staff"
    assert world.view.groups_of[OWNER] == ("Staff",)


@pytest.mark.parametrize("action", ["group.create", "group.change", "group.delete"])
@pytest.mark.parametrize("by", [OWNER, STRANGER])
def test_only_admins_do_this(action: str, by: str) -> None:
    world, group_id = with_group()
    assert world.refused(action, {"display_name": "x"}, target=group_id, by=by)[0] == 403


@pytest.mark.parametrize("action", ["group.change", "group.delete"])
def test_an_unknown_id_is_404(action: str) -> None:
    assert World().refused(action, {}, target="9", by=ADMIN)[0] == 404


def nested(world: World, *names: str) -> list[str]:
    """Groups, each in the next one; their ids."""
    ids: list[str] = []
    for name in names:
        members = ids[-1:]
        ids.append(world.do("group.create", {"display_name": name, "members": members}, by=ADMIN)["id"])
    return ids


def test_a_group_in_a_group_is_shown_on_both_sides() -> None:
    world = World()
    inner, outer = nested(world, "inner", "outer")
    shown = change(world, outer, ("add", ["2"]))
    assert shown["members"] == [
        {"display": "inner", "value": inner, "$ref": f"Groups/{inner}"},
        {"display": "Taka", "value": "2", "$ref": "Users/2"},
    ]
    above = change(world, inner)["groups"]
    assert above == [{"display": "outer", "type": "direct", "value": outer, "$ref": f"Groups/{outer}"}]


def test_membership_reaches_through_groups_for_permissions_and_scopes() -> None:
    world = World()
    inner, _, _ = nested(world, "inner", "middle", "outer")
    world.do("user.create", {"user_name": STRANGER}, by=ADMIN)
    endpoint = world.create()
    rows = {"access_control_list": [{"group_name": "outer", "permission_level": "CAN_QUERY"}]}
    world.do("permission.put", rows, target=endpoint.id)
    world.do("scope.create", {"scope": "s"})
    world.do("scope.put_acl", {"scope": "s", "principal": "outer", "permission": "WRITE"})
    scope = world.view.scopes["s"]
    for op, levels in (("add", (2, 2)), ("remove", (0, 0))):
        change(world, inner, (op, [world.view.principals[STRANGER].id]))
        assert (world.view.level(endpoint, STRANGER), world.view.scope_level(scope, STRANGER)) == levels


@pytest.mark.parametrize(
    ("within", "member", "why"),
    [(0, 0, "in itself"), (0, 1, "'inner' is in 'middle'"), (0, 2, "'inner' is in 'outer'"), (1, 2, "is in 'outer'")],
)
@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_group_that_would_contain_itself_is_refused_and_named(within: int, member: int, why: str, op: str) -> None:
    world = World()
    ids = nested(world, "inner", "middle", "outer")
    body = {"steps": [{"op": op, "ids": ["2", ids[member]]}]}
    status, code, message = world.refused("group.change", body, target=ids[within], by=ADMIN)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message.startswith("members: ") and why in message


def test_a_group_may_be_in_another_by_two_ways() -> None:
    world = World()
    inner, _, outer = nested(world, "inner", "middle", "outer")
    change(world, inner, ("add", ["2"]))
    change(world, outer, ("add", [inner]))
    assert world.view.memberships(OWNER) == ("inner", "middle", "outer")


def test_everybody_cannot_be_in_a_group() -> None:
    world = World()
    admins(world)
    body = {"display_name": "staff", "members": [world.view.groups["users"].id]}
    status, _, message = world.refused("group.create", body, by=ADMIN)
    assert status == 400 and message.startswith("members: 'users'")


def test_the_admins_keep_an_active_one_when_a_group_among_them_changes() -> None:
    world = World()
    group_id = admins(world)
    (operators,) = nested(world, "operators")
    change(world, operators, ("add", ["2"]))
    change(world, group_id, ("replace", [operators]))
    assert world.view.is_admin(OWNER)
    root = world.view.principals[ADMIN]
    world.keep(f"principal/{ADMIN}", type(root)(id="1", name=ADMIN, display_name="Root"))
    empty = {"steps": [{"op": "replace", "ids": []}]}
    for action, body, target in (
        ("group.change", empty, operators),
        ("group.change", empty, group_id),
        ("group.delete", {}, operators),
    ):
        status, _, message = world.refused(action, body, target=target, by=OWNER)
        assert status == 400 and "active member" in message
    change_name = world.do("group.change", {"display_name": "crew"}, target=operators, by=OWNER)
    assert change_name["displayName"] == "crew" and world.view.is_admin(OWNER)
