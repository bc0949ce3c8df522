"""Databricks' SDK against the real stack. What each test says it speaks makes docs/compatibility.md."""

import json
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, InvalidParameterValue, NotFound
from databricks.sdk.service import serving as sdk

from launcher.broker import Broker
from tests.support.clients import ASK, CONTEXT, MANAGE, entity
from tests.support.compatibility import speaks
from tests.support.provider import Reply, ScriptedProvider
from tests.support.services import Services, free_port

# the client leaves its connections to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """One worker, an ingress, and the sinks for the metrics."""
    data, port = tmp_path_factory.mktemp("clients"), str(free_port())
    with Services(broker.address, data, HEADGATE_METRICS_PORT=port) as running:
        running.start("sinks", "sinks.app").wait_ready()
        running.secret()
        yield running


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
