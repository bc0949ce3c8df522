"""Plain HTTP against the real stack. What each test says it speaks makes docs/compatibility.md."""

from typing import Any

from tests.support import errors
from tests.support.clients import ASK, CHAT, CONTEXT
from tests.support.compatibility import speaks
from tests.support.provider import Reply, ScriptedProvider
from tests.support.services import Services


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
