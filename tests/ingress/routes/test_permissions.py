"""Permissions over HTTP: granted by who manages, in force with the next call."""

from typing import Any

import pytest

from tests.ingress.world import ADMIN, CHAT, USER, USER_TOKEN, World

ENDPOINT = "/api/2.0/serving-endpoints/chat"
QUERY = "/serving-endpoints/chat/invocations"


async def with_endpoint() -> tuple[World, str]:
    world = World()
    made = await world.post("/api/2.0/serving-endpoints", CHAT)
    return world, f"/api/2.0/permissions/serving-endpoints/{made.json()['id']}"


async def grant(world: World, path: str, level: str | None, verb: str = "PUT") -> Any:
    rows = [{"user_name": USER, "permission_level": level}] if level else []
    answer = await world.call(verb, path, json={"access_control_list": rows})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("level", "statuses"),
    [
        (None, (403, 403, 403)),
        ("CAN_VIEW", (200, 403, 403)),
        ("CAN_QUERY", (200, 200, 403)),
        ("CAN_MANAGE", (200,) * 3),
    ],
)
async def test_a_level_is_in_force_with_the_next_call(level: str | None, statuses: tuple[int, ...]) -> None:
    world, path = await with_endpoint()
    for before in ("CAN_MANAGE", level):
        await grant(world, path, before)
    got = [
        (await world.call("GET", ENDPOINT, USER_TOKEN)).status_code,
        (await world.post(QUERY, {"messages": []}, USER_TOKEN)).status_code,
        (await world.call("PUT", f"{ENDPOINT}/ai-gateway", USER_TOKEN, json={})).status_code,
    ]
    assert tuple(got) == statuses


async def test_what_is_granted_is_shown_with_creator_and_admins() -> None:
    world, path = await with_endpoint()
    answered = await grant(world, path, "CAN_VIEW", "PATCH")
    assert answered == (await world.call("GET", path, USER_TOKEN)).json()
    shown = {row.get("user_name", row.get("group_name")): row for row in answered["access_control_list"]}
    assert list(shown) == [USER, ADMIN, "admins"]
    assert shown["admins"]["all_permissions"][0]["inherited"] is True


async def test_the_levels_are_the_vendors() -> None:
    world, path = await with_endpoint()
    shown = (await world.call("GET", f"{path}/permissionLevels")).json()["permission_levels"]
    assert [row["permission_level"] for row in shown] == ["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]
    assert all(row["description"] for row in shown)


async def test_a_name_is_no_id_and_a_stranger_sees_nothing() -> None:
    world, path = await with_endpoint()
    by_name = "/api/2.0/permissions/serving-endpoints/chat"
    for verb in ("GET", "PUT", "PATCH"):
        assert (await world.call(verb, by_name, json={})).status_code == 404
        assert (await world.call(verb, path, USER_TOKEN, json={})).status_code == 403
    assert (await world.call("PUT", path, USER_TOKEN, content=b"{")).status_code == 403
    assert (await world.call("PUT", path, content=b"{")).status_code == 400


TOKENS = "/api/2.0/permissions/authorization/tokens"


async def test_who_may_use_tokens_is_in_force_with_the_next_call_and_admins_stay() -> None:
    world = World()
    before = (await world.call("GET", TOKENS)).json()
    assert [row.get("group_name") for row in before["access_control_list"]] == ["users", "admins"]
    statuses = []
    for rows in ([], [{"user_name": USER, "permission_level": "CAN_USE"}]):
        answer = await world.call("PUT", TOKENS, json={"access_control_list": rows})
        assert answer.json() == (await world.call("GET", TOKENS)).json()
        statuses += [(await world.post("/api/2.0/token/create", {}, USER_TOKEN)).status_code]
    assert statuses == [403, 200]


async def test_the_levels_on_tokens_are_the_vendors() -> None:
    shown = (await World().call("GET", f"{TOKENS}/permissionLevels")).json()["permission_levels"]
    assert [row["permission_level"] for row in shown] == ["CAN_USE", "CAN_MANAGE"]


@pytest.mark.parametrize("body", [b"{", b'{"access_control_list": [{"permission_level": "CAN_FLY"}]}'])
async def test_a_bad_list_is_refused_and_nothing_changes(body: bytes) -> None:
    world = World()
    assert (await world.call("PUT", TOKENS, content=body)).status_code == 400
    assert world.view.authorizations == {}
