"""Nobody configures an endpoint with a secret they may not read."""

from typing import Any

import pytest

from tests.processors.control.world import ADMIN, OWNER, STRANGER, World, entity

CONFIG: Any = {"served_entities": [entity("a")]}  # refers to {{secrets/scope/key}}


def with_scope() -> World:
    world = World()
    world.do("user.create", {"user_name": STRANGER}, by=ADMIN)
    world.do("scope.create", {"scope": "scope"})
    return world


def test_an_endpoint_with_a_strangers_secret_is_not_made() -> None:
    world = with_scope()
    body = {"name": "e", "config": CONFIG}
    status, code, message = world.refused("endpoint.create", body, by=STRANGER)
    assert (status, code) == (403, "PERMISSION_DENIED") and "scope scope" in message
    world.do("scope.put_acl", {"scope": "scope", "principal": STRANGER, "permission": "READ"})
    world.do("endpoint.create", body, by=STRANGER)


def test_who_manages_an_endpoint_does_not_get_at_its_key_by_sending_it_elsewhere() -> None:
    world = with_scope()
    endpoint = world.create(by=OWNER)
    grant = {"access_control_list": [{"user_name": STRANGER, "permission_level": "CAN_MANAGE"}]}
    world.do("permission.put", grant, target=endpoint.id)
    elsewhere = {"served_entities": [entity("a", openai_api_base="http://elsewhere")]}
    assert world.refused("endpoint.update_config", elsewhere, target="chat", by=STRANGER)[0] == 403
    world.do("endpoint.update_config", elsewhere, target="chat", by=OWNER)
    world.do("endpoint.put_ai_gateway", {}, target="chat", by=STRANGER)


@pytest.mark.parametrize("by", [OWNER, STRANGER])
def test_a_scope_that_is_not_there_is_left_to_the_query(by: str) -> None:
    World().do("endpoint.create", {"name": "e", "config": CONFIG}, by=by)


def test_a_reference_deeper_down_counts_too() -> None:
    auth = {"token": "{{secrets/scope/key}}"}
    config = {"custom_provider_url": "http://elsewhere", "bearer_token_auth": auth}
    model = {"provider": "custom", "name": "m", "task": "llm/v1/chat", "custom_provider_config": config}
    body = {"name": "e", "config": {"served_entities": [{"name": "a", "external_model": model}]}}
    assert with_scope().refused("endpoint.create", body, by=STRANGER)[0] == 403
