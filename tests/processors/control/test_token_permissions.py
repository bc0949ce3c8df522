"""Who may use tokens: everybody until an admin says who, the admins always."""

from typing import Any

import pytest

from tests.processors.control.world import ADMIN, OWNER, STRANGER, World

ROBOT = "01234567-89ab-cdef-0123-456789abcdef"


def furnished() -> World:
    world = World()
    world.do("bootstrap.admin", {"name": ADMIN, "hash": "c" * 64})
    world.do("user.create", {"user_name": STRANGER}, by=ADMIN)
    world.do("service_principal.create", {"display_name": "Robot", "application_id": ROBOT}, by=ADMIN)
    world.do("group.create", {"display_name": "staff", "members": ["2"]}, by=ADMIN)
    return world


def allow(world: World, *rows: dict[str, str], verb: str = "put") -> Any:
    body = {"access_control_list": [{"permission_level": "CAN_USE", **row} for row in rows]}
    return world.do(f"token_permission.{verb}", body, by=ADMIN)


def who_may(world: World) -> set[str]:
    return {name for name in (ADMIN, OWNER, STRANGER, ROBOT) if world.view.may_use_tokens(name)}


def test_everybody_may_until_somebody_says_who_and_an_empty_list_leaves_the_admins() -> None:
    world = furnished()
    assert who_may(world) == {ADMIN, OWNER, STRANGER, ROBOT}
    allow(world)
    assert who_may(world) == {ADMIN}


def test_a_group_lets_its_members_in_those_of_groups_within_it_too() -> None:
    world = furnished()
    staff = world.view.groups["staff"].id
    world.do("group.create", {"display_name": "company", "members": [staff]}, by=ADMIN)
    allow(world, {"group_name": "company"})
    assert who_may(world) == {ADMIN, OWNER}


def test_patch_adds_to_everybody_at_first_and_to_the_list_later() -> None:
    world = furnished()
    allow(world, {"user_name": OWNER}, verb="patch")
    assert who_may(world) == {ADMIN, OWNER, STRANGER, ROBOT}
    allow(world, {"user_name": OWNER})
    allow(world, {"service_principal_name": ROBOT}, verb="patch")
    assert who_may(world) == {ADMIN, OWNER, ROBOT}


def test_the_answer_has_the_vendors_shape() -> None:
    shown = allow(furnished(), {"user_name": OWNER}, {"group_name": "admins", "permission_level": "CAN_MANAGE"})
    assert (shown["object_type"], shown["object_id"]) == ("tokens", "/authorization/tokens")
    own = {"permission_level": "CAN_USE", "inherited": False}
    inherited = {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/authorization/"]}
    assert shown["access_control_list"] == [
        {"user_name": OWNER, "display_name": "Taka", "all_permissions": [own]},
        {"group_name": "admins", "all_permissions": [inherited]},
    ]


@pytest.mark.parametrize(
    ("row", "status", "named"),
    [
        ({"user_name": "no@body.com"}, 404, "no@body.com"),
        ({"group_name": "crew"}, 404, "crew"),
        ({}, 400, "access_control_list[0]"),
        ({"user_name": OWNER, "permission_level": "CAN_MANAGE"}, 400, "access_control_list[0].permission_level"),
        ({"user_name": OWNER, "permission_level": "CAN_QUERY"}, 400, "permission_level"),
    ],
)
def test_a_wrong_row_is_refused_and_named(row: dict[str, str], status: int, named: str) -> None:
    body = {"access_control_list": [{"permission_level": "CAN_USE", **row}]}
    refusal = furnished().refused("token_permission.put", body, by=ADMIN)
    assert refusal[0] == status and named in refusal[2]


@pytest.mark.parametrize("verb", ["put", "patch"])
def test_only_admins_say_who(verb: str) -> None:
    assert furnished().refused(f"token_permission.{verb}", {}, by=OWNER)[0] == 403


def test_who_may_not_gets_no_token_by_themselves_nor_from_an_admin() -> None:
    world = furnished()
    allow(world, {"group_name": "staff"})
    token = {"token_id": "t", "hash": "a" * 64}
    assert world.refused("token.create", token, by=STRANGER)[:2] == (403, "PERMISSION_DENIED")
    status, _, message = world.refused("token.create_for", token | {"application_id": ROBOT}, by=ADMIN)
    assert status == 400 and message.startswith("application_id") and "CAN_USE" in message
    world.do("token.create", token, by=OWNER)
    world.do("token.create", token | {"token_id": "u", "hash": "b" * 64}, by=ADMIN)


def test_the_list_follows_a_groups_new_name_and_who_goes_is_off_it() -> None:
    world = furnished()
    allow(world, {"group_name": "staff"}, {"user_name": STRANGER})
    staff = world.view.groups["staff"].id
    world.do("group.change", {"display_name": "crew"}, target=staff, by=ADMIN)
    assert who_may(world) == {ADMIN, OWNER, STRANGER}
    world.do("principal.delete", {"kind": "user"}, target=world.view.principals[STRANGER].id, by=ADMIN)
    world.do("group.delete", target=staff, by=ADMIN)
    assert world.view.authorizations["tokens"].levels == {}
