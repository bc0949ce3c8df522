"""Endpoints over HTTP: changes go to the single writer, reads see them at once, no credential leaves in clear."""

import copy
from typing import Any

import pytest

from contract import state, topics
from contract.state import Permission
from ingress import sealing
from tests.ingress.world import CHAT, MASTER_KEY, USER, USER_TOKEN, World

ROOT = "/api/2.0/serving-endpoints"
CONFIG = "openai_config"


def chat(**config: str) -> dict[str, Any]:
    body = copy.deepcopy(CHAT)
    model = body["config"]["served_entities"][0]["external_model"]  # type: ignore[index]
    model[CONFIG] = config
    return body


async def with_chat() -> World:
    world = World()
    assert (await world.post(ROOT, CHAT)).status_code == 200
    return world


def commands(world: World) -> bytes:
    return b"".join(value for topic, _, value in world.published if topic == topics.COMMANDS.name)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_endpoint_is_made_shown_listed_and_deleted_with_and_without_the_slash(slash: str) -> None:
    world = World()
    made = await world.post(ROOT + slash, CHAT)
    assert made.status_code == 200 and made.json()["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
    one = await world.call("GET", f"{ROOT}/chat{slash}")
    assert one.json() == made.json()
    assert [e["name"] for e in (await world.call("GET", ROOT + slash)).json()["endpoints"]] == ["chat"]
    gone = await world.call("DELETE", f"{ROOT}/chat{slash}")
    assert (gone.status_code, gone.json()) == (200, {})
    assert (await world.call("GET", f"{ROOT}/chat")).json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_a_list_of_nothing_is_an_empty_list() -> None:
    assert (await World().call("GET", ROOT)).json() == {"endpoints": []}


async def test_a_config_and_a_gateway_are_put_and_echoed() -> None:
    world = await with_chat()
    config = {
        "served_entities": CHAT["config"]["served_entities"],  # type: ignore[index]
        "traffic_config": {"routes": [{"served_model_name": "small", "traffic_percentage": 100}]},
    }
    put = await world.call("PUT", f"{ROOT}/chat/config", json=config)
    assert put.status_code == 200 and put.json()["name"] == "chat"
    gateway = {"usage_tracking_config": {"enabled": True}}
    assert (await world.call("PUT", f"{ROOT}/chat/ai-gateway", json=gateway)).json() == gateway
    assert (await world.call("GET", f"{ROOT}/chat")).json()["ai_gateway"] == gateway


async def test_an_empty_gateway_body_clears_it() -> None:
    world = await with_chat()
    await world.call("PUT", f"{ROOT}/chat/ai-gateway", json={"usage_tracking_config": {"enabled": True}})
    assert (await world.call("PUT", f"{ROOT}/chat/ai-gateway", content=b"")).json() == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("DELETE", "/nope"),
        ("PUT", "/nope/config"),
        ("PUT", "/nope/ai-gateway"),
        ("GET", "/nope/metrics"),
    ],
)
async def test_what_is_not_there_is_404(method: str, path: str) -> None:
    answer = await World().call(method, ROOT + path, content=b"{}")
    assert answer.status_code == 404 and answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_who_may_not_see_is_403_and_who_may_only_see_may_not_change() -> None:
    world = await with_chat()
    assert (await world.call("GET", f"{ROOT}/chat", token=USER_TOKEN)).status_code == 403
    assert (await world.call("GET", ROOT, token=USER_TOKEN)).json() == {"endpoints": []}
    endpoint = world.view.endpoints["chat"]
    world.write(state.key("permission", endpoint.id), Permission(endpoint_id=endpoint.id, levels={USER: "CAN_VIEW"}))
    shown = await world.call("GET", f"{ROOT}/chat", token=USER_TOKEN)
    assert shown.json()["permission_level"] == "CAN_VIEW"
    assert (await world.call("DELETE", f"{ROOT}/chat", token=USER_TOKEN)).status_code == 403
    assert (await world.call("PUT", f"{ROOT}/chat/ai-gateway", token=USER_TOKEN, json={})).status_code == 403


async def test_anybody_known_may_make_an_endpoint_and_nobody_else() -> None:
    world = World()
    assert (await world.post(ROOT, CHAT, token=None)).status_code == 401
    assert (await world.post(ROOT, CHAT, token="dapi-nobody")).status_code == 401
    assert (await world.post(ROOT, CHAT, token=USER_TOKEN)).status_code == 200


async def test_a_name_taken_is_409() -> None:
    world = await with_chat()
    answer = await world.post(ROOT, CHAT)
    assert (answer.status_code, answer.json()["error_code"]) == (409, "RESOURCE_ALREADY_EXISTS")


async def test_a_plaintext_key_leaves_sealed_opens_with_the_master_key_and_is_never_shown() -> None:
    world = World()
    answer = await world.post(ROOT, chat(openai_api_key_plaintext="sk-very-secret"))
    assert answer.status_code == 200 and "plaintext" not in answer.text
    everything = commands(world) + (await world.call("GET", f"{ROOT}/chat")).content
    assert b"sk-very-secret" not in everything
    config = world.view.endpoints["chat"].entities[0].external_model.openai_config
    assert config is not None
    sealed = str(config["openai_api_key_plaintext"])
    assert sealing.unseal(sealed.removeprefix(sealing.MARK), MASTER_KEY) == "sk-very-secret"


@pytest.mark.parametrize("field", ["openai_api_key", "openai_apikey"])
async def test_a_key_in_a_field_where_none_belongs_is_refused_before_it_leaves(field: str) -> None:
    world = World()
    answer = await world.post(ROOT, chat(**{field: "sk-very-secret"}))
    assert answer.status_code == 400 and field in answer.json()["message"]
    assert "sk-very-secret" not in answer.text and commands(world) == b""


async def test_fields_nobody_knows_are_accepted_and_stay_out_of_the_topic() -> None:
    world = World()
    body = copy.deepcopy(CHAT) | {"surprise": "sk-very-secret", "budget_policy_id": "b"}
    assert (await world.post(ROOT, body)).status_code == 200
    assert b"sk-very-secret" not in commands(world)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "Body"),
        (b"{}", "name"),
        (b'{"name":1}', "name"),
        (b'{"name":"a","config":[]}', "config"),
        (b'{"a":' + b"[" * 100_000, "Body"),
    ],
)
async def test_a_bad_body_is_400_and_names_the_field(body: bytes, field: str) -> None:
    answer = await World().call("POST", ROOT, content=body)
    assert answer.status_code == 400 and answer.json()["message"].startswith(field)


async def test_a_change_is_answered_when_the_own_view_holds_it() -> None:
    world = World()
    waited: list[int] = []

    async def reached(offset: int, seconds: float) -> bool:
        waited.append(offset)
        return True

    world.state.reached = reached  # type: ignore[method-assign]
    await world.post(ROOT, CHAT)
    assert waited == [world.view.offset]


async def test_without_a_broker_a_change_is_503() -> None:
    world = World()
    world.up = False
    answer = await world.post(ROOT, CHAT)
    assert answer.status_code == 503 and len(world.waiters) == 0
