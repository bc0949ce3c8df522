"""Permissions: replaced by PUT, merged by PATCH, by who manages the endpoint and for who is known."""

from typing import Any

import pytest

from contract.endpoint import Endpoint
from tests.processors.control.world import ADMIN, OWNER, STRANGER, World

ROBOT = "01234567-89ab-cdef-0123-456789abcdef"


def furnished() -> tuple[World, Endpoint]:
    world = World()
    world.do("user.create", {"user_name": STRANGER}, by=ADMIN)
    world.do("service_principal.create", {"display_name": "Robot", "application_id": ROBOT}, by=ADMIN)
    world.do("group.create", {"display_name": "staff"}, by=ADMIN)
    return world, world.create()


def grant(world: World, endpoint: Endpoint, *rows: dict[str, str], verb: str = "put", by: str = OWNER) -> Any:
    return world.do(f"permission.{verb}", {"access_control_list": list(rows)}, target=endpoint.id, by=by)


def user(level: str, name: str = STRANGER) -> dict[str, str]:
    return {"user_name": name, "permission_level": level}


def test_the_answer_has_the_vendors_shape() -> None:
    world, endpoint = furnished()
    rows = ({"service_principal_name": ROBOT, "permission_level": "CAN_QUERY"}, user("CAN_VIEW"))
    answer = grant(world, endpoint, *rows)
    assert (answer["object_type"], answer["object_id"]) == ("serving-endpoint", f"/serving-endpoints/{endpoint.id}")
    inherited = {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/serving-endpoints/"]}
    assert answer["access_control_list"] == [
        {"service_principal_name": ROBOT, "display_name": "Robot", "all_permissions": [own("CAN_QUERY")]},
        {"user_name": STRANGER, "display_name": "eve", "all_permissions": [own("CAN_VIEW")]},
        {"user_name": OWNER, "display_name": "Taka", "all_permissions": [own("CAN_MANAGE")]},
        {"group_name": "admins", "all_permissions": [inherited]},
    ]


def own(level: str) -> dict[str, object]:
    return {"permission_level": level, "inherited": False}


def test_put_replaces_and_patch_merges() -> None:
    world, endpoint = furnished()
    grant(world, endpoint, user("CAN_QUERY"))
    grant(world, endpoint, {"group_name": "staff", "permission_level": "CAN_VIEW"}, verb="patch")
    grant(world, endpoint, user("CAN_MANAGE"), verb="patch")
    assert world.view.permissions[endpoint.id].levels == {STRANGER: "CAN_MANAGE", "group:staff": "CAN_VIEW"}
    grant(world, endpoint, user("CAN_VIEW"))
    assert world.view.permissions[endpoint.id].levels == {STRANGER: "CAN_VIEW"}
    grant(world, endpoint)
    assert world.view.level(endpoint, STRANGER) == 0 and world.view.level(endpoint, OWNER) == 3


def test_what_all_users_may_everybody_may() -> None:
    world, endpoint = furnished()
    grant(world, endpoint, {"group_name": "users", "permission_level": "CAN_QUERY"})
    assert world.view.level(endpoint, STRANGER) == 2


@pytest.mark.parametrize(
    ("row", "status", "named"),
    [
        ({"user_name": "no@body.com"}, 404, "no@body.com"),
        ({"user_name": ROBOT}, 404, ROBOT),
        ({"service_principal_name": OWNER}, 404, OWNER),
        ({"group_name": "crew"}, 404, "crew"),
        ({}, 400, "access_control_list[0]"),
        ({"user_name": OWNER, "group_name": "staff"}, 400, "access_control_list[0]"),
        ({"user_name": OWNER, "permission_level": "CAN_FLY"}, 400, "access_control_list[0].permission_level"),
    ],
)
@pytest.mark.parametrize("verb", ["put", "patch"])
def test_a_wrong_row_is_refused_and_named(row: dict[str, str], status: int, named: str, verb: str) -> None:
    world, endpoint = furnished()
    body = {"access_control_list": [{"permission_level": "CAN_VIEW", **row}]}
    refusal = world.refused(f"permission.{verb}", body, target=endpoint.id)
    assert refusal[0] == status and named in refusal[2].replace("[...]", "[0]")


@pytest.mark.parametrize("level", [None, "CAN_VIEW", "CAN_QUERY"])
def test_only_who_manages_may_grant_and_that_right_can_be_granted(level: str | None) -> None:
    world, endpoint = furnished()
    if level:
        grant(world, endpoint, user(level))
    rows = {"access_control_list": [user("CAN_MANAGE")]}
    assert world.refused("permission.put", rows, target=endpoint.id, by=STRANGER)[0] == 403
    grant(world, endpoint, user("CAN_MANAGE"), by=ADMIN)
    grant(world, endpoint, user("CAN_MANAGE"), by=STRANGER)


def test_an_unknown_endpoint_is_404_and_a_name_is_no_id() -> None:
    world, endpoint = furnished()
    assert world.refused("permission.put", {}, target=endpoint.name)[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


def test_no_endpoint_holds_more_names_than_it_may() -> None:
    world, endpoint = furnished()
    for n in range(1001):
        world.keep(f"group/g{n}", {"id": f"g{n}", "name": f"g{n}"})
    rows = [{"group_name": f"g{n}", "permission_level": "CAN_VIEW"} for n in range(1001)]
    refusal = world.refused("permission.put", {"access_control_list": rows}, target=endpoint.id)
    assert refusal[1] == "QUOTA_EXCEEDED"
