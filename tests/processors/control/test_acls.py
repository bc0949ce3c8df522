"""Scopes' lists: READ below WRITE below MANAGE, said by who manages, held by people and groups."""

import pytest

from tests.processors.control.world import ADMIN, OWNER, STRANGER, World

PUT = {"scope": "s", "key": "k", "sealed": "x"}


def with_scope() -> World:
    world = World()
    world.do("user.create", {"user_name": STRANGER}, by=ADMIN)
    world.do("group.create", {"display_name": "staff"}, by=ADMIN)
    world.do("scope.create", {"scope": "s"})
    world.do("secret.put", PUT)
    return world


def allow(world: World, principal: str, permission: str, by: str = OWNER) -> None:
    body = {"scope": "s", "principal": principal, "permission": permission}
    assert world.do("scope.put_acl", body, by=by) == {}


ACTIONS = {
    "secret.put": (PUT, "WRITE"),
    "secret.delete": (PUT, "WRITE"),
    "scope.delete": ({"scope": "s"}, "MANAGE"),
    "scope.put_acl": ({"scope": "s", "principal": STRANGER, "permission": "READ"}, "MANAGE"),
    "scope.delete_acl": ({"scope": "s", "principal": OWNER}, "MANAGE"),
}
LEVELS = ["", "READ", "WRITE", "MANAGE"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("level", LEVELS)
def test_each_action_needs_its_level(action: str, level: str) -> None:
    world = with_scope()
    if level:
        allow(world, STRANGER, level)
    body, needed = ACTIONS[action]
    if LEVELS.index(level) >= LEVELS.index(needed):
        world.do(action, body, by=STRANGER)
    else:
        status, _, message = world.refused(action, body, by=STRANGER)
        assert status == 403 and needed in message


def test_a_groups_level_is_its_members_and_users_are_all() -> None:
    world = with_scope()
    allow(world, "staff", "WRITE")
    assert world.refused("secret.put", PUT, by=STRANGER)[0] == 403
    group_id = world.view.groups["staff"].id
    stranger = world.view.principals[STRANGER].id
    world.do("group.change", {"steps": [{"op": "add", "ids": [stranger]}]}, target=group_id, by=ADMIN)
    world.do("secret.put", PUT, by=STRANGER)
    allow(world, "users", "MANAGE")
    allow(world, "staff", "READ", by=STRANGER)


def test_the_manager_can_be_taken_off_the_list() -> None:
    world = with_scope()
    allow(world, STRANGER, "MANAGE")
    world.do("scope.delete_acl", {"scope": "s", "principal": OWNER}, by=STRANGER)
    assert world.view.scopes["s"].grants == {STRANGER: "MANAGE"}
    assert world.refused("secret.put", PUT, by=OWNER)[0] == 403


def test_a_scope_of_all_users_can_be_narrowed() -> None:
    world = World()
    world.do("scope.create", {"scope": "s", "initial_manage_principal": "users"})
    allow(world, "users", "READ", by=STRANGER)
    assert world.refused("secret.put", PUT, by=STRANGER)[0] == 403


def test_an_unknown_name_is_404_and_so_is_one_without_a_level() -> None:
    world = with_scope()
    body = {"scope": "s", "principal": "no@body.com", "permission": "READ"}
    assert "no@body.com" in world.refused("scope.put_acl", body)[2]
    assert world.refused("scope.delete_acl", {"scope": "s", "principal": STRANGER})[0] == 404
    assert world.refused("scope.put_acl", body | {"permission": "OWN"})[0] == 400
    assert world.refused("scope.put_acl", body | {"scope": "t"})[0] == 404
