"""The rest of an endpoint's routes over HTTP: labels, old limits, its document, its empty logs, clear refusals."""

import copy
from typing import Any

import pytest

from contract import state
from contract.state import Permission
from tests.ingress.world import CHAT, USER, USER_TOKEN, World

ROOT = "/api/2.0/serving-endpoints"
LIMIT = {"calls": 5, "key": "user", "renewal_period": "minute"}
ROUTES = [
    ("PUT", "rate-limits"),
    ("PATCH", "tags"),
    ("PATCH", "notifications"),
    ("PATCH", "telemetry-config"),
    ("GET", "openapi"),
    ("GET", "served-models/small/logs"),
    ("GET", "served-models/small/build-logs"),
]


async def with_chat(task: str = "llm/v1/chat") -> World:
    world = World()
    body: Any = copy.deepcopy(CHAT)
    body["config"]["served_entities"][0]["external_model"]["task"] = task
    assert (await world.post(ROOT, body)).status_code == 200
    return world


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_unknown_endpoint_is_404_and_one_that_may_not_be_seen_403(method: str, path: str) -> None:
    world = await with_chat()
    answer = await world.call(method, f"{ROOT}/nope/{path}", json={})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert (await world.call(method, f"{ROOT}/chat/{path}", token=USER_TOKEN, json={})).status_code == 403
    assert (await world.call(method, f"{ROOT}/chat/{path}", token=None, json={})).status_code == 401


async def test_who_may_only_see_reads_and_changes_nothing() -> None:
    world = await with_chat()
    endpoint = world.view.endpoints["chat"]
    world.write(state.key("permission", endpoint.id), Permission(endpoint_id=endpoint.id, levels={USER: "CAN_VIEW"}))
    for method, path in ROUTES:
        status = (await world.call(method, f"{ROOT}/chat/{path}", token=USER_TOKEN, json={})).status_code
        wanted = 200 if method == "GET" else 400 if path == "telemetry-config" else 403
        assert status == wanted, path


async def test_tags_limits_and_notifications_are_set_answered_and_shown() -> None:
    world = await with_chat()
    tags = await world.call("PATCH", f"{ROOT}/chat/tags", json={"add_tags": [{"key": "team", "value": "a"}]})
    assert tags.json() == {"tags": [{"key": "team", "value": "a"}]}
    limits = await world.call("PUT", f"{ROOT}/chat/rate-limits/", json={"rate_limits": [LIMIT]})
    assert limits.json() == {"rate_limits": [LIMIT]}
    wanted = {"email_notifications": {"on_update_failure": ["ops@example.com"]}}
    told = await world.call("PATCH", f"{ROOT}/chat/notifications", json=wanted)
    assert told.json() == {"name": "chat"} | wanted
    shown = (await world.call("GET", f"{ROOT}/chat")).json()
    assert shown["tags"] == tags.json()["tags"] and shown["email_notifications"] == wanted["email_notifications"]
    assert shown["ai_gateway"]["rate_limits"] == [LIMIT]


@pytest.mark.parametrize(
    ("path", "method", "body", "named"),
    [
        ("tags", "PATCH", {"add_tags": [{"value": "x"}]}, "add_tags[0].key"),
        ("tags", "PATCH", {"add_tags": [{"key": "a"}, {"key": "a"}]}, "tags"),
        ("rate-limits", "PUT", {"rate_limits": [{"tokens": 5, "renewal_period": "minute"}]}, "rate_limits[0]"),
        ("rate-limits", "PUT", {"rate_limits": [LIMIT | {"renewal_period": "hour"}]}, "rate_limits[0].renewal_period"),
        ("notifications", "PATCH", {"email_notifications": {"on_update_success": "a"}}, "email_notifications"),
        ("telemetry-config", "PATCH", {"telemetry_config": {}}, "telemetry_config"),
    ],
)
async def test_what_is_wrong_is_400_and_named(path: str, method: str, body: Any, named: str) -> None:
    world = await with_chat()
    answer = await world.call(method, f"{ROOT}/chat/{path}", json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.json()["message"].startswith(named)


@pytest.mark.parametrize(
    ("task", "field"),
    [("llm/v1/chat", "messages"), ("llm/v1/completions", "prompt"), ("llm/v1/embeddings", "input")],
)
async def test_the_document_describes_the_one_route_of_the_endpoints_task(task: str, field: str) -> None:
    world = await with_chat(task)
    document = (await world.call("GET", f"{ROOT}/chat/openapi")).json()
    assert document["openapi"].startswith("3.") and document["info"]["title"] == "chat"
    query = document["paths"]["/serving-endpoints/chat/invocations"]["post"]
    body = query["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == [field] and {field, "usage_context", "client_request_id"} <= body["properties"].keys()
    assert ("text/event-stream" in query["responses"]["200"]["content"]) is (task != "llm/v1/embeddings")


async def test_an_endpoint_without_models_has_no_document_yet() -> None:
    world = World()
    await world.post(ROOT, {"name": "bare"})
    assert (await world.call("GET", f"{ROOT}/bare/openapi")).status_code == 400


@pytest.mark.parametrize("kind", ["logs", "build-logs"])
async def test_logs_are_empty_and_an_unknown_entity_has_none(kind: str) -> None:
    world = await with_chat()
    assert (await world.call("GET", f"{ROOT}/chat/served-models/small/{kind}")).json() == {"logs": ""}
    answer = await world.call("GET", f"{ROOT}/chat/served-models/nope/{kind}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", f"{ROOT}/pt", "Provisioned throughput"),
        ("PUT", f"{ROOT}/pt/chat/config", "Provisioned throughput"),
        ("POST", "/serving-endpoints/responses", "/serving-endpoints/chat/completions"),
    ],
)
async def test_what_is_not_offered_says_so(method: str, path: str, named: str) -> None:
    world = await with_chat()
    answer = await world.call(method, path, json={"name": "x", "model": "chat"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "FEATURE_DISABLED")
    assert named in answer.json()["message"]
    assert world.queries() == []


async def test_an_endpoint_may_be_called_pt() -> None:
    world = World()
    await world.post(ROOT, CHAT | {"name": "pt"})
    assert (await world.call("GET", f"{ROOT}/pt")).json()["name"] == "pt"
    put = await world.call("PUT", f"{ROOT}/pt/config", json=CHAT["config"])
    assert put.status_code == 200
