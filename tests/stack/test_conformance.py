"""Every cell of the grid of guardrails over the real broker: what comes out where a guardrail stands in the way."""

import json
from typing import Any

import pytest
import requests

from tests.support.conformance import Guard, Surface, Word, strings
from tests.support.provider import ScriptedProvider
from tests.support.services import Services
from tests.support.surfaces import SURFACES

SAFE = "hello"


@pytest.mark.parametrize("number", range(len(SURFACES)), ids=lambda n: f"{SURFACES[n].name} {SURFACES[n].side} {n}")
def test_a_surface_is_guarded_as_the_grid_says(judged: Services, provider: ScriptedProvider, number: int) -> None:
    surface = SURFACES[number]
    cells = enumerate(surface.cells())
    found = {name: outcome(judged, provider, surface, one, f"grid-{number}-{at}") for at, (name, one, _) in cells}
    assert found == {name: word for name, _, word in surface.cells()}


def outcome(judged: Services, provider: ScriptedProvider, surface: Surface, guard: Guard, name: str) -> Word:
    """Ask for one cell, and say what came of it."""
    rules = {surface.side: surface.rules(guard)}
    judged.endpoint(name, provider.url, name, task=surface.task, guardrails=rules)
    if surface.answers is not None:
        provider.script(name, surface.answers(guard.trigger))
    text = guard.trigger if surface.side == "input" else SAFE
    answer = judged.call("POST", f"/serving-endpoints/{name}/invocations", surface.asks(text))
    if answer.status_code == 503:
        return "503"
    if answer.status_code == 400:
        assert json.loads(answer.json()["message"])["finishReason"] == f"{surface.side}_guardrail_triggered"
        assert guard.secret not in answer.text
        return "400"
    assert answer.status_code == 200, answer.text
    got = provider.of(name)[-1].body if surface.side == "input" else read(surface, answer)
    if isinstance(got, str):
        return got
    return "passes" if guard.secret in strings(got) else "masked"


def read(surface: Surface, answer: requests.Response) -> Any:
    """What the caller read; `event` where a stream ended with an error."""
    if not surface.streams:
        return answer.json()["choices"]
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    said = [choice.get("delta", choice.get("text")) for event in events for choice in event.get("choices", ())]
    return "event" if "error" in events[-1] else said
