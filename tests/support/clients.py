"""What the tests of every client ask for."""

from typing import Any

from tests.support.provider import ScriptedProvider

MANAGE = "/api/2.0/serving-endpoints"
ASK = "/serving-endpoints"
CHAT: Any = [{"role": "user", "content": "hello"}]
CONTEXT = {"team": "a"}
LIMIT = {"calls": 2, "key": "endpoint", "renewal_period": "minute"}
BLOCK = {"input": {"invalid_keywords": ["SuperSecretProject"]}}


def entity(provider: ScriptedProvider, model: str = "gpt-4.1", task: str = "llm/v1/chat") -> dict[str, Any]:
    """A served entity over the scripted provider."""
    config = {"openai_api_key": "{{secrets/tests/key}}", "openai_api_base": provider.url}
    return {"name": model.replace(".", "-"), "external_model": {
        "provider": "openai", "name": model, "task": task, "openai_config": config,
    }}  # fmt: skip
