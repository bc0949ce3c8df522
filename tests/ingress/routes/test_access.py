"""Tokens and people: a token works from its answer on, its value is nowhere but there."""

import httpx
import msgspec
import pytest

from contract import state
from contract.records import Command
from contract.state import Group, Principal
from ingress.identity import token_hash
from tests.ingress.world import ADMIN_TOKEN, USER, USER_TOKEN, World

ME = "/api/2.0/preview/scim/v2/Me"
CREATE, LIST, DELETE = (f"/api/2.0/token/{verb}" for verb in ("create", "list", "delete"))


async def test_a_token_works_as_soon_as_it_is_answered_and_no_longer_than_its_life() -> None:
    world = World()
    made = (await world.post(CREATE, {"comment": "c", "lifetime_seconds": 120})).json()
    assert list(made) == ["token_value", "token_info"]
    assert made["token_info"]["expiry_time"] - made["token_info"]["creation_time"] == 120_000
    value = made["token_value"]
    assert value.startswith("dapi") and len(value) == 36
    assert (await world.call("GET", ME, token=value)).status_code == 200
    world.now_ms += 120_000
    assert (await world.call("GET", ME, token=value)).status_code == 401


async def test_only_the_hash_leaves() -> None:
    world = World()
    value = (await world.post(CREATE, {})).json()["token_value"]
    sent = world.published[0][2]
    assert value.encode() not in sent and token_hash(value).encode() in sent
    assert msgspec.json.decode(sent, type=Command).action == "token.create"


async def test_an_empty_body_makes_a_token_too() -> None:
    assert (await World().call("POST", CREATE)).status_code == 200


@pytest.mark.parametrize("body", [{"lifetime_seconds": 0}, {"lifetime_seconds": "x"}, {"comment": 1}])
async def test_a_wrong_field_is_named_and_no_token_shown(body: dict[str, object]) -> None:
    answer = await World().post(CREATE, body)
    assert answer.status_code == 400 and next(iter(body)) in answer.json()["message"]
    assert "dapi" not in answer.text


async def patched(world: World, token_id: str, body: object, token: str = USER_TOKEN) -> httpx.Response:
    return await world.call("PATCH", f"/api/2.0/token/{token_id}", token, json=body)


@pytest.mark.parametrize("mask", ["comment", "*"])
async def test_the_comment_of_ones_own_token_can_be_replaced(mask: str) -> None:
    world = World()
    for comment in ("mine", ""):
        body = {"token": {"comment": comment, "creation_time": 1}, "update_mask": mask}
        answer = await patched(world, USER_TOKEN, body)
        assert (answer.status_code, answer.json()) == (200, {})
        (info,) = (await world.call("GET", LIST, token=USER_TOKEN)).json()["token_infos"]
        assert (info["comment"], info["creation_time"]) == (comment, 0)


@pytest.mark.parametrize(
    ("mask", "token", "named"),
    [
        ("", {}, "update_mask"),
        ("comment,expiry_time", {}, "'expiry_time'"),
        ("comment,scopes", {}, "token.scopes"),
        ("*", {"scopes": ["serving"]}, "token.scopes"),
        ("comment", {"comment": 1}, "token.comment"),
    ],
)
async def test_what_cannot_change_is_refused_and_named(mask: str, token: dict[str, object], named: str) -> None:
    answer = await patched(World(), USER_TOKEN, {"token": token, "update_mask": mask})
    assert answer.status_code == 400 and named in answer.json()["message"]


async def test_a_token_that_were_to_do_less_is_refused_rather_than_made_to_do_all() -> None:
    answer = await World().post(CREATE, {"scopes": ["serving"]})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "FEATURE_DISABLED")
    assert answer.json()["message"].startswith("scopes")


async def test_one_lists_and_deletes_ones_own() -> None:
    world = World()
    made = (await world.post(CREATE, {"comment": "mine"}, token=USER_TOKEN)).json()
    token_id = made["token_info"]["token_id"]
    infos = (await world.call("GET", LIST, token=USER_TOKEN)).json()["token_infos"]
    assert made["token_info"] in infos and len(infos) == 2
    assert token_id not in (await world.call("GET", LIST, token=ADMIN_TOKEN)).text
    gone = await world.post(DELETE, {"token_id": token_id}, token=USER_TOKEN)
    assert (gone.status_code, gone.json()) == (200, {})
    assert (await world.call("GET", ME, token=made["token_value"])).status_code == 401


async def test_a_token_that_is_not_there_is_404() -> None:
    answer = await World().post(DELETE, {"token_id": "nope"}, token=USER_TOKEN)
    assert answer.status_code == 404 and answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_me_is_who_calls_with_their_groups() -> None:
    world = World()
    world.write(state.key("group", "staff"), Group(id="7", name="staff", members=(USER,)))
    me = (await world.call("GET", ME, token=USER_TOKEN)).json()
    assert (me["id"], me["userName"], me["displayName"], me["active"]) == ("2", USER, "Bob", True)
    assert me["emails"] == [{"type": "work", "value": USER, "primary": True}]
    assert [(group["display"], group["value"]) for group in me["groups"]] == [("staff", "7")]


async def test_an_admin_is_in_the_vendors_group_of_admins() -> None:
    me = (await World().call("GET", ME)).json()
    assert [group["display"] for group in me["groups"]] == ["admins"]


async def test_a_service_principal_has_no_mail() -> None:
    world = World()
    world.know(Principal(id="9", name="app-id", display_name="Robot", kind="service_principal"), "dapi-robot")
    me = (await world.call("GET", ME, token="dapi-robot")).json()
    assert me["userName"] == "app-id" and me["emails"] == []


async def test_the_workspace_id_is_in_a_header_where_the_sdk_looks_for_it() -> None:
    assert (await World().call("GET", ME)).headers["x-databricks-org-id"] == "1"
