"""SCIM over HTTP: people and groups made, found, changed, gone; what is not kept does not travel."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingress.world import ADMIN_TOKEN, USER, USER_TOKEN, World

ROOT = "/api/2.0/preview/scim/v2"
USERS, GROUPS, ROBOTS = (f"{ROOT}/{kind}" for kind in ("Users", "Groups", "ServicePrincipals"))
ME = f"{ROOT}/Me"


async def made(world: World, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await world.post(path, body)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def patched(world: World, path: str, *operations: dict[str, Any]) -> Any:
    answer = await world.call("PATCH", path, json={"Operations": list(operations)})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_user_is_made_read_changed_and_gone() -> None:
    world = World()
    body = {"userName": "eve@x.com", "name": {"givenName": "Eve", "familyName": "Adams"}}
    eve = await made(world, USERS, body)
    path = f"{USERS}/{eve['id']}"
    assert eve["displayName"] == "Eve Adams" and eve["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:User"]
    assert (await world.call("GET", path, USER_TOKEN)).json() == eve
    put = await world.call("PUT", path, json={"userName": "eve@x.com", "displayName": "E", "active": False})
    assert (put.json()["displayName"], put.json()["active"]) == ("E", False)
    assert (await patched(world, path, {"op": "replace", "path": "active", "value": "True"}))["active"] is True
    assert (await world.call("DELETE", path)).status_code == 200
    assert (await world.call("GET", path)).status_code == 404


async def test_a_name_cannot_be_changed() -> None:
    world = World()
    eve = await made(world, USERS, {"userName": "eve@x.com"})
    answer = await world.call("PUT", f"{USERS}/{eve['id']}", json={"userName": "other@x.com"})
    assert answer.status_code == 400 and answer.json()["detail"].startswith("userName")
    kept = await patched(world, f"{USERS}/{eve['id']}", {"op": "replace", "path": "userName", "value": "other@x.com"})
    assert kept["userName"] == "eve@x.com"


async def test_a_password_stays_out_of_the_topic() -> None:
    world = World()
    await made(world, USERS, {"userName": "eve@x.com", "password": "hush-hush"})
    operation = {"op": "replace", "path": "password", "value": "hush-hush"}
    answer = await world.call("PATCH", f"{USERS}/2", json={"Operations": [operation]})
    assert answer.status_code == 400 and "hush" not in answer.text
    assert all(b"hush" not in record for _, _, record in world.published)


async def test_somebody_deactivated_is_out_at_once_and_back_with_the_same_token() -> None:
    world = World()
    for active, status in ((False, 401), (True, 200)):
        await patched(world, f"{USERS}/2", {"op": "replace", "value": {"active": active}})
        assert (await world.call("GET", ME, USER_TOKEN)).status_code == status


async def test_a_service_principal_has_its_own_place() -> None:
    world = World()
    robot = await made(world, ROBOTS, {"displayName": "Robot"})
    assert robot["applicationId"] and robot["id"] in (await world.call("GET", ROBOTS)).text
    assert (await world.call("GET", f"{USERS}/{robot['id']}")).status_code == 404
    assert (await world.call("PUT", f"{ROBOTS}/{robot['id']}", json={"displayName": "R2"})).json()[
        "displayName"
    ] == "R2"
    assert (await world.call("DELETE", f"{ROBOTS}/{robot['id']}")).status_code == 200


async def test_members_come_and_go_in_every_form_clients_send() -> None:
    world = World()
    group = await made(world, GROUPS, {"displayName": "staff", "members": [{"value": "1"}]})
    path = f"{GROUPS}/{group['id']}"
    forms: list[tuple[dict[str, Any], list[str]]] = [
        ({"op": "add", "path": "members", "value": [{"value": "2"}]}, ["1", "2"]),
        ({"op": "remove", "path": 'members[value eq "1"]'}, ["2"]),
        ({"op": "add", "value": {"members": [{"value": "1"}]}}, ["2", "1"]),
        ({"op": "remove", "path": "members", "value": [{"value": "2"}]}, ["1"]),
        ({"op": "replace", "path": "members", "value": [{"value": "2"}]}, ["2"]),
        ({"op": "remove", "path": "members"}, []),
    ]
    for operation, members in forms:
        assert [one["value"] for one in (await patched(world, path, operation))["members"]] == members
    put = await world.call("PUT", path, json={"displayName": "crew", "members": [{"value": "2"}]})
    assert put.json()["displayName"] == "crew"
    assert [one["display"] for one in (await world.call("GET", ME, USER_TOKEN)).json()["groups"]] == ["crew"]


async def test_a_group_in_a_group_is_a_member_like_any_other_and_a_user_sees_by_which_way_they_are_in() -> None:
    world = World()
    staff = await made(world, GROUPS, {"displayName": "staff", "members": [{"value": "2"}]})
    crew = await made(world, GROUPS, {"displayName": "crew", "members": [{"value": staff["id"]}]})
    assert crew["members"][0]["$ref"] == f"Groups/{staff['id']}"
    groups = (await world.call("GET", ME, USER_TOKEN)).json()["groups"]
    assert [(one["display"], one["type"]) for one in groups] == [("staff", "direct"), ("crew", "indirect")]
    circle = {"op": "add", "path": "members", "value": [{"value": crew["id"]}]}
    refused = await world.call("PATCH", f"{GROUPS}/{staff['id']}", json={"Operations": [circle]})
    assert refused.status_code == 400 and refused.json()["detail"].startswith("members")
    gone = {"op": "remove", "path": f'members[value eq "{staff["id"]}"]'}
    assert (await patched(world, f"{GROUPS}/{crew['id']}", gone))["members"] == []


async def test_a_member_of_admins_is_an_admin_from_the_next_call_on() -> None:
    world = World()
    group = {"id": "9", "name": "admins", "members": ["ada@example.com"]}
    world.write("group/admins", group)
    assert (await world.post(USERS, {"userName": "eve@x.com"}, USER_TOKEN)).status_code == 403
    await patched(world, f"{GROUPS}/9", {"op": "add", "path": "members", "value": [{"value": "2"}]})
    assert (await world.post(USERS, {"userName": "eve@x.com"}, USER_TOKEN)).status_code == 201
    await patched(world, f"{GROUPS}/9", {"op": "remove", "path": 'members[value eq "2"]'})
    assert (await world.post(USERS, {"userName": "ewe@x.com"}, USER_TOKEN)).status_code == 403


async def test_lists_filter_sort_and_end_as_the_sdk_pages() -> None:
    world = World()
    for n in range(5):
        await made(world, USERS, {"userName": f"user{n}@x.com"})
    names: list[str] = []
    while True:
        query = {"startIndex": len(names) + 1, "count": 2, "filter": 'userName co "x.com" and userName sw user'}
        shown = (await world.call("GET", USERS, USER_TOKEN, params=query)).json()
        if not shown["Resources"]:
            break
        names += [one["userName"] for one in shown["Resources"]]
    assert names == [f"user{n}@x.com" for n in range(5)]
    query = {"sortBy": "userName", "sortOrder": "descending", "count": 1}
    assert (await world.call("GET", USERS, params=query)).json()["Resources"][0]["userName"] == "user4@x.com"


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        (USERS, {"userName": USER}, 409, USER),
        (USERS, {}, 400, "userName"),
        (USERS, {"userName": "x"}, 400, "userName"),
        (USERS, {"userName": "a@b.c", "active": "no"}, 400, "active"),
        (GROUPS, {}, 400, "displayName"),
        (GROUPS, {"displayName": "g", "members": [{"value": "none"}]}, 400, "'none'"),
        (ROBOTS, {}, 400, "displayName"),
        (ROBOTS, {"displayName": "r", "applicationId": "x"}, 400, "applicationId"),
    ],
)
async def test_a_bad_body_is_refused_as_scim_says_it(path: str, body: dict[str, Any], status: int, named: str) -> None:
    answer = await World().post(path, body)
    assert answer.status_code == status and named in answer.json()["detail"]
    assert answer.json()["status"] == str(status)


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("place", [USERS, GROUPS, ROBOTS])
async def test_only_admins_write_and_nothing_of_others_reaches_the_writer(verb: str, place: str) -> None:
    world = World()
    path = place if verb == "POST" else f"{place}/1"
    assert (await world.call(verb, path, USER_TOKEN, json={"userName": "x@y.z"})).status_code == 403
    assert world.published == []


Bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Operations", "op", "path", "value", "members", "displayName", "active", "userName"]),
            inner,
        )
    ),
    max_leaves=10,
)
Operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "x"])},
    optional={
        "path": st.sampled_from(["members", 'members[value eq "2"]', "displayName", "active", "name.x", "?"]),
        "value": Bodies,
    },
)


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(
    place=st.sampled_from([f"{USERS}/2", f"{GROUPS}/7", f"{ROBOTS}/2"]),
    verb=st.sampled_from(["PUT", "PATCH"]),
    body=Bodies | st.builds(lambda operations: {"Operations": operations}, st.lists(Operations, max_size=3)),
)
async def test_no_body_is_a_defect(place: str, verb: str, body: Any) -> None:
    world = World()
    world.write("group/staff", {"id": "7", "name": "staff", "members": []})
    answer = await world.call(verb, place, ADMIN_TOKEN, json=body)
    assert answer.status_code < 500 and answer.json()
