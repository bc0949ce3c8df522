"""Endpoints: what each action writes and answers, and whom it refuses."""

from typing import Any

import msgspec
import pytest

from contract.state import Group, Permission
from processors.control.base import Decision
from tests.contract.test_echo import AFTER_CONFIG, AFTER_CREATE
from tests.processors.control.world import ADMIN, OWNER, STRANGER, T0, World, entity, split

TABLE = {"enabled": True, "catalog_name": "users", "schema_name": "takaaki_yayoi"}
PAIR = {
    "served_entities": [entity("gpt-4o-mini"), entity("gpt-4o")],
    "traffic_config": split(("gpt-4o-mini", 50), ("gpt-4o", 50)),
}


def test_a_create_answers_the_endpoint_in_detail_and_writes_it_after_its_rows() -> None:
    world = World()
    decision = world.decide("endpoint.create", {"name": "chat", "config": {"served_entities": [entity("gpt-4o-mini")]}})
    assert isinstance(decision, Decision) and decision.status == 200
    assert [key.split("/")[0] for key, _ in decision.changes] == ["served_entity", "endpoint"]
    shown = msgspec.json.decode(decision.body)
    assert list(shown) == list(AFTER_CREATE)
    assert shown["creation_timestamp"] == shown["last_updated_timestamp"] == T0 // 1000 * 1000
    assert shown["config"]["traffic_config"] == AFTER_CREATE["config"]["traffic_config"]  # type: ignore[index]
    assert (shown["creator"], shown["creator_display_name"], shown["creator_kind"]) == (OWNER, "Taka", "User")


def test_the_walk_of_seed_000_answers_key_for_key_what_the_vendor_printed() -> None:
    world = World()
    world.create("chat")
    gateway = {
        "usage_tracking_config": {"enabled": True},
        "inference_table_config": TABLE,
        "rate_limits": [{"calls": 10, "key": "endpoint", "renewal_period": "minute"}],
        "guardrails": {
            "input": {"pii": {"behavior": "BLOCK"}, "invalid_keywords": ["SuperSecretProject"]},
            "output": {"pii": {"behavior": "BLOCK"}},
        },
    }
    printed: Any = AFTER_CONFIG["ai_gateway"]
    answered = world.do("endpoint.put_ai_gateway", gateway, "chat")
    wanted = printed | {"inference_table_config": printed["inference_table_config"] | {"table_name_prefix": "chat"}}
    assert msgspec.json.encode(answered) == msgspec.json.encode(wanted)
    shown = world.do("endpoint.update_config", PAIR, "chat")
    assert list(shown) == list(AFTER_CONFIG)
    assert shown["ai_gateway"] == wanted
    assert [e["name"] for e in shown["config"]["served_entities"]] == ["gpt-4o-mini", "gpt-4o"]


def test_a_row_says_what_its_entity_is() -> None:
    world = World()
    endpoint = world.create()
    row = world.view.served_entities[endpoint.entities[0].id]
    assert (row.endpoint_name, row.endpoint_id, row.served_entity_name) == ("chat", endpoint.id, "gpt-4o-mini")
    assert (row.entity_name, row.entity_type, row.provider) == ("gpt-4o-mini", "EXTERNAL_MODEL", "openai")
    assert (row.task, row.created_by, row.account_id, row.workspace_id) == ("llm/v1/chat", OWNER, "acc", "1")
    assert (row.endpoint_config_version, row.change_time_ms, row.endpoint_delete_time_ms) == (1, T0, None)


def test_a_service_principal_creates_in_its_own_kind() -> None:
    world = World()
    body = {"name": "chat", "config": {"served_entities": [entity("m")]}}
    shown = world.do("endpoint.create", body, by="app-id", kind="service_principal")
    assert (shown["creator_kind"], shown["creator_display_name"]) == ("ServicePrincipal", "app-id")


def test_an_entity_that_stays_the_same_keeps_its_id_and_row_but_not_its_time() -> None:
    world = World()
    before = world.create()
    world.now_ms += 5000
    shown = world.do("endpoint.update_config", PAIR, "chat")
    after = world.view.endpoints["chat"]
    assert after.entities[0].id == before.entities[0].id != after.entities[1].id
    assert len(world.view.served_entities) == 2
    assert world.view.served_entities[before.entities[0].id].change_time_ms == T0
    assert {e["creation_timestamp"] for e in shown["config"]["served_entities"]} == {(T0 + 5000) // 1000 * 1000}
    assert shown["creation_timestamp"] == T0 // 1000 * 1000
    assert (before.config_version, after.config_version) == (1, 2)


def test_an_entity_whose_definition_changes_gets_a_new_id_and_its_old_row_stays() -> None:
    world = World()
    old = world.create().entities[0].id
    changed = {"served_entities": [entity("gpt-4o-mini", openai_api_base="http://127.0.0.1:1/v1")]}
    world.do("endpoint.update_config", changed, "chat")
    new = world.view.endpoints["chat"].entities[0].id
    assert new != old and set(world.view.served_entities) == {old, new}
    assert world.view.served_entities[new].endpoint_config_version == 2


def test_ids_are_never_used_again_when_a_definition_comes_back() -> None:
    world = World()
    world.create()
    seen = [world.live_rows("chat")["gpt-4o-mini"]]
    for base in ("http://a", "http://b"):
        world.do("endpoint.update_config", {"served_entities": [entity("gpt-4o-mini", openai_api_base=base)]}, "chat")
        seen.append(world.live_rows("chat")["gpt-4o-mini"])
    world.do("endpoint.update_config", {"served_entities": [entity("gpt-4o-mini")]}, "chat")
    seen.append(world.live_rows("chat")["gpt-4o-mini"])
    assert len(set(seen)) == 4 == len(world.view.served_entities)


def test_a_new_plaintext_key_is_kept_sealed_and_is_the_same_definition() -> None:
    world = World()
    sealed = {"served_entities": [plain("sealed:one")]}
    shown = world.do("endpoint.create", {"name": "chat", "config": sealed})
    first = world.view.endpoints["chat"].entities[0]
    assert first.external_model.openai_config == {"openai_api_key_plaintext": "sealed:one"}
    world.do("endpoint.update_config", {"served_entities": [plain("sealed:two")]}, "chat")
    second = world.view.endpoints["chat"].entities[0]
    assert second.external_model.openai_config == {"openai_api_key_plaintext": "sealed:two"}
    assert first.id == second.id
    assert "sealed" not in msgspec.json.encode(shown).decode()


def plain(key: str) -> dict[str, Any]:
    config = {"openai_api_key_plaintext": key}
    model = {"provider": "openai", "name": "m", "task": "llm/v1/chat", "openai_config": config}
    return {"external_model": model}


def test_a_first_config_on_a_bare_endpoint_is_version_1() -> None:
    world = World()
    world.do("endpoint.create", {"name": "bare"})
    assert world.view.endpoints["bare"].entities == ()
    shown = world.do("endpoint.update_config", {"served_entities": [entity("m")]}, "bare")
    assert shown["config"]["config_version"] == 1
    assert shown["config"]["traffic_config"]["routes"] == [{"served_model_name": "m", "traffic_percentage": 100}]


def test_a_gateway_configuration_replaces_everything_and_an_empty_one_clears_it() -> None:
    world = World()
    world.create()
    world.do("endpoint.put_ai_gateway", {"usage_tracking_config": {"enabled": True}}, "chat")
    assert world.do("endpoint.put_ai_gateway", {"guardrails": {"input": {}}}, "chat") == {
        "guardrails": {"input": {"safety": False, "pii_detection": False, "pii": {"behavior": "NONE"}}}
    }
    assert world.do("endpoint.put_ai_gateway", {}, "chat") == {}
    assert world.view.endpoints["chat"].ai_gateway is None


def test_a_gateway_configuration_needs_a_config() -> None:
    world = World()
    world.do("endpoint.create", {"name": "bare"})
    assert world.refused("endpoint.put_ai_gateway", {}, "bare")[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_the_old_limits_of_a_create_become_the_gateways() -> None:
    world = World()
    endpoint = world.create(rate_limits=[{"calls": 3, "key": "user", "renewal_period": "minute"}])
    assert endpoint.ai_gateway is not None and endpoint.ai_gateway.rate_limits is not None
    assert [(x.calls, x.key) for x in endpoint.ai_gateway.rate_limits] == [(3, "user")]


def test_a_delete_leaves_the_rows_with_the_time_it_went() -> None:
    world = World()
    endpoint = world.create()
    world.do("endpoint.update_config", PAIR, "chat")
    world.create("other")
    world.keep("permission/" + endpoint.id, Permission(endpoint_id=endpoint.id, levels={STRANGER: "CAN_QUERY"}))
    world.now_ms += 7
    assert world.do("endpoint.delete", {}, "chat") == {}
    assert "chat" not in world.view.endpoints and endpoint.id not in world.view.permissions
    ended = {row.endpoint_name: row.endpoint_delete_time_ms for row in world.view.served_entities.values()}
    assert ended == {"chat": T0 + 7, "other": None} and len(world.view.served_entities) == 3


def test_a_name_may_be_used_again_after_a_delete_with_new_ids() -> None:
    world = World()
    first = world.create()
    world.do("endpoint.delete", {}, "chat")
    again = world.create()
    assert first.id != again.id and first.entities[0].id != again.entities[0].id


def test_a_taken_name_is_409_and_a_bad_one_400_before_that() -> None:
    world = World()
    world.create()
    body = {"name": "chat", "config": {"served_entities": [entity("m")]}}
    assert world.refused("endpoint.create", body)[:2] == (409, "RESOURCE_ALREADY_EXISTS")
    assert world.refused("endpoint.create", body | {"name": "-"})[:2] == (400, "INVALID_PARAMETER_VALUE")


EDITS = ["endpoint.update_config", "endpoint.put_ai_gateway", "endpoint.delete"]


@pytest.mark.parametrize("action", EDITS)
def test_an_edit_of_an_unknown_endpoint_is_404(action: str) -> None:
    status, code, message = World().refused(action, {}, "nobody")
    assert (status, code) == (404, "RESOURCE_DOES_NOT_EXIST") and "nobody" in message


@pytest.mark.parametrize("action", EDITS)
def test_an_edit_needs_can_manage(action: str) -> None:
    world = World()
    endpoint = world.create()
    world.keep("permission/" + endpoint.id, Permission(endpoint_id=endpoint.id, levels={STRANGER: "CAN_QUERY"}))
    assert world.refused(action, {}, "chat", by=STRANGER)[:2] == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("by", [ADMIN, "member@example.com"])
def test_admins_and_members_of_a_managing_group_may_edit(by: str) -> None:
    world = World()
    endpoint = world.create()
    world.keep("group/ops", Group(id="9", name="ops", members=("member@example.com",)))
    world.keep("permission/" + endpoint.id, Permission(endpoint_id=endpoint.id, levels={"group:ops": "CAN_MANAGE"}))
    shown = world.do("endpoint.update_config", PAIR, "chat", by=by)
    assert shown["creator"] == OWNER
    assert {e["creator"] for e in shown["config"]["served_entities"]} == {by}


def test_two_endpoints_never_write_to_one_table() -> None:
    world = World()
    world.create("one", ai_gateway={"inference_table_config": TABLE | {"table_name_prefix": "Shared"}})
    world.create("two")
    clash = {"inference_table_config": TABLE | {"table_name_prefix": "shared"}}
    status, _, message = world.refused("endpoint.put_ai_gateway", clash, "two")
    assert status == 400 and "endpoint 'one' already writes" in message
    three = {"name": "three", "config": {"served_entities": [entity("m")]}, "ai_gateway": clash}
    assert world.refused("endpoint.create", three)[0] == 400
    world.do("endpoint.put_ai_gateway", {}, "one")
    world.do("endpoint.put_ai_gateway", clash, "two")


def test_a_refused_edit_names_its_field() -> None:
    world = World()
    world.create()
    wrong = {"served_entities": PAIR["served_entities"]}
    assert "traffic_config.routes" in world.refused("endpoint.update_config", wrong, "chat")[2]
    wrong = {"rate_limits": [{"renewal_period": "minute"}]}
    assert "rate_limits[0]" in world.refused("endpoint.put_ai_gateway", wrong, "chat")[2]


SAFE = {"guardrails": {"input": {"safety": True, "valid_topics": ["gardening"]}}}
INJECTION = {"guardrails": {"input": {"extensions": {"prompt_injection": True, "fail_open": True}}}}


def test_guardrails_that_need_a_judge_are_taken_only_where_one_is_configured() -> None:
    world = World()
    world.create()
    for action, body, at in (
        ("endpoint.put_ai_gateway", SAFE, ""),
        ("endpoint.create", {"name": "new", "config": PAIR, "ai_gateway": SAFE}, "ai_gateway."),
    ):
        status, _, message = world.refused(action, body, "chat")
        assert (status, message.partition(":")[0]) == (400, f"{at}guardrails.input.safety")
    world.judges = {"guard": True, "topics": True}
    status, _, message = world.refused("endpoint.put_ai_gateway", INJECTION, "chat")
    assert (status, message.partition(":")[0]) == (400, "guardrails.input.extensions.prompt_injection")
    world.judges = {"injection": True}
    kept = world.do("endpoint.put_ai_gateway", INJECTION, "chat")
    assert kept["guardrails"]["input"]["extensions"] == {"prompt_injection": True, "fail_open": True}
    world.judges = {"guard": True, "topics": True}
    kept = world.do("endpoint.put_ai_gateway", SAFE, "chat")
    assert kept["guardrails"]["input"] == {
        "safety": True,
        "pii_detection": False,
        "pii": {"behavior": "NONE"},
        "valid_topics": ["gardening"],
    }
