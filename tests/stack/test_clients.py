"""The real clients against the real stack. What each test says it speaks makes docs/compatibility.md."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, InvalidParameterValue, NotFound
from databricks.sdk.service import serving as sdk

from launcher.broker import Broker
from tests.support import errors
from tests.support.compatibility import speaks
from tests.support.provider import Reply, ScriptedProvider, Stream
from tests.support.services import Services, free_port

# the SDK and MLflow leave their connections to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
MANAGE = "/api/2.0/serving-endpoints"
ASK = "/serving-endpoints"
CHAT: Any = [{"role": "user", "content": "hello"}]
CONTEXT = {"team": "a"}
LIMIT = {"calls": 2, "key": "endpoint", "renewal_period": "minute"}
BLOCK = {"input": {"invalid_keywords": ["SuperSecretProject"]}}


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """One worker, an ingress, and the sinks for the metrics."""
    data, port = tmp_path_factory.mktemp("clients"), str(free_port())
    with Services(broker.address, data, HEADGATE_METRICS_PORT=port) as running:
        running.start("sinks", "sinks.app").wait_ready()
        yield running


def entity(provider: ScriptedProvider, model: str = "gpt-4.1", task: str = "llm/v1/chat") -> dict[str, Any]:
    config = {"openai_api_key": "{{secrets/tests/key}}", "openai_api_base": provider.url}
    return {"name": model.replace(".", "-"), "external_model": {
        "provider": "openai", "name": model, "task": task, "openai_config": config,
    }}  # fmt: skip


# ---- OpenAI ----


@pytest.fixture
def client(gateway: Services) -> Iterator[openai.OpenAI]:
    base_url = f"{gateway.url}/serving-endpoints"
    with openai.OpenAI(base_url=base_url, api_key=gateway.token, max_retries=0) as made:
        yield made


@speaks("openai", f"POST {ASK}/chat/completions")
def test_openai_chats_with_our_extras_and_finds_the_request_id(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-chat", provider.url, "oa-chat-model")
    extras = {"usage_context": CONTEXT, "client_request_id": "mine", "extra_params": {"top_k": 3}}
    answer = client.chat.completions.create(model="oa-chat", messages=CHAT, extra_body=extras)
    assert answer.choices[0].message.content == "The answer." and answer.model == "oa-chat-model-dated"
    assert answer.usage is not None and answer.usage.total_tokens == 10
    (row,) = gateway.logged_once("oa-chat", 1)
    assert (row.request_id, row.client_request_id, row.usage_context) == (answer._request_id, "mine", CONTEXT)
    (got,) = provider.of("oa-chat-model")
    assert got.body["top_k"] == 3 and not {"usage_context", "client_request_id", "extra_params"} & got.body.keys()


@speaks("openai", f"POST {ASK}/chat/completions (stream)")
def test_openai_streams_and_gets_usage_when_it_asks(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-stream", provider.url, "oa-stream-model")
    provider.script("oa-stream-model", Stream(texts=("one ", "two")))
    wanted: Any = {"include_usage": True}
    with client.chat.completions.create(model="oa-stream", messages=CHAT, stream=True, stream_options=wanted) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "one two"
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [10]
    provider.script("oa-stream-model", Stream(texts=("one ",), ending="cut"))
    with (
        pytest.raises(openai.APIError, match="Provider call failed"),
        client.chat.completions.create(model="oa-stream", messages=CHAT, stream=True) as stream,
    ):
        list(stream)


@speaks("openai", f"POST {ASK}/completions", f"POST {ASK}/embeddings", f"GET {ASK}/models")
def test_openai_completes_embeds_and_lists_models(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-text", provider.url, "oa-text-model", task="llm/v1/completions")
    gateway.endpoint("oa-vector", provider.url, "oa-vector-model", task="llm/v1/embeddings")
    assert client.completions.create(model="oa-text", prompt="x").choices[0].text == "The answer."
    vectors = client.embeddings.create(model="oa-vector", input=["a", "b"], extra_body={"usage_context": CONTEXT})
    assert [one.embedding for one in vectors.data] == [[0.5, -0.5]] * 2
    assert {"oa-text", "oa-vector"} <= {one.id for one in client.models.list()}


@speaks("openai", f"POST {ASK}/responses (refused)")
def test_openai_gets_its_own_error_class_for_every_refusal(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-strict", provider.url, "oa-strict-model", guardrails=BLOCK, rate_limits=[LIMIT])
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nope", messages=CHAT)
    assert errors.named(missing.value.body, missing.value.request_id or "")["error_code"] == "ENDPOINT_NOT_FOUND"
    with pytest.raises(openai.BadRequestError) as blocked:
        messages: Any = [{"role": "user", "content": "the SuperSecretProject"}]
        client.chat.completions.create(model="oa-strict", messages=messages)
    assert 'invalid_keywords":true' in str(blocked.value)
    client.chat.completions.create(model="oa-strict", messages=CHAT)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="oa-strict", messages=CHAT)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="dapi-nobody").chat.completions.create(model="oa-strict", messages=CHAT)
    with pytest.raises(openai.BadRequestError, match="responses API is not offered"):
        client.responses.create(model="oa-strict", input="x")


# ---- Databricks SDK ----


@pytest.fixture
def workspace(gateway: Services, monkeypatch: pytest.MonkeyPatch) -> WorkspaceClient:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return WorkspaceClient(host=gateway.url, token=gateway.token, auth_type="pat")


def config(provider: ScriptedProvider, *models: str) -> list[sdk.ServedEntityInput]:
    return [sdk.ServedEntityInput.from_dict(entity(provider, model)) for model in models]


def asked_as(error: DatabricksError) -> str:
    """The id of the request that failed, as the SDK has read it."""
    found = error.get_error_details().request_info
    return "" if found is None else str(found.request_id)


def made(workspace: WorkspaceClient, provider: ScriptedProvider, name: str) -> sdk.ServingEndpointsAPI:
    core = sdk.EndpointCoreConfigInput(name=name, served_entities=config(provider, f"{name}-model"))
    workspace.serving_endpoints.create_and_wait(name, config=core)
    return workspace.serving_endpoints


@speaks("databricks-sdk", f"POST {MANAGE}", f"GET {MANAGE}", f"GET {MANAGE}/{{name}}", f"DELETE {MANAGE}/{{name}}")
def test_the_sdk_creates_waits_lists_gets_and_deletes(workspace: WorkspaceClient, provider: ScriptedProvider) -> None:
    endpoints = made(workspace, provider, "sdk-life")
    got = endpoints.get("sdk-life")
    assert got.state is not None and got.state.ready is sdk.EndpointStateReady.READY
    assert got.permission_level is sdk.ServingEndpointDetailedPermissionLevel.CAN_MANAGE and got.id
    assert "sdk-life" in {one.name for one in endpoints.list()}
    endpoints.delete("sdk-life")
    for refused in (endpoints.get, endpoints.delete):  # by the ingress, by the writer
        with pytest.raises(NotFound) as gone:
            refused("sdk-life")
        assert asked_as(gone.value)


@speaks("databricks-sdk", f"PUT {MANAGE}/{{name}}/config", f"PUT {MANAGE}/{{name}}/ai-gateway")
def test_the_sdk_updates_config_and_gateway(workspace: WorkspaceClient, provider: ScriptedProvider) -> None:
    endpoints = made(workspace, provider, "sdk-update")
    routes = [
        sdk.Route(served_model_name="m-1", traffic_percentage=100),
        sdk.Route(served_model_name="m-2", traffic_percentage=0),
    ]
    split = sdk.TrafficConfig(routes=routes)
    pair = config(provider, "m.1", "m.2")
    after = endpoints.update_config_and_wait("sdk-update", served_entities=pair, traffic_config=split)
    assert after.config is not None and after.config.served_entities is not None
    assert [one.name for one in after.config.served_entities] == ["m-1", "m-2"]
    limit = sdk.AiGatewayRateLimit(calls=9, renewal_period=sdk.AiGatewayRateLimitRenewalPeriod.MINUTE)
    kept = endpoints.put_ai_gateway("sdk-update", rate_limits=[limit])
    assert kept.rate_limits is not None and kept.rate_limits[0].calls == 9


@speaks("databricks-sdk", f"POST {ASK}/{{name}}/invocations")
def test_the_sdk_queries_and_sees_which_model_answered(
    workspace: WorkspaceClient, gateway: Services, provider: ScriptedProvider
) -> None:
    endpoints = made(workspace, provider, "sdk-query")
    answer = endpoints.query(
        "sdk-query",
        messages=[sdk.ChatMessage(role=sdk.ChatMessageRole.USER, content="hello")],
        max_tokens=5,
        extra_params={"top_k": "3"},
        client_request_id="mine",
        usage_context=CONTEXT,
    )
    assert answer.choices is not None and answer.choices[0].message is not None
    assert answer.choices[0].message.content == "The answer." and answer.served_model_name == "sdk-query-model"
    (row,) = gateway.logged_once("sdk-query", 1)
    assert (row.client_request_id, row.usage_context) == ("mine", CONTEXT)
    (got,) = provider.of("sdk-query-model")
    assert (got.body["top_k"], got.body["max_tokens"]) == ("3", 5)


@speaks("databricks-sdk", f"POST {ASK}/{{name}}/invocations")
def test_the_sdks_error_names_the_request_that_the_log_names(
    workspace: WorkspaceClient, gateway: Services, provider: ScriptedProvider
) -> None:
    endpoints = made(workspace, provider, "sdk-error")
    provider.script("sdk-error-model", Reply(status=400))
    with pytest.raises(BadRequest) as failed:
        endpoints.query("sdk-error", messages=[sdk.ChatMessage(role=sdk.ChatMessageRole.USER, content="hello")])
    (row,) = gateway.logged_once("sdk-error", 1)
    assert asked_as(failed.value) == row.request_id


@speaks(
    "databricks-sdk",
    f"PATCH {MANAGE}/{{name}}/tags",
    f"PUT {MANAGE}/{{name}}/rate-limits",
    f"PATCH {MANAGE}/{{name}}/notifications",
)
def test_the_sdk_labels_limits_and_names_whom_to_tell(workspace: WorkspaceClient, provider: ScriptedProvider) -> None:
    endpoints = made(workspace, provider, "sdk-labels")
    tags = endpoints.patch("sdk-labels", add_tags=[sdk.EndpointTag(key="team", value="a"), sdk.EndpointTag(key="b")])
    assert [(one.key, one.value) for one in tags.tags or ()] == [("team", "a"), ("b", None)]
    assert [one.key for one in endpoints.patch("sdk-labels", delete_tags=["b"]).tags or ()] == ["team"]
    limit = sdk.RateLimit(calls=7, renewal_period=sdk.RateLimitRenewalPeriod.MINUTE, key=sdk.RateLimitKey.USER)
    assert [one.calls for one in endpoints.put("sdk-labels", rate_limits=[limit]).rate_limits or ()] == [7]
    told = sdk.EmailNotifications(on_update_failure=["ops@example.com"])
    assert endpoints.update_notifications("sdk-labels", email_notifications=told).email_notifications == told
    assert endpoints.get("sdk-labels").email_notifications == told


@speaks(
    "databricks-sdk",
    f"GET {MANAGE}/{{name}}/metrics",
    f"GET {MANAGE}/{{name}}/openapi",
    f"GET {MANAGE}/{{name}}/served-models/{{entity}}/logs",
    f"GET {MANAGE}/{{name}}/served-models/{{entity}}/build-logs",
)
def test_the_sdk_exports_metrics_document_and_logs(workspace: WorkspaceClient, provider: ScriptedProvider) -> None:
    endpoints = made(workspace, provider, "sdk-export")
    with endpoints.export_metrics("sdk-export").contents as metrics:
        assert isinstance(metrics.read().decode(), str)
    with endpoints.get_open_api("sdk-export").contents as document:
        assert json.loads(document.read())["info"]["title"] == "sdk-export"
    assert endpoints.logs("sdk-export", "sdk-export-model").logs == ""
    assert endpoints.build_logs("sdk-export", "sdk-export-model").logs == ""


@speaks(
    "databricks-sdk",
    f"PATCH {MANAGE}/{{name}}/telemetry-config (refused)",
    f"POST {MANAGE}/pt (refused)",
    f"PUT {MANAGE}/pt/{{name}}/config (refused)",
)
def test_the_sdk_is_told_what_is_not_offered(workspace: WorkspaceClient, provider: ScriptedProvider) -> None:
    endpoints = made(workspace, provider, "sdk-refused")
    with pytest.raises(InvalidParameterValue, match="telemetry_config"):
        endpoints.patch_telemetry_config("sdk-refused")
    hosted = sdk.PtServedModel(entity_name="main.a.b", provisioned_model_units=1)
    with pytest.raises(BadRequest, match="Provisioned throughput"):
        endpoints.create_provisioned_throughput_endpoint("pt-one", sdk.PtEndpointCoreConfig(served_entities=[hosted]))
    with pytest.raises(BadRequest, match="Provisioned throughput"):
        core = sdk.PtEndpointCoreConfig(served_entities=[hosted])
        endpoints.update_provisioned_throughput_endpoint_config("sdk-refused", core)


# ---- MLflow ----


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


# ---- plain HTTP ----


@speaks("http", f"POST {ASK}/{{name}}/served-models/{{entity}}/invocations")
def test_one_entity_answers_whatever_the_split_says_and_fails_alone(
    gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("one", provider.url, "one-a", "one-b", fallback_config={"enabled": True})
    path = f"{ASK}/one/served-models/one-b/invocations"
    answer = gateway.call("POST", path, {"messages": CHAT, "usage_context": CONTEXT})
    assert (answer.status_code, answer.headers["served-model-name"]) == (200, "one-b")
    provider.script("one-b", Reply(status=503))
    assert gateway.call("POST", path, {"messages": CHAT}).status_code == 503
    assert provider.of("one-a") == []
    missing = gateway.call("POST", f"{ASK}/one/served-models/nope/invocations", {"messages": CHAT})
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    rows = gateway.logged_once("one", 2)
    assert {row.served_entity_name for row in rows} == {"one-b"}


@speaks("http", f"POST {ASK}/{{name}}/invocations", f"POST {ASK}/chat/completions")
def test_every_answer_names_its_request_in_headers_and_its_error_bodies_name_it_too(
    gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("raw", provider.url, "raw-model")
    for path, body in (
        (f"{ASK}/raw/invocations", {"messages": CHAT}),
        (f"{ASK}/chat/completions", {"model": "raw", "messages": CHAT}),
    ):
        answer = gateway.call("POST", path, body)
        assert answer.status_code == 200
        assert answer.headers["x-request-id"] == answer.headers["x-databricks-request-id"]
    refused = gateway.call("POST", f"{ASK}/raw/invocations", {"prompt": "x"})
    assert refused.status_code == 400 and errors.of(refused).keys() == {"error_code", "message"}


@speaks("http", "GET /.well-known/databricks-config", "GET /healthz")
def test_discovery_and_health_need_no_token(gateway: Services) -> None:
    gone: Any = {"Authorization": None}
    assert gateway.call("GET", "/.well-known/databricks-config", headers=gone).json()["cloud"] == "aws"
    assert gateway.call("GET", "/healthz", headers=gone).status_code == 200
