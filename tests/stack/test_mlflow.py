"""MLflow's deployments client against the real stack. What each test says it speaks makes docs/compatibility.md."""

from typing import Any

import pytest

from tests.support.clients import ASK, BLOCK, CHAT, CONTEXT, LIMIT, MANAGE, entity
from tests.support.compatibility import speaks
from tests.support.provider import ScriptedProvider, Stream
from tests.support.services import Services

# the client leaves its connections to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def deployments(gateway: Services, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = {"DATABRICKS_HOST": gateway.url, "DATABRICKS_TOKEN": gateway.token}
    for name, value in (settings | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}).items():
        monkeypatch.setenv(name, value)
    from mlflow.deployments import get_deploy_client  # reads the environment when it is imported

    return get_deploy_client("databricks")


@speaks("mlflow", f"POST {MANAGE}", f"GET {MANAGE}", f"GET {MANAGE}/{{name}}", f"DELETE {MANAGE}/{{name}}")
def test_mlflow_creates_lists_gets_and_deletes(deployments: Any, provider: ScriptedProvider) -> None:
    body = {"name": "ml-life", "config": {"served_entities": [entity(provider)]}}
    assert deployments.create_endpoint(config=body)["name"] == "ml-life"
    assert "ml-life" in {one["name"] for one in deployments.list_endpoints()}
    assert deployments.get_endpoint("ml-life")["state"]["ready"] == "READY"
    assert deployments.delete_endpoint("ml-life") == {}


@speaks(
    "mlflow",
    f"PUT {MANAGE}/{{name}}/config",
    f"PATCH {MANAGE}/{{name}}/tags",
    f"PUT {MANAGE}/{{name}}/rate-limits",
    f"PUT {MANAGE}/{{name}}/ai-gateway",
)
def test_mlflow_updates_everything(deployments: Any, gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("ml-update", provider.url, "ml-update-model")
    config = {"served_entities": [entity(provider, "m.1")]}
    assert deployments.update_endpoint_config("ml-update", config)["config"]["served_entities"][0]["name"] == "m-1"
    tags = {"add_tags": [{"key": "team", "value": "a"}]}
    assert deployments.update_endpoint_tags("ml-update", tags)["tags"] == tags["add_tags"]
    limits = {"rate_limits": [LIMIT]}
    assert deployments.update_endpoint_rate_limits("ml-update", limits) == limits
    tracking = {"usage_tracking_config": {"enabled": True}}
    assert deployments.update_endpoint_ai_gateway("ml-update", tracking) == tracking


@speaks("mlflow", f"POST {MANAGE}", f"PUT {MANAGE}/{{name}}/rate-limits", f"PUT {MANAGE}/{{name}}/config")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_mlflows_old_calls_work_too(deployments: Any, provider: ScriptedProvider) -> None:
    core = {"served_entities": [entity(provider)]}
    body = {"config": core, "rate_limits": [LIMIT], "tags": [{"key": "a"}]}
    created = deployments.create_endpoint(name="ml-old", config=body)
    assert (created["name"], created["tags"]) == ("ml-old", [{"key": "a"}])
    assert created["ai_gateway"]["rate_limits"] == [LIMIT]
    limits = [LIMIT | {"calls": 3}]
    assert deployments.update_endpoint("ml-old", {"rate_limits": limits}) == {"rate_limits": limits}
    assert deployments.update_endpoint("ml-old", core)["config"]["served_entities"][0]["name"] == "gpt-4-1"


@speaks("mlflow", f"POST {ASK}/{{name}}/invocations", f"POST {ASK}/{{name}}/invocations (stream)")
def test_mlflow_predicts_whole_and_streamed(deployments: Any, gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("ml-ask", provider.url, "ml-ask-model", guardrails=BLOCK)
    extras = {"client_request_id": "mine", "usage_context": CONTEXT}
    answer = deployments.predict(endpoint="ml-ask", inputs={"messages": CHAT, **extras})
    assert answer["choices"][0]["message"]["content"] == "The answer."
    provider.script("ml-ask-model", Stream(texts=("one ", "two")))
    chunks = list(deployments.predict_stream(endpoint="ml-ask", inputs={"messages": CHAT}))
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == "one two"
    with pytest.raises(Exception, match=r"invalid_keywords.*true") as blocked:
        messages = [{"role": "user", "content": "SuperSecretProject"}]
        deployments.predict(endpoint="ml-ask", inputs={"messages": messages})
    assert "400" in str(blocked.value)
    rows = gateway.logged_once("ml-ask", 3)
    assert [row.client_request_id for row in rows if row.usage_context == CONTEXT] == ["mine"]
