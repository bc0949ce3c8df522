"""Everybody's tokens, for admins: listed, revoked, made on behalf of a service principal."""

from typing import Any

from tests.ingress.world import ADMIN, USER, USER_TOKEN, World

ROOT = "/api/2.0/token-management"
ME = "/api/2.0/preview/scim/v2/Me"


async def with_robot(world: World) -> Any:
    return (await world.post("/api/2.0/preview/scim/v2/ServicePrincipals", {"displayName": "Robot"})).json()


async def on_behalf(world: World, **body: Any) -> Any:
    answer = await world.post(f"{ROOT}/on-behalf-of/tokens", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_token_on_behalf_is_the_service_principals_and_its_value_leaves_once() -> None:
    world = World()
    robot = await with_robot(world)
    made = await on_behalf(world, application_id=robot["applicationId"], lifetime_seconds=60, comment="c")
    assert list(made) == ["token_value", "token_info"] and made["token_info"]["comment"] == "c"
    assert (await world.call("GET", ME, made["token_value"])).json()["applicationId"] == robot["applicationId"]
    assert all(made["token_value"].encode() not in record for _, _, record in world.published)
    world.now_ms += 60_000
    assert (await world.call("GET", ME, made["token_value"])).status_code == 401


async def test_a_list_says_whose_tokens_are_and_who_made_them() -> None:
    world = World()
    robot = await with_robot(world)
    made = await on_behalf(world, application_id=robot["applicationId"])
    infos = (await world.call("GET", f"{ROOT}/tokens")).json()["token_infos"]
    by_id = {info["token_id"]: info for info in infos}
    mine = by_id[made["token_info"]["token_id"]]
    assert (mine["created_by_username"], mine["created_by_id"], mine["owner_id"]) == (ADMIN, 1, int(robot["id"]))
    assert by_id[USER_TOKEN]["created_by_username"] == USER
    assert all(made["token_value"] not in str(info) and "hash" not in info for info in infos)
    query = {"created_by_username": USER}
    assert len((await world.call("GET", f"{ROOT}/tokens", params=query)).json()["token_infos"]) == 1
    assert len((await world.call("GET", f"{ROOT}/tokens", params={"created_by_id": 2})).json()["token_infos"]) == 1


async def test_one_is_shown_and_revoked_at_once() -> None:
    world = World()
    path = f"{ROOT}/tokens/{USER_TOKEN}"
    assert (await world.call("GET", path)).json()["token_info"]["owner_id"] == 2
    assert (await world.call("DELETE", path)).json() == {}
    assert (await world.call("GET", ME, USER_TOKEN)).status_code == 401
    assert [(await world.call(verb, path)).status_code for verb in ("GET", "DELETE")] == [404, 404]


async def test_an_admin_replaces_anybodys_comment_and_is_shown_the_token() -> None:
    world = World()
    body = {"token": {"comment": "of Bob's"}, "update_mask": "comment"}
    shown = (await world.call("PATCH", f"{ROOT}/tokens/{USER_TOKEN}", json=body)).json()
    assert (shown["comment"], shown["owner_id"], shown["token_id"]) == ("of Bob's", 2, USER_TOKEN)
    assert (await world.call("PATCH", f"{ROOT}/tokens/none", json=body)).status_code == 404
    assert (await world.call("PATCH", f"{ROOT}/tokens/{USER_TOKEN}", json={})).status_code == 400


async def test_only_admins_do_this() -> None:
    world = World()
    robot = await with_robot(world)
    body = {"application_id": robot["applicationId"]}
    assert (await world.post(f"{ROOT}/on-behalf-of/tokens", body, USER_TOKEN)).status_code == 403
    for verb, path in (("GET", "tokens"), ("GET", "tokens/x"), ("DELETE", f"tokens/{USER_TOKEN}")):
        assert (await world.call(verb, f"{ROOT}/{path}", USER_TOKEN)).status_code == 403


async def test_an_application_nobody_knows_is_named_and_no_token_shown() -> None:
    answer = await World().post(f"{ROOT}/on-behalf-of/tokens", {"application_id": "nobody"})
    assert answer.status_code == 404 and "nobody" in answer.json()["message"] and "dapi" not in answer.text
