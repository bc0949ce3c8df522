"""What the event log adds up to."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.records import Attempt, Finding
from sinks.bus import Lag
from sinks.letters import letter
from sinks.metrics import Bounded, Metrics
from tests.sinks.rows import Row, buried, log_record, logged


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_requests_are_counted_by_endpoint_and_status() -> None:
    metrics = Metrics()
    for status in (200, 200, 429):
        metrics.count(logged(status_code=status))
    metrics.count(logged(endpoint_name="other-one"))
    assert value(metrics, "headgate_requests_total", endpoint="chat", status="200") == 2
    assert value(metrics, "headgate_requests_total", endpoint="chat", status="429") == 1
    assert value(metrics, "headgate_requests_total", endpoint="other-one", status="200") == 1


def test_tokens_add_up_per_direction() -> None:
    metrics = Metrics()
    metrics.count(logged(input_token_count=10, output_token_count=3))
    metrics.count(logged(input_token_count=5, output_token_count=0))
    assert value(metrics, "headgate_input_tokens_total", endpoint="chat") == 15
    assert value(metrics, "headgate_output_tokens_total", endpoint="chat") == 3


def test_overhead_is_the_duration_without_the_providers_time() -> None:
    metrics = Metrics()
    tried = (Attempt(served_entity_name="gpt", status=200, duration_ms=480),)
    metrics.count(logged(total_duration_ms=487, execution_duration_ms=480, attempts=tried))
    assert value(metrics, "headgate_overhead_seconds_sum", endpoint="chat") == 0.007
    assert value(metrics, "headgate_request_duration_seconds_sum", endpoint="chat") == 0.487


def test_the_time_of_failed_tries_is_no_overhead() -> None:
    metrics = Metrics()
    tried = tuple(Attempt(served_entity_name="gpt", status=status, duration_ms=100) for status in (503, 200))
    metrics.count(logged(total_duration_ms=205, execution_duration_ms=100, attempts=tried))
    assert value(metrics, "headgate_overhead_seconds_sum", endpoint="chat") == 0.005


def test_a_request_that_reached_no_provider_has_no_overhead() -> None:
    metrics = Metrics()
    metrics.count(logged(status_code=429, refusal="rate_limited", total_duration_ms=4))
    assert value(metrics, "headgate_overhead_seconds_count", endpoint="chat") is None


def test_only_requests_with_a_first_token_are_in_its_histogram() -> None:
    metrics = Metrics()
    metrics.count(logged())
    metrics.count(logged(streaming=True, time_to_first_token_ms=120))
    assert value(metrics, "headgate_time_to_first_token_seconds_count", endpoint="chat") == 1
    assert value(metrics, "headgate_time_to_first_token_seconds_sum", endpoint="chat") == 0.12


def test_tries_after_the_first_are_fallbacks() -> None:
    metrics = Metrics()
    first = Attempt(served_entity_name="gpt", status=0, duration_ms=10)
    second = Attempt(served_entity_name="claude", status=200, duration_ms=10)
    metrics.count(logged(attempts=(first, second)))
    metrics.count(logged(attempts=(second,)))
    assert value(metrics, "headgate_fallback_attempts_total", endpoint="chat") == 1
    assert value(metrics, "headgate_attempts_total", endpoint="chat", served_entity="gpt", status="0") == 1
    assert value(metrics, "headgate_attempts_total", endpoint="chat", served_entity="claude", status="200") == 2


@pytest.mark.parametrize("guardrail", ["safety", "topics", "prompt_injection"])
@pytest.mark.parametrize("outcome", ["open", "failed", "observed"])
def test_a_judge_without_a_verdict_or_that_only_observes_is_counted(guardrail: str, outcome: str) -> None:
    metrics = Metrics()
    metrics.count(logged(findings=(Finding(side="input", guardrail=guardrail, outcome=outcome),)))
    labels = {"endpoint": "chat", "guardrail": guardrail, "side": "input", "outcome": outcome}
    assert value(metrics, "headgate_guardrail_verdicts_total", **labels) == 1


def test_a_guardrail_counts_once_per_request_however_much_it_found() -> None:
    metrics = Metrics()
    found = [
        Finding(side="input", guardrail="pii", outcome="masked", entity_type=kind)
        for kind in ("EMAIL_ADDRESS", "PHONE_NUMBER")
    ]
    metrics.count(logged(findings=(*found, Finding(side="output", guardrail="keywords", outcome="blocked"))))
    masked = {"endpoint": "chat", "guardrail": "pii", "side": "input", "outcome": "masked"}
    blocked = {"endpoint": "chat", "guardrail": "keywords", "side": "output", "outcome": "blocked"}
    assert value(metrics, "headgate_guardrail_verdicts_total", **masked) == 1
    assert value(metrics, "headgate_guardrail_verdicts_total", **blocked) == 1


def test_refusals_are_named_and_limits_counted_apart() -> None:
    metrics = Metrics()
    for name in ("rate_limited", "rate_limited", "too_late", ""):
        metrics.count(logged(refusal=name))
    assert value(metrics, "headgate_limit_refusals_total", endpoint="chat") == 2
    assert value(metrics, "headgate_refusals_total", endpoint="chat", refusal="rate_limited") == 2
    assert value(metrics, "headgate_refusals_total", endpoint="chat", refusal="too_late") == 1
    assert value(metrics, "headgate_refusals_total", endpoint="chat", refusal="") is None


def test_dead_letters_are_counted_by_topic_and_reason() -> None:
    metrics = Metrics()
    metrics.count_letters([letter(buried(offset)) for offset in (1, 2)])
    assert value(metrics, "headgate_dead_letters_total", topic="gateway.requests", reason="not JSON") == 2


def test_a_lag_that_is_not_told_again_goes_away() -> None:
    metrics = Metrics()
    labels = {"group": "headgate-workers", "topic": "gateway.requests", "partition": "3"}
    metrics.show_lag([Lag(group="headgate-workers", topic="gateway.requests", partition=3, records=12)])
    assert value(metrics, "headgate_consumer_lag_records", **labels) == 12
    metrics.show_lag([])
    assert value(metrics, "headgate_consumer_lag_records", **labels) is None


def test_an_unreadable_row_is_counted_and_stops_nothing() -> None:
    metrics = Metrics()
    asyncio.run(metrics.count_log([Row(value=b"{"), Row(value=None), Row(value=b"\xff"), log_record()]))
    assert value(metrics, "headgate_unreadable_log_rows_total") == 3
    assert value(metrics, "headgate_requests_total", endpoint="chat", status="200") == 1


def test_a_negative_number_in_a_row_stops_nothing() -> None:
    metrics = Metrics()
    metrics.count(logged(input_token_count=-1, output_token_count=-1, total_duration_ms=-5))
    assert value(metrics, "headgate_requests_total", endpoint="chat", status="200") == 1


def test_no_label_names_a_caller() -> None:
    metrics = Metrics()
    metrics.count(logged(requester="private@example.com", client_request_id="theirs", request="secret words"))
    text = metrics.text().decode()
    assert "private@example.com" not in text
    assert "theirs" not in text
    assert "secret words" not in text


def test_label_values_stay_few_however_many_names_come() -> None:
    metrics = Metrics()
    for number in range(1_200):
        metrics.count(logged(endpoint_name=f"endpoint-{number}"))
    families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}
    names = {sample.labels["endpoint"] for sample in families["headgate_requests"].samples}
    assert len(names) == 1_001
    assert value(metrics, "headgate_requests_total", endpoint="other", status="200") == 200


def test_a_bounded_label_keeps_the_names_it_knows() -> None:
    bounded = Bounded(2)
    assert [bounded(name) for name in ("a", "b", "c", "a", "b")] == ["a", "b", "other", "a", "b"]
