"""The echo of an endpoint: seed 000's printed dictionaries, literally."""

import json
from typing import Any

import msgspec
from databricks.sdk.service.serving import EndpointState, ServingEndpoint, ServingEndpointDetailed

from contract import echo
from contract.endpoint import (
    AiGateway,
    Enabled,
    Endpoint,
    ExternalModel,
    InferenceTable,
    ProviderConfig,
    RateLimit,
    ServedEntity,
    Tag,
    TrafficRoute,
)
from contract.guardrails import Guardrail, Guardrails, Pii

CREATOR = "takaaki.yayoi@databricks.com"
KEY: ProviderConfig = {"openai_api_key": "{{secrets/demo-token-takaaki.yayoi/openai_api_key}}"}

AFTER_CREATE = {
    "name": "taka_ai_gateway_endpoint",
    "creator": "takaaki.yayoi@databricks.com",
    "creation_timestamp": 1742814914000,
    "last_updated_timestamp": 1742814914000,
    "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
    "config": {
        "served_entities": [
            {
                "name": "gpt-4o-mini",
                "external_model": {
                    "provider": "openai",
                    "name": "gpt-4o-mini",
                    "task": "llm/v1/chat",
                    "openai_config": {"openai_api_key": "{{secrets/demo-token-takaaki.yayoi/openai_api_key}}"},
                },
                "type": "EXTERNAL_MODEL",
                "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""},
                "creator": "takaaki.yayoi@databricks.com",
                "creation_timestamp": 1742814914000,
            }
        ],
        "traffic_config": {"routes": [{"served_model_name": "gpt-4o-mini", "traffic_percentage": 100}]},
        "config_version": 1,
    },
    "id": "1e71284ed4c0472d8dc0c2e6233c23a8",
    "permission_level": "CAN_MANAGE",
    "task": "llm/v1/chat",
    "route_optimized": False,
    "endpoint_type": "EXTERNAL_MODEL",
    "creator_display_name": "Takaaki Yayoi",
    "creator_kind": "User",
    "resource_credential_strategy": "EMBEDDED_CREDENTIALS",
}

AFTER_CONFIG = {
    "name": "taka_ai_gateway_endpoint",
    "creator": "takaaki.yayoi@databricks.com",
    "creation_timestamp": 1742814914000,
    "last_updated_timestamp": 1742818429000,
    "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
    "config": {
        "served_entities": [
            {
                "name": "gpt-4o-mini",
                "external_model": {
                    "provider": "openai",
                    "name": "gpt-4o-mini",
                    "task": "llm/v1/chat",
                    "openai_config": {"openai_api_key": "{{secrets/demo-token-takaaki.yayoi/openai_api_key}}"},
                },
                "type": "EXTERNAL_MODEL",
                "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""},
                "creator": "takaaki.yayoi@databricks.com",
                "creation_timestamp": 1742818429000,
            },
            {
                "name": "gpt-4o",
                "external_model": {
                    "provider": "openai",
                    "name": "gpt-4o",
                    "task": "llm/v1/chat",
                    "openai_config": {"openai_api_key": "{{secrets/demo-token-takaaki.yayoi/openai_api_key}}"},
                },
                "type": "EXTERNAL_MODEL",
                "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": ""},
                "creator": "takaaki.yayoi@databricks.com",
                "creation_timestamp": 1742818429000,
            },
        ],
        "traffic_config": {
            "routes": [
                {"served_model_name": "gpt-4o-mini", "traffic_percentage": 50},
                {"served_model_name": "gpt-4o", "traffic_percentage": 50},
            ]
        },
        "config_version": 1,
    },
    "id": "1e71284ed4c0472d8dc0c2e6233c23a8",
    "permission_level": "CAN_MANAGE",
    "task": "llm/v1/chat",
    "route_optimized": False,
    "endpoint_type": "EXTERNAL_MODEL",
    "ai_gateway": {
        "usage_tracking_config": {"enabled": True},
        "inference_table_config": {
            "catalog_name": "users",
            "schema_name": "takaaki_yayoi",
            "table_name_prefix": "taka_ai_gateway_endpoint",
            "enabled": True,
        },
        "rate_limits": [{"calls": 10, "key": "endpoint", "renewal_period": "minute"}],
        "guardrails": {
            "input": {
                "safety": False,
                "pii_detection": True,
                "pii": {"behavior": "BLOCK"},
                "invalid_keywords": ["SuperSecretProject"],
            },
            "output": {"safety": False, "pii_detection": True, "pii": {"behavior": "BLOCK"}},
        },
    },
    "creator_display_name": "Takaaki Yayoi",
    "creator_kind": "User",
    "resource_credential_strategy": "EMBEDDED_CREDENTIALS",
}


def entity(name: str, at_ms: int, config: ProviderConfig = KEY) -> ServedEntity:
    model = ExternalModel(provider="openai", name=name, task="llm/v1/chat", openai_config=config)
    return ServedEntity(id="e" * 32, name=name, external_model=model, creator=CREATOR, created_at_ms=at_ms)


CREATED = Endpoint(
    id="1e71284ed4c0472d8dc0c2e6233c23a8",
    name="taka_ai_gateway_endpoint",
    creator=CREATOR,
    creator_display_name="Takaaki Yayoi",
    created_at_ms=1742814914000,
    updated_at_ms=1742814914000,
    entities=(entity("gpt-4o-mini", 1742814914000),),
    routes=(TrafficRoute(served_entity_name="gpt-4o-mini", traffic_percentage=100),),
)
BLOCK = Pii(behavior="BLOCK")
UPDATED = msgspec.structs.replace(
    CREATED,
    updated_at_ms=1742818429000,
    entities=(entity("gpt-4o-mini", 1742818429000), entity("gpt-4o", 1742818429000)),
    routes=(
        TrafficRoute(served_entity_name="gpt-4o-mini", traffic_percentage=50),
        TrafficRoute(served_entity_name="gpt-4o", traffic_percentage=50),
    ),
    ai_gateway=AiGateway(
        usage_tracking_config=Enabled(enabled=True),
        inference_table_config=InferenceTable(
            catalog_name="users",
            schema_name="takaaki_yayoi",
            table_name_prefix="taka_ai_gateway_endpoint",
            enabled=True,
        ),
        rate_limits=(RateLimit(calls=10, key="endpoint", renewal_period="minute"),),
        guardrails=Guardrails(
            input=Guardrail(safety=False, pii_detection=True, pii=BLOCK, invalid_keywords=("SuperSecretProject",)),
            output=Guardrail(safety=False, pii_detection=True, pii=BLOCK),
        ),
    ),
)


def in_order(value: Any) -> str:
    return json.dumps(value)


def test_a_created_endpoint_is_shown_as_in_seed_000_key_order_included() -> None:
    assert in_order(echo.detailed(CREATED, "CAN_MANAGE")) == in_order(AFTER_CREATE)


def test_an_updated_endpoint_is_shown_as_in_seed_000_key_order_included() -> None:
    assert in_order(echo.detailed(UPDATED, "CAN_MANAGE")) == in_order(AFTER_CONFIG)


def test_the_sdk_reads_routes_state_and_permission_from_what_is_shown() -> None:
    read = ServingEndpointDetailed.from_dict(echo.detailed(UPDATED, "CAN_QUERY"))
    assert read.config is not None and read.config.traffic_config is not None
    routes = read.config.traffic_config.routes or []
    assert [(r.served_entity_name or r.served_model_name, r.traffic_percentage) for r in routes] == [
        ("gpt-4o-mini", 50),
        ("gpt-4o", 50),
    ]
    assert isinstance(read.state, EndpointState) and read.state.config_update is not None
    assert read.permission_level is not None and read.permission_level.value == "CAN_QUERY"
    assert read.ai_gateway is not None and read.ai_gateway.guardrails is not None


def test_plaintext_credentials_are_never_shown_however_deep_and_references_stay() -> None:
    config: ProviderConfig = {
        "openai_api_key_plaintext": "sealed:abc",
        "openai_api_base": "http://127.0.0.1:1",
        "bearer_token_auth": {"token_plaintext": "sealed:def", "token": "{{secrets/a/b}}"},
    }
    kept = msgspec.structs.replace(CREATED, entities=(entity("m", 1000, config),))
    for shown in (echo.detailed(kept, "CAN_VIEW"), echo.summary(kept)):
        assert "sealed:" not in json.dumps(shown)
        assert shown["config"]["served_entities"][0]["external_model"]["openai_config"] == {
            "openai_api_base": "http://127.0.0.1:1",
            "bearer_token_auth": {"token": "{{secrets/a/b}}"},
        }


def test_an_endpoint_without_config_has_a_state_but_no_task_and_is_not_ready() -> None:
    bare = msgspec.structs.replace(CREATED, entities=(), routes=())
    shown = echo.detailed(bare, "CAN_VIEW")
    assert shown["state"] == {"ready": "NOT_READY", "config_update": "NOT_UPDATING"}
    assert not {"config", "task", "endpoint_type", "ai_gateway"} & shown.keys()


def test_tags_and_description_are_shown_where_they_are_set() -> None:
    labelled = msgspec.structs.replace(CREATED, tags=(Tag(key="team", value="a"), Tag(key="bare")), description="d")
    for shown in (echo.detailed(labelled, "CAN_VIEW"), echo.summary(labelled)):
        assert shown["tags"] == [{"key": "team", "value": "a"}, {"key": "bare"}]
        assert shown["description"] == "d"


def test_a_list_item_has_no_permission_and_its_entities_only_name_and_model() -> None:
    shown = echo.summary(UPDATED)
    assert "permission_level" not in shown and "route_optimized" not in shown
    assert [sorted(item) for item in shown["config"]["served_entities"]] == [["external_model", "name"]] * 2
    read = ServingEndpoint.from_dict(shown)
    assert read.config is not None and read.task == "llm/v1/chat"
    assert [item.name for item in read.config.served_entities or []] == ["gpt-4o-mini", "gpt-4o"]
