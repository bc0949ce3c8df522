"""OpenAI's wire form: `openai` with its base URL, and `custom`, the same form at any address."""

from typing import Any

import msgspec

from contract import refusals
from contract.endpoint import ExternalModel, ProviderConfig, provider_config
from contract.refusals import Refusal
from processors.providers.base import Body, HttpCall, Secret

DEFAULT_BASE = "https://api.openai.com/v1"
PATHS = {
    "llm/v1/chat": "/chat/completions",
    "llm/v1/completions": "/completions",
    "llm/v1/embeddings": "/embeddings",
}
JSON = {"content-type": "application/json"}


def _key(config: ProviderConfig, field: str, secret: Secret) -> str | Refusal:
    said = config.get(field) or config.get(f"{field}_plaintext")
    if not isinstance(said, str):
        return refusals.bad_request(f"{field}: is required to call the provider", name="missing_secret")
    return secret(said)


def _text(config: ProviderConfig, field: str) -> str | None:
    value = config.get(field)
    return value if isinstance(value, str) and value else None


def call(model: ExternalModel, body: Body, secret: Secret) -> HttpCall | Refusal:
    """The call to OpenAI or to whatever `openai_api_base` names."""
    config = provider_config(model)
    if (_text(config, "openai_api_type") or "openai") != "openai":
        return refusals.not_supported("openai_api_type: only `openai` can be called yet")
    key = _key(config, "openai_api_key", secret)
    if isinstance(key, Refusal):
        return key
    headers = {**JSON, "authorization": f"Bearer {key}"}
    organization = _text(config, "openai_organization")
    if organization:
        headers["openai-organization"] = organization
    base = (_text(config, "openai_api_base") or DEFAULT_BASE).rstrip("/")
    return HttpCall(url=base + PATHS[model.task], headers=headers, body=_body(model, body))


def custom_call(model: ExternalModel, body: Body, secret: Secret) -> HttpCall | Refusal:
    """The call to a custom provider: its URL is used unchanged (api-contract.md 2.4)."""
    config = provider_config(model)
    url = _text(config, "custom_provider_url")
    if url is None:
        return refusals.bad_request("custom_provider_url: is required to call the provider")
    headers = _custom_auth(config, secret)
    if isinstance(headers, Refusal):
        return headers
    return HttpCall(url=url, headers={**JSON, **headers}, body=_body(model, body))


def _custom_auth(config: ProviderConfig, secret: Secret) -> dict[str, str] | Refusal:
    bearer: Any = config.get("bearer_token_auth")
    if isinstance(bearer, dict):
        token = _key(bearer, "token", secret)
        return token if isinstance(token, Refusal) else {"authorization": f"Bearer {token}"}
    named: Any = config.get("api_key_auth")
    if isinstance(named, dict):
        value = _key(named, "value", secret)
        return value if isinstance(value, Refusal) else {named.get("key", "x-api-key"): value}
    return {}


def _body(model: ExternalModel, body: Body) -> bytes:
    return msgspec.json.encode({**body, "model": model.name})
