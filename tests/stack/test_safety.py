"""Safety and topics over the real broker: a guard model and a judge of topics that do what the text says."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from launcher.broker import Broker
from tests.support.guard import SLOW_S, ScriptedGuard
from tests.support.provider import Hang, Reply, ScriptedProvider, Stream
from tests.support.services import Services, until

SAFE = {"input": {"safety": True}, "output": {"safety": True}}
LONG = "word " * 200


@pytest.fixture(scope="module")
def guard() -> Iterator[ScriptedGuard]:
    with ScriptedGuard() as running:
        yield running


@pytest.fixture(scope="module")
def judged(broker: Broker, guard: ScriptedGuard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A gateway with both judges; the endpoint `open` is served without a verdict."""
    settings = {
        "HEADGATE_GUARD_URL": guard.url,
        "HEADGATE_GUARD_MODEL": "llama-guard",
        "HEADGATE_GUARD_KIND": "llama-guard-3",
        "HEADGATE_GUARD_KEY": "sk-guard",
        "HEADGATE_GUARD_SECONDS": "1",
        "HEADGATE_GUARD_FAIL_OPEN": "open",
        "HEADGATE_TOPICS_URL": guard.url,
        "HEADGATE_TOPICS_MODEL": "topics",
    }
    with Services(broker.address, tmp_path_factory.mktemp("judged"), workers=1, **settings) as running:
        yield running


def inner(answer: Any) -> dict[str, Any]:
    return dict(json.loads(answer.json()["message"]))


def said(lines: str) -> str:
    """What a stream said, from its server-sent events."""
    events = [json.loads(line[6:]) for line in lines.splitlines() if line.startswith("data: {")]
    choices = [choice for event in events for choice in event.get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def test_an_unsafe_request_ends_its_call_with_the_vendors_envelope(
    judged: Services, guard: ScriptedGuard, provider: ScriptedProvider
) -> None:
    judged.endpoint("safe", provider.url, "safe-model", guardrails=SAFE)
    provider.script("safe-model", Hang())
    before = provider.hung_up
    answer = judged.ask("safe", "[unsafe S10]")
    assert answer.status_code == 400, answer.text
    (element,) = inner(answer)["input_guardrail"]
    assert (element["flagged"], element["categories"]["hate"], element["categories"]["privacy"]) == (True, True, False)
    assert inner(answer)["usage"] == {"prompt_tokens": 196, "total_tokens": 201}
    if provider.of("safe-model"):  # the verdict may have come before the call went out
        until(lambda: provider.hung_up > before, 2.0, "the call is cancelled")
    (row,) = judged.logged_once("safe", 1)
    assert [(one.guardrail, one.outcome, one.entity_type) for one in row.findings] == [("safety", "blocked", "hate")]
    assert guard.of("llama-guard")[0].headers["Authorization"] == "Bearer sk-guard"


def test_a_safe_answer_comes_after_a_slow_verdict_and_an_unsafe_one_does_not(
    judged: Services, provider: ScriptedProvider
) -> None:
    judged.endpoint("answers", provider.url, "answers-model", guardrails=SAFE)
    begun = time.monotonic()
    assert judged.ask("answers", "[slow]").status_code == 200
    assert time.monotonic() - begun >= SLOW_S
    provider.script("answers-model", Reply(text="Like this [unsafe S1]"))
    answer = judged.ask("answers")
    assert answer.status_code == 400
    assert inner(answer)["output_guardrail"][0]["categories"]["violent-crimes"]
    assert "Like this" not in answer.text


def test_a_stream_ends_where_it_turns_unsafe(judged: Services, provider: ScriptedProvider) -> None:
    judged.endpoint("flow", provider.url, "flow-model", guardrails=SAFE)
    provider.script("flow-model", Stream(texts=(LONG, "all is well"), interval_s=0.02))
    answer = judged.ask("flow", stream=True)
    assert (said(answer.text), answer.text.rstrip().endswith("[DONE]")) == (LONG + "all is well", True)
    provider.script("flow-model", Stream(texts=(LONG, "now [unsafe S1] ", LONG), interval_s=0.02))
    answer = judged.ask("flow", stream=True)
    assert said(answer.text) == LONG
    assert "output_guardrail" in answer.text and "[unsafe" not in answer.text
    rows = judged.logged_once("flow", 2)
    assert sorted(row.status_code for row in rows) == [200, 400]


@pytest.mark.parametrize("text", ["[say I think it is fine]", "[status 500]", "[silent]"])
def test_without_a_verdict_an_endpoint_is_closed_unless_it_is_named(
    judged: Services, provider: ScriptedProvider, text: str, request: pytest.FixtureRequest
) -> None:
    number = request.node.callspec.indices["text"]
    judged.endpoint(f"closed-{number}", provider.url, "closed-model", guardrails={"input": {"safety": True}})
    answer = judged.ask(f"closed-{number}", text)
    assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    if number == 0:
        judged.endpoint("open", provider.url, "open-model", guardrails={"input": {"safety": True}})
    assert judged.ask("open", text).status_code == 200
    rows = judged.logged_once("open", number + 1)
    assert {(one.guardrail, one.outcome) for row in rows for one in row.findings} == {("safety", "open")}


def test_topics_are_judged_once_for_each_text(
    judged: Services, guard: ScriptedGuard, provider: ScriptedProvider
) -> None:
    judged.endpoint("garden", provider.url, "garden-model", guardrails={"input": {"valid_topics": ["gardening"]}})
    before = len(guard.of("topics"))
    assert [judged.ask("garden", "When do I sow?").status_code for _ in range(2)] == [200, 200]
    assert len(guard.of("topics")) == before + 1
    answer = judged.ask("garden", '[say {"topic": 0}]')
    assert answer.status_code == 400
    assert inner(answer)["input_guardrail"][0]["invalid_topics"]
