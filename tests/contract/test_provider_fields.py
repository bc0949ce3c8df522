"""Each provider's config: one table of configs that are taken, one of configs that are refused."""

from typing import Any

import msgspec
import pytest

from contract import provider_fields
from contract.endpoint import ExternalModel, config_field

KEY = "{{secrets/scope/key}}"
Body = dict[str, Any]


def one(provider: str, **config: Any) -> Body:
    return {"provider": provider, "name": "m", "task": "llm/v1/chat", config_field(provider): config}


def refused(body: Body) -> str | None:
    model = msgspec.convert(body, ExternalModel)
    return next((refusal.message for refusal in provider_fields.problems("at", model)), None)


GOOD: dict[str, Body] = {
    "a base for a local fake": one("openai", openai_api_key=KEY, openai_api_base="http://127.0.0.1:1/v1"),
    "plaintext key": one("openai", openai_api_key_plaintext="sealed:x"),
    "azure with a key": one(
        "openai",
        openai_api_type="azure",
        openai_api_key=KEY,
        openai_api_base="https://x",
        openai_api_version="2024-02-01",
        openai_deployment_name="d",
    ),
    "azure with entra": one(
        "openai",
        openai_api_type="azuread",
        microsoft_entra_tenant_id="t",
        microsoft_entra_client_id="c",
        microsoft_entra_client_secret=KEY,
        openai_api_base="https://x",
        openai_api_version="2024-02-01",
        openai_deployment_name="d",
    ),
    "anthropic": one("anthropic", anthropic_api_key=KEY),
    "cohere": one("cohere", cohere_api_key=KEY, cohere_api_base="https://x"),
    "ai21labs": one("ai21labs", ai21labs_api_key=KEY),
    "palm": one("palm", palm_api_key=KEY),
    "bedrock with keys": one(
        "amazon-bedrock",
        aws_region="r",
        bedrock_provider="Anthropic",
        aws_access_key_id=KEY,
        aws_secret_access_key_plaintext="sealed:x",
    ),
    "bedrock with a profile": one(
        "amazon-bedrock", aws_region="r", bedrock_provider="amazon", instance_profile_arn="a"
    ),
    "vertex": one("google-cloud-vertex-ai", project_id="p", region="r", private_key=KEY),
    "databricks": one(
        "databricks-model-serving", databricks_workspace_url="https://x", databricks_api_token_plaintext="sealed:x"
    ),
    "custom with a header": one("custom", custom_provider_url="http://x", api_key_auth={"key": "k", "value": KEY}),
    "custom with a token": one("custom", custom_provider_url="http://x", bearer_token_auth={"token": KEY}),
}

BAD: dict[str, tuple[Body, str]] = {
    "no config": (
        {"provider": "openai", "name": "m", "task": "llm/v1/chat"},
        "openai_config: is required",
    ),
    "a stranger's config": (
        one("openai", openai_api_key=KEY) | {"palm_config": {"palm_api_key": KEY}},
        "palm_config: does not belong",
    ),
    "no key": (one("openai"), "openai_config: openai_api_key (or"),
    "both keys": (
        one("openai", openai_api_key=KEY, openai_api_key_plaintext="sealed:x"),
        "openai_config: give either openai_api_key or openai_api_key_plaintext",
    ),
    "a raw key": (
        one("openai", openai_api_key="sk-very-raw"),
        "openai_config.openai_api_key: must be a reference",
    ),
    "a mistyped field": (
        one("anthropic", anthropic_api_key=KEY, anthropic_key="sk-very-raw"),
        "anthropic_config.anthropic_key: is no field",
    ),
    "an empty key": (one("palm", palm_api_key=" "), "palm_config.palm_api_key: must"),
    "an object as key": (
        one("palm", palm_api_key={"a": "b"}),
        "palm_config.palm_api_key",
    ),
    "a bad base": (
        one("openai", openai_api_key=KEY, openai_api_base="localhost:1"),
        "openai_config.openai_api_base: must start with",
    ),
    "azure without base": (
        one("openai", openai_api_key=KEY, openai_api_type="azure"),
        "openai_config.openai_api_base: is required",
    ),
    "a strange api type": (
        one("openai", openai_api_key=KEY, openai_api_type="x"),
        "openai_config.openai_api_type: must be one of",
    ),
    "half a pair of aws keys": (
        one("amazon-bedrock", aws_region="r", bedrock_provider="amazon", aws_access_key_id=KEY),
        "amazon_bedrock_config: aws_secret_access_key",
    ),
    "two ways into aws": (
        one(
            "amazon-bedrock",
            aws_region="r",
            bedrock_provider="amazon",
            instance_profile_arn="a",
            uc_service_credential_name="b",
        ),
        "amazon_bedrock_config: give either instance_profile_arn or",
    ),
    "a strange bedrock provider": (
        one("amazon-bedrock", aws_region="r", bedrock_provider="meta", instance_profile_arn="a"),
        "amazon_bedrock_config.bedrock_provider: must be one of",
    ),
    "vertex without project": (
        one("google-cloud-vertex-ai", region="r", private_key=KEY),
        "google_cloud_vertex_ai_config.project_id: is required",
    ),
    "custom without a way in": (
        one("custom", custom_provider_url="http://x"),
        "custom_provider_config: api_key_auth or bearer_token_auth is required",
    ),
    "a header without value": (
        one("custom", custom_provider_url="http://x", api_key_auth={"key": "k"}),
        "custom_provider_config.api_key_auth: value (or value_plaintext) is",
    ),
    "a token that is no object": (
        one("custom", custom_provider_url="http://x", bearer_token_auth="t"),
        "custom_provider_config.bearer_token_auth: Expected `object`",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_config_with_all_its_provider_needs_is_taken(name: str) -> None:
    assert refused(GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_a_config_that_breaks_a_rule_is_refused_by_field_and_never_quotes_a_key(name: str) -> None:
    body, starts = BAD[name]
    message = refused(body)
    assert message is not None and message.startswith(f"at.{starts}"), message
    assert "sk-very-raw" not in message


def test_every_provider_has_a_row() -> None:
    told = ExternalModel.__annotations__["provider"].__args__
    assert set(told) <= provider_fields.ROWS.keys()
