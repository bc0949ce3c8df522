"""Queries over the real broker: what a caller gets, what the provider got, what the event log says."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.provider import Hang, Reply, Reset, ScriptedProvider, Stream, Truncated
from tests.support.services import Services, until


def test_an_answer_comes_back_with_its_ids_and_one_row(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("plain", provider.url, "plain-model")
    answer = gateway.ask("plain", "hello", usage_context={"team": "a"}, client_request_id="mine")
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "The answer."
    assert answer.headers["served-model-name"] == "plain-model"
    (row,) = gateway.logged_once("plain", 1)
    assert row.request_id == answer.headers["x-databricks-request-id"] == answer.headers["x-request-id"]
    assert (row.status_code, row.client_request_id, row.usage_context) == (200, "mine", {"team": "a"})
    assert (row.input_token_count, row.output_token_count, row.input_character_count) == (7, 3, 5)
    (got,) = provider.of("plain-model")
    assert "usage_context" not in got.body
    assert got.headers["Authorization"] == "Bearer sk-test"


@pytest.mark.parametrize("failure", [Reply(status=429), Reply(status=503), Reset(), Truncated(), Reply(body=b"<html>")])
def test_a_failed_attempt_moves_to_the_next_entity_and_leaves_one_row(
    gateway: Services, provider: ScriptedProvider, failure: Reply, request: pytest.FixtureRequest
) -> None:
    name = f"fallback-{request.node.callspec.indices['failure']}"
    gateway.endpoint(name, provider.url, f"{name}-a", f"{name}-b", fallback_config={"enabled": True})
    provider.script(f"{name}-a", failure)
    answer = gateway.ask(name)
    assert answer.status_code == 200, answer.text
    assert answer.headers["served-model-name"] == f"{name}-b"
    (row,) = gateway.logged_once(name, 1)
    assert [attempt.served_entity_name for attempt in row.attempts] == [f"{name}-a", f"{name}-b"]
    assert row.served_entity_name == f"{name}-b"


def test_the_last_failure_is_passed_through_in_the_vendors_shape(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("failing", provider.url, "failing-model")
    provider.script("failing-model", Reply(status=403))
    answer = gateway.ask("failing")
    assert answer.status_code == 403
    assert answer.json()["error_code"] == "PERMISSION_DENIED"
    assert answer.json()["message"].startswith('{"external_model_provider":"openai","external_model_error":{')


def test_a_stream_arrives_piece_by_piece_and_is_logged_whole(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("streamed", provider.url, "streamed-model")
    provider.script("streamed-model", Stream(texts=("one ", "two ", "three"), interval_s=0.15))
    answer = gateway.call(
        "POST",
        "/serving-endpoints/chat/completions",
        {"model": "streamed", "stream": True, "messages": [{"role": "user", "content": "x"}]},
        stream=True,
    )
    arrivals = [(time.monotonic(), line) for line in answer.iter_lines() if line]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert all(line.startswith(b"data: ") for _, line in arrivals)
    assert arrivals[-1][1] == b"data: [DONE]"
    assert arrivals[-1][0] - arrivals[0][0] > 0.4
    (row,) = gateway.logged_once("streamed", 1)
    assert row.streaming
    assert row.response is not None
    assert '"content":"one two three"' in row.response
    assert (row.input_token_count, row.output_token_count) == (7, 3)


def test_a_provider_that_breaks_off_mid_stream_ends_it_with_an_error(
    gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("broken", provider.url, "broken-model")
    provider.script("broken-model", Stream(texts=("one ",), ending="cut"))
    answer = gateway.ask("broken", stream=True)
    lines = [line for line in answer.text.splitlines() if line]
    assert '"error":{' in lines[-1]
    assert "[DONE]" not in answer.text
    (row,) = gateway.logged_once("broken", 1)
    assert row.status_code == 502


def test_a_caller_that_hangs_up_cancels_the_call_within_a_second(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("left", provider.url, "left-model")
    provider.script("left-model", Hang())
    before = provider.hung_up
    with pytest.raises(requests.Timeout):
        gateway.call(
            "POST", "/serving-endpoints/left/invocations", {"messages": [{"role": "user", "content": "x"}]}, timeout=1.5
        )
    until(lambda: provider.hung_up > before, 1.5, "the upstream call is cancelled")
    (row,) = gateway.logged_once("left", 1)
    assert row.status_code == 499


def test_a_stream_whose_caller_leaves_is_logged_with_what_it_had(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("half", provider.url, "half-model")
    provider.script("half-model", Stream(texts=("first ",), ending="hang"))
    before = provider.hung_up
    answer = gateway.call(
        "POST",
        "/serving-endpoints/half/invocations",
        {"stream": True, "messages": [{"role": "user", "content": "x"}]},
        stream=True,
    )
    assert next(answer.iter_lines()).startswith(b"data: ")
    answer.close()
    until(lambda: provider.hung_up > before, 2.0, "the upstream call is cancelled")
    (row,) = gateway.logged_once("half", 1)
    assert row.status_code == 499
    assert row.response is not None
    assert "first " in row.response


def test_guardrails_block_and_mask_on_both_sides(gateway: Services, provider: ScriptedProvider) -> None:
    pii = {"pii": {"behavior": "BLOCK"}, "invalid_keywords": ["SuperSecretProject"]}
    gateway.endpoint("guarded", provider.url, "guarded-model", guardrails={"input": pii})
    blocked = gateway.ask("guarded", "mail me at slee@fictional-corp.com please")
    assert blocked.status_code == 400
    assert 'pii_detection":true' in blocked.json()["message"]
    assert "slee@" not in blocked.text
    assert 'invalid_keywords":true' in gateway.ask("guarded", "the supersecretproject").json()["message"]
    assert provider.of("guarded-model") == []
    mask = {"pii": {"behavior": "MASK"}}
    gateway.endpoint("masked", provider.url, "masked-model", guardrails={"input": mask, "output": mask})
    provider.script("masked-model", Reply(text="call (555) 123-4567"))
    answer = gateway.ask("masked", "mail me at slee@fictional-corp.com")
    assert answer.json()["choices"][0]["message"]["content"] == "call <PHONE_NUMBER>"
    assert provider.of("masked-model")[0].body["messages"][0]["content"] == "mail me at <EMAIL_ADDRESS>"
    rows = gateway.logged_once("guarded", 2) + gateway.logged_once("masked", 1)
    assert all("slee@" not in (row.request or "") + (row.response or "") for row in rows)


def test_ten_of_fifty_callers_pass_a_limit_of_ten_on_two_workers(gateway: Services, provider: ScriptedProvider) -> None:
    limit = {"calls": 10, "key": "endpoint", "renewal_period": "minute"}
    gateway.endpoint("limited", provider.url, "limited-model", rate_limits=[limit])
    with ThreadPoolExecutor(50) as callers:
        statuses = list(callers.map(lambda n: gateway.ask("limited", str(n)).status_code, range(50)))
    assert sorted(statuses) == [200] * 10 + [429] * 40
    assert len(provider.of("limited-model")) == 10
    rows = gateway.logged_once("limited", 50)
    assert sorted(row.status_code for row in rows) == sorted(statuses)
    assert {row.served_entity_name for row in rows} == {"limited-model"}


def test_limits_switched_on_hold_within_a_second(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("later", provider.url, "later-model")
    assert gateway.ask("later").status_code == 200
    limit = {"calls": 2, "key": "user", "renewal_period": "minute"}
    gateway.call("PUT", "/api/2.0/serving-endpoints/later/ai-gateway", {"rate_limits": [limit]})
    assert [gateway.ask("later").status_code for _ in range(3)] == [200, 200, 429]


def test_limits_changed_and_removed_hold_for_the_next_call_without_a_restart(
    gateway: Services, provider: ScriptedProvider
) -> None:
    limit = {"calls": 1, "key": "endpoint", "renewal_period": "minute"}
    gateway.endpoint("limits-in-motion", provider.url, "limits-in-motion-model", rate_limits=[limit])
    path = "/api/2.0/serving-endpoints/limits-in-motion/ai-gateway"
    assert [gateway.ask("limits-in-motion").status_code for _ in range(2)] == [200, 429]
    gateway.call("PUT", path, {"rate_limits": [limit | {"calls": 3}]})
    assert [gateway.ask("limits-in-motion").status_code for _ in range(3)] == [200, 200, 429]
    tokens = {"tokens": 100, "key": "endpoint", "renewal_period": "minute"}
    gateway.call("PUT", path, {"rate_limits": [tokens]})
    assert [gateway.ask("limits-in-motion", n=n, max_tokens=30).status_code for n in (3, 4)] == [200, 429]
    gateway.call("PUT", path, {})
    assert [gateway.ask("limits-in-motion").status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (b"{", 400, "Body"),
        (b"[]", 400, "body"),
        (b'{"messages": [], "stream": "yes"}', 400, "stream"),
        (b'{"messages": 3}', 400, "messages"),
        (b'{"prompt": "x"}', 400, "messages"),
        (b'{"messages": [], "usage_context": {"a": 1}}', 400, "usage_context"),
        (b'{"messages": [{"role": "user", "content": "x"}], "pad": "' + b"x" * (4 * 1024 * 1024) + b'"}', 413, "bytes"),
    ],
)
def test_bad_input_is_refused_with_the_field_named(
    gateway: Services, provider: ScriptedProvider, body: bytes, status: int, named: str
) -> None:
    if gateway.call("GET", "/api/2.0/serving-endpoints/strict").status_code == 404:
        gateway.endpoint("strict", provider.url, "strict-model")
    answer = gateway.session.post(f"{gateway.url}/serving-endpoints/strict/invocations", data=body, timeout=30)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["message"]
    assert answer.json()["error_code"]


def test_without_a_judge_both_are_refused_by_name(gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("unjudged", provider.url, "unjudged-model")
    for guardrail, field in (({"safety": True}, "safety"), ({"valid_topics": ["a"]}, "valid_topics")):
        body = {"guardrails": {"input": guardrail}}
        answer = gateway.call("PUT", "/api/2.0/serving-endpoints/unjudged/ai-gateway", body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "FEATURE_DISABLED")
        assert answer.json()["message"].startswith(f"guardrails.input.{field}: no guard model is configured")
