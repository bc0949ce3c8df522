from typing import Any

import msgspec
import pytest

from contract import refusals
from contract.endpoint import ExternalModel
from contract.refusals import Refusal
from processors.providers import openai
from processors.providers.base import HttpCall
from processors.providers.registry import PROVIDERS

KEY = "sk-very-secret"
REFERENCE = "{{secrets/team/openai}}"
CHAT = {"messages": [{"role": "user", "content": "x"}], "temperature": 0.5}


def secret(said: str) -> str | Refusal:
    return KEY if said == REFERENCE else refusals.bad_request("no such secret")


def model(task: str = "llm/v1/chat", **config: Any) -> ExternalModel:
    return ExternalModel(provider="openai", name="gpt", task=task, openai_config=config)  # type: ignore[arg-type]


def custom(**config: Any) -> ExternalModel:
    return ExternalModel(provider="custom", name="mine", task="llm/v1/chat", custom_provider_config=config)


def made(call: HttpCall | Refusal) -> HttpCall:
    assert isinstance(call, HttpCall), call
    assert KEY not in repr(call)
    return call


def golden(call: HttpCall) -> dict[str, Any]:
    return {"url": call.url, "headers": dict(call.headers), "body": msgspec.json.decode(call.body)}


JSON = {"content-type": "application/json"}
BEARER = {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("task", "path", "body"),
    [
        ("llm/v1/chat", "/chat/completions", CHAT),
        ("llm/v1/completions", "/completions", {"prompt": "x"}),
        ("llm/v1/embeddings", "/embeddings", {"input": ["x"]}),
    ],
)
def test_the_call_to_openai(task: str, path: str, body: dict[str, Any]) -> None:
    call = made(openai.call(model(task, openai_api_key=REFERENCE), body | {"model": "endpoint-name"}, secret))
    assert golden(call) == {
        "url": f"https://api.openai.com/v1{path}",
        "headers": JSON | BEARER,
        "body": body | {"model": "gpt"},
    }


@pytest.mark.parametrize("base", ["http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/", "http://127.0.0.1:9/v1//"])
def test_a_base_with_or_without_a_slash_at_its_end(base: str) -> None:
    call = made(openai.call(model(openai_api_key=REFERENCE, openai_api_base=base), CHAT, secret))
    assert call.url == "http://127.0.0.1:9/v1/chat/completions"


def test_an_organization_goes_into_its_header() -> None:
    call = made(openai.call(model(openai_api_key=REFERENCE, openai_organization="org"), CHAT, secret))
    assert call.headers["openai-organization"] == "org"


def test_a_sealed_literal_stands_in_for_a_reference() -> None:
    assert made(openai.call(model(openai_api_key_plaintext=REFERENCE), CHAT, secret)).headers == JSON | BEARER


def test_azure_is_not_called_yet() -> None:
    refusal = openai.call(model(openai_api_key=REFERENCE, openai_api_type="azure"), CHAT, secret)
    assert isinstance(refusal, Refusal)
    assert refusal.message.startswith("openai_api_type")


@pytest.mark.parametrize("config", [{}, {"openai_api_key": "{{secrets/no/key}}"}])
def test_without_a_key_nothing_is_called(config: dict[str, str]) -> None:
    refusal = openai.call(model(**config), CHAT, secret)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400


URL = "http://127.0.0.1:9/any/where?x=1"


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ({}, {}),
        ({"bearer_token_auth": {"token": REFERENCE}}, BEARER),
        ({"bearer_token_auth": {"token_plaintext": REFERENCE}}, BEARER),
        ({"api_key_auth": {"key": "x-mine", "value": REFERENCE}}, {"x-mine": KEY}),
    ],
)
def test_the_call_to_a_custom_provider(auth: dict[str, Any], headers: dict[str, str]) -> None:
    call = made(openai.custom_call(custom(custom_provider_url=URL, **auth), CHAT, secret))
    assert golden(call) == {"url": URL, "headers": JSON | headers, "body": CHAT | {"model": "mine"}}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"custom_provider_url": URL, "bearer_token_auth": {"token": "{{secrets/no/key}}"}},
        {"custom_provider_url": URL, "api_key_auth": {"key": "x-mine"}},
    ],
)
def test_a_custom_provider_without_address_or_key_is_not_called(config: dict[str, Any]) -> None:
    refusal = openai.custom_call(custom(**config), CHAT, secret)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400


def test_the_registry_says_who_gives_usage_in_streams() -> None:
    assert {name: wire.streams_usage for name, wire in PROVIDERS.items()} == {"openai": True, "custom": False}
