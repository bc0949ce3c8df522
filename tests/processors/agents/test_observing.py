"""Judges that only observe: the caller notices nothing, the row has what they found."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from contract.records import ReplyFinished
from processors.guardrails.safety import windows
from processors.guardrails.safety.held import WINDOW
from tests.processors.agents.judged import BAD, LIMIT, Guard, ask, both, findings, gateway, world
from tests.processors.agents.world import DONE, USAGE_CHUNK, Hang, World, chunk, good, request, spoken

OBSERVE = {"observe": True}
ALL = {"observe": True, "prompt_injection": True}
LONG = "word " * (WINDOW // 5)


def observed(*sides: str, **more: Any) -> tuple[World, Guard]:
    return world(gateway(*sides, beyond=OBSERVE, **more))


async def replied(made: World) -> None:
    """The caller has its whole answer."""
    while not any(isinstance(record, ReplyFinished) for _, record in made.replies):
        await asyncio.sleep(0)


async def test_the_answer_goes_out_while_the_judges_still_think_and_the_row_waits_for_them() -> None:
    made, guard = world(gateway("input", topics=["gardening"], beyond=ALL))
    guard.open.clear()
    await made.begin(ask(BAD))
    await replied(made)
    while len(guard.calls) < 3:
        await asyncio.sleep(0)
    assert (made.finish.status, made.rows, made.acks) == (200, [], [])
    guard.open.set()
    await made.ended()
    assert [(f.guardrail, f.outcome, f.entity_type) for f in made.row.findings] == [
        ("safety", "observed", "non-violent-crimes"),
        ("safety", "observed", "hate"),
    ]
    assert (made.row.status_code, made.row.refusal, len(made.acks)) == (200, "", 1)


async def test_the_first_piece_of_a_stream_does_not_wait_for_the_verdict() -> None:
    made, guard = observed("input")
    hang = Hang()
    made.provider.steps = [(chunk("The answer."), hang)]
    guard.open.clear()
    await made.begin(ask(BAD, stream=True))
    await hang.reached.wait()
    while not made.pieces:
        await asyncio.sleep(0)
    made.hang_up()
    await made.ended()
    assert (made.row.status_code, made.crashes) == (499, [])


async def test_every_judge_of_the_request_observes() -> None:
    for said, name in (('[say {"topic": 0}]', "topics"), ("[inject 0.9]", "prompt_injection")):
        made, _ = world(gateway("input", topics=["gardening"], safety=False, beyond=ALL))
        made.judges = made.judges._replace(injection=None) if name == "topics" else made.judges
        await made.serve(ask(said))
        assert made.finish.status == 200
        assert ("input", name, "observed") in findings(made)


async def test_a_row_does_not_count_the_time_it_waited_for_observers() -> None:
    made, guard = observed("input")
    guard.open.clear()
    await made.begin(ask(BAD))
    await replied(made)
    await guard.asked.wait()
    made.now_ms += 500
    guard.open.set()
    await made.ended()
    assert made.row.total_duration_ms == 0
    assert [f.duration_ms for f in made.row.findings] == pytest.approx([500, 500], abs=0.01)


@pytest.mark.parametrize("said", ["[say fine]", "[status 500]", "[silent]"])
async def test_an_observer_that_fails_refuses_nothing_and_its_failure_is_in_the_row(said: str) -> None:
    made, _ = world(gateway("input", beyond=OBSERVE), timeout_s=0.02)
    await made.serve(ask(said))
    assert (made.finish.status, findings(made)) == (200, [("input", "safety", "failed")])


async def test_a_text_too_long_to_be_judged_is_answered_where_it_is_only_observed() -> None:
    made, guard = observed("input")
    await made.serve(ask("x" * (LIMIT + windows.WINDOW)))
    assert (made.finish.status, guard.calls, findings(made)) == (200, [], [("input", "safety", "failed")])


async def test_observers_have_until_the_deadline_and_no_longer() -> None:
    made, _ = observed("input")
    late = request({"messages": [{"role": "user", "content": "[silent]"}]}, deadline_ms=made.now_ms + 50)
    await made.serve(late)
    assert (made.finish.status, findings(made)) == (200, [("input", "safety", "failed")])


async def test_a_whole_answer_goes_out_while_it_is_judged() -> None:
    made, guard = observed("output")
    guard.open.clear()
    made.provider.steps = [good("Like this [unsafe S2]")]
    await made.begin(ask("Hello"))
    await replied(made)
    assert (bytes(made.finish.body), made.rows) == (good("Like this [unsafe S2]").body, [])
    guard.open.set()
    await made.ended()
    assert findings(made) == [("output", "safety", "observed")]


async def played(made: World, *texts: str, ending: Sequence[Any] = (chunk(last=True), USAGE_CHUNK, DONE)) -> World:
    made.provider.steps = [(*(chunk(text) for text in texts), *ending)]
    await made.serve(ask("Hello", stream=True))
    return made


async def test_a_stream_is_judged_by_windows_and_held_by_none() -> None:
    made, guard = observed("output")
    hang = Hang()
    guard.open.clear()
    made.provider.steps = [(chunk(LONG), chunk("[unsafe S1] "), hang)]
    await made.begin(ask("Hello", stream=True))
    await hang.reached.wait()
    await guard.asked.wait()
    while spoken(made.streamed) != LONG + "[unsafe S1] ":
        await asyncio.sleep(0)
    assert guard.texts == [LONG.strip()]
    made.hang_up()
    await made.ended()


async def test_what_a_stream_said_is_judged_to_its_end_and_found_once() -> None:
    made, guard = observed("output")
    await played(made, LONG, "and so [unsafe S1] ", LONG, "[unsafe S1] more")
    assert made.streamed[-1] == "[DONE]"
    assert (made.row.status_code, findings(made)) == (200, [("output", "safety", "observed")])
    assert [len(text) for text in guard.texts] == [799, 200 + 19 + 799, 200 + 16]


async def test_the_end_of_a_stream_that_breaks_off_is_judged_too() -> None:
    made, guard = observed("output")
    await played(made, "and so [unsafe S1] ", ending=())
    assert guard.texts == ["and so [unsafe S1]"]
    assert findings(made) == [("output", "safety", "observed")]


async def test_one_side_observes_and_the_other_decides() -> None:
    made, _ = world(both(beyond=OBSERVE))
    made.provider.steps = [good("Like this [unsafe S1]")]
    await made.serve(ask(BAD))
    assert (made.finish.status, made.row.refusal) == (400, "output_guardrail")
    assert {one[::2] for one in findings(made)} == {("input", "observed"), ("output", "blocked")}


async def test_nobody_goes_on_observing_for_a_caller_who_is_gone() -> None:
    made, guard = observed("input")
    hang = Hang()
    made.provider.steps = [hang]
    guard.open.clear()
    await made.begin(ask(BAD))
    await hang.reached.wait()
    made.hang_up()
    await made.ended()
    assert (made.row.status_code, findings(made), made.crashes) == (499, [], [])


async def test_a_defect_in_an_observer_harms_nobody() -> None:
    made, guard = observed("input")
    guard.failure = KeyError("a defect")
    await made.serve(ask("Hello"))
    assert (made.finish.status, made.row.status_code, made.crashes) == (200, 200, [])
