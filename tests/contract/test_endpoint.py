"""Reading what is asked: errors name the field, and nothing a caller sends makes reading raise."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.endpoint import (
    AiGatewayAsked,
    ConfigAsked,
    EndpointAsked,
    ExternalModel,
    RouteAsked,
    asked,
    check_name,
    config_field,
    default_entity_name,
    provider_config,
)
from contract.refusals import Refusal


@pytest.mark.parametrize(
    ("body", "starts"),
    [
        (b"{}", "name: is required"),
        (b'{"name":1}', "name: Expected `str`"),
        (b"[]", "body: Expected `object`"),
        (b'{"name":"a","config":{"served_entities":[{"name":1}]}}', "config.served_entities[0].name: Expected"),
        (b'{"name":"a","config":{"served_entities":{}}}', "config.served_entities: Expected `array"),
        (
            b'{"name":"a","config":{"traffic_config":{"routes":[{"traffic_percentage":101}]}}}',
            "config.traffic_config.routes[0].traffic_percentage: Expected `int` <= 100",
        ),
        (b'{"name":"a","ai_gateway":{"rate_limits":[{}]}}', "ai_gateway.rate_limits[0].renewal_period: is required"),
        (
            b'{"name":"a","ai_gateway":{"rate_limits":[{"renewal_period":"hour"}]}}',
            "ai_gateway.rate_limits[0].renewal_period: Invalid enum value 'hour'",
        ),
        (
            b'{"name":"a","ai_gateway":{"guardrails":{"input":{"pii":{"behavior":"SHOUT"}}}}}',
            "ai_gateway.guardrails.input.pii.behavior: Invalid enum value",
        ),
        (b'{"name":"a","tags":[{"key":""}]}', "tags[0].key: Expected `str` of length >= 1"),
    ],
)
def test_a_wrong_value_is_an_invalid_parameter_that_names_its_field(body: bytes, starts: str) -> None:
    refusal = asked(EndpointAsked, body)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error_code) == (400, "INVALID_PARAMETER_VALUE")
    assert refusal.message.startswith(starts)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{'a':1}", b'{"name":"\\ud800"}'])
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    refusal = asked(EndpointAsked, body)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.error_code) == (400, "MALFORMED_REQUEST")


@given(st.binary(max_size=60))
def test_no_bytes_make_reading_raise(body: bytes) -> None:
    for kind in (EndpointAsked, ConfigAsked, AiGatewayAsked):
        asked(kind, body)


def test_fields_the_vendor_added_later_are_ignored() -> None:
    read = asked(EndpointAsked, b'{"name":"a","budget_policy_id":"x","telemetry_config":{"a":[1]}}')
    assert read == EndpointAsked(name="a")


def test_a_route_takes_either_name_of_its_entity() -> None:
    new = RouteAsked(traffic_percentage=1, served_entity_name="a")
    old = RouteAsked(traffic_percentage=1, served_model_name="a")
    assert new.entity == old.entity == "a"
    assert RouteAsked(traffic_percentage=1).entity == ""


def test_entities_may_come_under_their_deprecated_name() -> None:
    one = {"external_model": {"provider": "palm", "name": "m", "task": "llm/v1/chat"}}
    old = msgspec.convert({"served_models": [one]}, ConfigAsked)
    new = msgspec.convert({"served_entities": [one]}, ConfigAsked)
    assert old.entities == new.entities and len(new.entities) == 1


@pytest.mark.parametrize(
    ("provider", "field"),
    [("amazon-bedrock", "amazon_bedrock_config"), ("custom", "custom_provider_config"), ("openai", "openai_config")],
)
def test_each_provider_has_its_config_field(provider: str, field: str) -> None:
    assert config_field(provider) == field
    assert field in ExternalModel.__struct_fields__


def test_the_config_of_a_model_is_its_own_providers() -> None:
    model = ExternalModel(
        provider="cohere", name="m", task="llm/v1/chat", cohere_config={"cohere_api_key": "x"}, openai_config={}
    )
    assert provider_config(model) == {"cohere_api_key": "x"}
    assert provider_config(ExternalModel(provider="palm", name="m", task="llm/v1/chat")) == {}


@pytest.mark.parametrize("name", ["a", "A1", "a-b_c", "a" * 63, "1" * 63])
def test_a_good_endpoint_name_is_taken(name: str) -> None:
    assert check_name(name) is None


@pytest.mark.parametrize("name", ["", "-a", "a-", "_", "a b", "a/b", "a" * 64, "é", "a\n", "a.b"])
def test_a_bad_endpoint_name_is_refused_in_the_vendors_words(name: str) -> None:
    refusal = check_name(name)
    assert refusal is not None and refusal.message.startswith("Endpoint name must be maximum 63 characters")


def test_a_default_entity_name_has_no_dots_or_colons() -> None:
    assert default_entity_name("claude-3.5:sonnet") == "claude-3-5-sonnet"
