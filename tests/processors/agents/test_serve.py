import asyncio
from typing import Any

import msgspec
import pytest

from contract import codec
from contract.endpoint import AiGateway, RateLimit
from contract.records import Requester, Submitted, WindowSnapshot
from contract.topics import WINDOWS
from processors.gate import Bounds
from processors.providers.base import HttpAnswer
from tests.processors.agents.world import (
    FALLBACK,
    PARTITION,
    QUESTION,
    TABLE,
    Hang,
    World,
    endpoint,
    failing,
    good,
    request,
)


def limited(**ceiling: int) -> AiGateway:
    rule = RateLimit(key="endpoint", renewal_period="minute", **ceiling)  # type: ignore[arg-type]
    return AiGateway(rate_limits=(rule,), inference_table_config=TABLE)


async def test_a_request_is_answered_logged_and_only_then_acked() -> None:
    world = World()
    await world.serve(request())
    assert world.finish.status == 200
    assert bytes(world.finish.body) == good().body
    assert (world.finish.request_id, world.finish.boot_id, world.replies[0][0]) == ("r1", "boot", 3)
    assert (world.row.status_code, world.row.refusal, world.row.served_entity_id) == (200, "", "id-a")
    assert world.acks == [1]
    assert world.cases == {}
    assert world.cleared == ["r1"]


async def test_a_request_past_its_deadline_is_not_called_and_settles_504() -> None:
    world = World()
    await world.serve(request(deadline_ms=world.now_ms))
    assert world.provider.calls == []
    assert (world.finish.status, world.row.status_code, world.row.refusal) == (504, 504, "too_late")
    assert (world.row.input_token_count, world.row.attempts) == (0, ())


async def test_an_unknown_endpoint_is_404_and_logged_without_ids() -> None:
    world = World()
    await world.serve(request(endpoint="other"))
    assert (world.finish.status, world.answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert (world.row.endpoint_id, world.row.served_entity_id, world.row.endpoint_name) == ("", "", "other")


async def test_a_task_the_endpoint_does_not_serve_is_refused() -> None:
    world = World()
    await world.serve(request(task="llm/v1/embeddings"))
    assert world.finish.status == 400
    assert "serves task llm/v1/chat" in world.answer["message"]
    assert world.provider.calls == []


@pytest.mark.parametrize(
    ("body", "says"), [({}, "messages: is required"), ({"messages": 5}, "messages: Expected `array`"), (b"[]", "Body:")]
)
async def test_a_body_that_does_not_fit_its_task_is_refused_by_the_field(body: Any, says: str) -> None:
    world = World()
    await world.serve(request(body))
    assert (world.finish.status, world.provider.calls) == (400, [])
    assert world.answer["message"].startswith(says)


async def test_bytes_that_are_no_text_are_refused_and_do_not_stop_the_worker() -> None:
    world = World()
    await world.serve(request(b'{"messages":"\xff"}'), request(request_id="r2"))
    assert [row.status_code for row in world.rows] == [400, 200]
    assert world.crashes == []


async def test_the_first_choice_is_drawn_and_named_in_a_refusals_row() -> None:
    split = endpoint(limited(calls=0), "a", "b")
    routes = [msgspec.structs.replace(route, traffic_percentage=50) for route in split.routes]
    world = World(msgspec.structs.replace(split, routes=tuple(routes)))
    world.draw = 50.0
    await world.serve(request())
    assert (world.row.served_entity_id, world.finish.served_entity_name) == ("id-b", "b")


async def test_a_rate_limited_request_is_in_the_log_without_a_payload_table() -> None:
    world = World(endpoint(limited(calls=1)))
    await world.serve(request(), request(request_id="r2"))
    assert sorted(row.status_code for row in world.rows) == [200, 429]
    tables = {row.status_code: row.payload_table is not None for row in world.rows}
    assert tables == {200: True, 429: False}
    assert len(world.provider.calls) == 1


async def test_a_limited_endpoints_offsets_wait_for_the_snapshot() -> None:
    world = World(endpoint(limited(calls=1)))
    await world.serve(request(), request(request_id="r2"), request(request_id="r3", deadline_ms=world.now_ms))
    assert world.acks == []
    for partition, offset in (await world.windows.publish()).items():
        world.gate.cover(("gateway.requests", partition), offset)
    assert world.acks == [1, 2, 3]


SUBMITTED = Submitted(partition=2, offset=7, reply_topic="answers")


async def test_a_submission_that_was_published_twice_is_called_logged_and_answered_once() -> None:
    world = World()
    hang = Hang()
    world.provider.steps = [hang]
    await world.begin(request(submitted=SUBMITTED), request(submitted=SUBMITTED))
    await hang.reached.wait()
    world.hang_up()
    await world.ended()
    await world.serve(request(submitted=SUBMITTED))
    assert len(world.provider.calls) == len(world.rows) == len(world.answered) == 1
    assert sorted(world.acks) == [1, 2, 3]


async def test_a_submission_that_came_twice_counts_once_in_a_window_and_stays_out_in_a_replay() -> None:
    world = World(endpoint(limited(calls=2)))
    await world.serve(request(submitted=SUBMITTED), request(submitted=SUBMITTED), request(request_id="r2"))
    assert [row.status_code for row in world.rows] == [200, 200]
    assert world.acks == []
    for partition, offset in (await world.windows.publish()).items():
        world.gate.cover(("gateway.requests", partition), offset)
    assert world.acks == [1, 2, 3]
    (snapshot,) = [codec.read(WindowSnapshot, value) for topic, _, value in world.published if topic == WINDOWS.name]
    assert isinstance(snapshot, WindowSnapshot) and snapshot.refused == (2,)


async def test_a_submission_that_another_worker_still_finishes_is_left_to_it() -> None:
    world = World()
    world.elsewhere.add("r1")
    await world.serve(request(submitted=SUBMITTED), request(request_id="r2", submitted=SUBMITTED))
    assert [row.request_id for row in world.rows] == ["r2"]
    assert world.acks == [1, 2]


async def test_submissions_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.agents.serve.REMEMBERED_SUBMISSIONS", 2)
    world = World()
    await world.serve(*(request(request_id=f"r{n}", submitted=SUBMITTED) for n in range(3)))
    assert list(world.submitted) == ["r1", "r2"]


async def test_of_the_same_request_over_http_none_is_left_out() -> None:
    world = World()
    await world.serve(request(), request())
    assert len(world.rows) == 2 and world.submitted == {}


async def test_a_limited_request_on_the_wrong_partition_is_published_again_with_the_right_key() -> None:
    world = World(endpoint(limited(calls=1)))
    await world.serve(request(), partition=PARTITION + 1)
    assert world.moved == [("chat", codec.encode(request()))]
    assert (world.rows, world.replies, world.provider.calls) == ([], [], [])
    assert world.acks == [1]


async def test_an_endpoint_over_its_share_is_refused_and_others_are_not() -> None:
    world = World(endpoint(), endpoint(name="other"), bounds=Bounds(4, 1 << 20, 0.25))
    hang = Hang()
    world.provider.steps = [hang]
    await world.begin(request())
    await hang.reached.wait()
    await world.begin(request(request_id="r2"), request(request_id="r3", endpoint="other"))
    while len(world.rows) < 2:
        await asyncio.sleep(0)
    assert {row.request_id: row.refusal for row in world.rows} == {"r2": "too_many_in_flight", "r3": ""}
    world.hang_up()
    await world.ended()


async def test_no_negative_max_tokens_makes_room_in_a_window() -> None:
    world = World(endpoint(limited(tokens=30)))
    bodies = [QUESTION | {"max_tokens": most} for most in (20, -1_000, 20)]
    world.provider.steps = [Hang(), Hang(), Hang()]
    await world.begin(*(request(body, request_id=f"r{n}") for n, body in enumerate(bodies)))
    while not world.rows:
        await asyncio.sleep(0)
    assert {row.request_id: row.refusal for row in world.rows} == {"r2": "rate_limited"}
    world.hang_up("r0")
    world.hang_up("r1")
    await world.ended()


PROMPTS = "llm/v1/completions"


@pytest.mark.parametrize(
    ("task", "body", "reserved"),
    [
        ("llm/v1/chat", QUESTION | {"max_tokens": 10}, 1 + 10),
        ("llm/v1/chat", QUESTION | {"max_completion_tokens": 10, "n": 4}, 1 + 40),
        ("llm/v1/chat", QUESTION | {"max_tokens": 10, "n": 0}, 1 + 10),
        ("llm/v1/chat", QUESTION | {"max_tokens": 10, "n": "4"}, 1 + 10),
        ("llm/v1/chat", QUESTION | {"max_tokens": 10, "prompt": ["a", "b"]}, 1 + 10),
        ("llm/v1/chat", QUESTION | {"n": 4}, 1),
        (PROMPTS, {"prompt": "four", "max_tokens": 10, "n": 2}, 1 + 20),
        (PROMPTS, {"prompt": ["four", "more"], "max_tokens": 10, "n": 2}, 2 + 40),
        (PROMPTS, {"prompt": ["four", "more"], "max_tokens": 10, "n": 2, "best_of": 3}, 2 + 60),
        (PROMPTS, {"prompt": [[1, 2], [3]], "max_tokens": 10}, 20),
        (PROMPTS, {"prompt": [1, 2, 3], "max_tokens": 10}, 10),
    ],
)
async def test_a_reservation_holds_what_all_answers_of_a_request_may_cost(
    task: str, body: dict[str, Any], reserved: int
) -> None:
    for ceiling, refusals in ((reserved, []), (reserved - 1, ["rate_limited"])):
        world = World(endpoint(limited(tokens=ceiling), task=task))
        await world.serve(request(body))
        assert [row.refusal for row in world.rows if row.refusal] == refusals


async def test_tokens_that_were_not_used_are_given_back() -> None:
    world = World(endpoint(limited(tokens=100)))
    await world.serve(request(QUESTION | {"max_tokens": 90}))
    await world.serve(request(QUESTION | {"max_tokens": 80}, request_id="r2"))
    assert [row.status_code for row in world.rows] == [200, 200]


@pytest.mark.parametrize("body", [b"[]", b'{"messages":5}', b'{"messages":[5,null]}', b'{"messages":"\xff"}'])
async def test_no_body_stops_the_admission_of_a_token_limited_endpoint(body: bytes) -> None:
    world = World(endpoint(limited(tokens=100)))
    await world.serve(request(body), request(request_id="r2"))
    assert {row.request_id for row in world.rows} == {"r1", "r2"}
    assert world.crashes == []


async def test_events_from_before_a_rebalance_are_left_to_the_new_owner() -> None:
    world = World()
    world.is_fresh = False
    await world.serve(request(), b"unreadable")
    assert (world.acks, world.rows, world.buried, world.provider.calls) == ([], [], [], [])


async def test_an_unreadable_record_goes_to_the_dead_letters_and_is_acked() -> None:
    world = World()
    await world.serve(b"{}", request())
    assert len(world.buried) == 1
    assert world.acks == [1, 2]
    assert world.row.request_id == "r1"


async def test_a_request_waits_for_the_configuration_it_was_accepted_under() -> None:
    world = World(endpoint(name="old"))
    asked = list[int]()

    async def view_reached(offset: int, patience_s: float) -> bool:
        asked.append(offset)
        world.view.fold("endpoint/chat", codec.encode(endpoint()), offset)
        return True

    world.view_reached = view_reached  # type: ignore[method-assign]
    await world.serve(request(config_version=5), request(request_id="r2", config_version=5))
    assert asked == [5]
    assert [row.status_code for row in world.rows] == [200, 200]


async def test_a_defect_settles_500_and_later_events_still_work() -> None:
    world = World()

    world.provider.steps = [KeyError("a defect"), good()]
    await world.serve(request())
    await world.serve(request(request_id="r2"))
    first, second = world.rows
    assert (first.status_code, first.refusal, second.status_code) == (500, "internal", 200)
    assert world.acks == [1, 2]
    assert world.crashes == []


async def test_a_deadline_ends_a_call_that_takes_too_long() -> None:
    world = World(endpoint(FALLBACK, "a", "b"))
    hang = Hang()
    world.provider.steps = [hang]
    await world.serve(request(deadline_ms=world.now_ms + 20))
    assert hang.cut_off
    assert (world.finish.status, world.row.refusal) == (504, "too_late")
    assert [(one.served_entity_name, one.outcome) for one in world.row.attempts] == [("a", "cut off")]
    assert world.row.input_token_count == 1, "the provider was called, so the estimate counts"


async def test_a_late_second_attempt_has_its_own_time() -> None:
    world = World(endpoint(FALLBACK, "a", "b"))

    async def unavailable() -> HttpAnswer:
        world.now_ms += 500
        return failing(503)

    async def never() -> HttpAnswer:
        world.now_ms += 7
        await Hang().wait()
        raise AssertionError

    world.provider.steps = [unavailable, never]
    await world.serve(request(deadline_ms=world.now_ms + 30))
    assert [(one.status, one.duration_ms) for one in world.row.attempts] == [(503, 500), (0, 7)]
    assert (world.row.execution_duration_ms, world.row.served_entity_name) == (7, "b")


async def test_a_caller_that_hangs_up_ends_the_call_and_gets_no_reply() -> None:
    world = World()
    hang = Hang()
    world.provider.steps = [hang]
    await world.begin(request())
    await hang.reached.wait()
    world.hang_up()
    world.hang_up()
    await world.ended()
    assert hang.cut_off
    assert (world.row.status_code, world.row.refusal, world.replies) == (499, "caller_gone", [])
    assert world.acks == [1]


async def test_a_hang_up_while_a_deadline_unwinds_the_call_breaks_nothing() -> None:
    world = World()
    unwinding, go_on = asyncio.Event(), asyncio.Event()

    async def unwound_slowly() -> HttpAnswer:
        try:
            await Hang().wait()
        finally:
            unwinding.set()
            await go_on.wait()
        raise AssertionError

    world.provider.steps = [unwound_slowly]
    await world.begin(request(deadline_ms=world.now_ms + 10))
    await unwinding.wait()
    world.hang_up()
    go_on.set()
    await world.ended()
    assert world.row.status_code == 499
    assert world.crashes == []


async def test_a_caller_that_hung_up_before_is_not_called_for() -> None:
    world = World()
    world.hung_up["r1"] = None
    await world.serve(request())
    assert (world.provider.calls, world.replies) == ([], [])
    assert world.row.status_code == 499


async def test_requesters_and_context_reach_the_row() -> None:
    world = World()
    await world.serve(
        request(requester=Requester(name="bob"), client_request_id="c", usage_context={"team": "x"}, config_version=0)
    )
    row = world.row
    assert (row.requester, row.client_request_id, row.usage_context, row.config_version) == (
        "bob", "c", {"team": "x"}, 0,
    )  # fmt: skip


async def test_a_request_for_one_entity_goes_there_whatever_the_split_says_and_is_logged_as_the_endpoints() -> None:
    world = World(endpoint(None, "a", "b"))
    await world.serve(request(served_entity="b"))
    assert world.provider.models == ["model-b"]
    assert (world.row.endpoint_name, world.row.served_entity_id) == ("chat", "id-b")


async def test_a_request_for_one_entity_gets_that_ones_failure_and_no_fallback() -> None:
    world = World(endpoint(FALLBACK, "a", "b"))
    world.provider.steps = [failing(503)]
    await world.serve(request(served_entity="a"))
    assert world.provider.models == ["model-a"]
    assert (world.finish.status, world.row.served_entity_name) == (503, "a")


async def test_a_request_for_one_entity_counts_against_the_endpoints_limits() -> None:
    world = World(endpoint(limited(calls=1), "a", "b"))
    await world.serve(request(request_id="r1", served_entity="b"), request(request_id="r2", served_entity="b"))
    assert sorted(row.status_code for row in world.rows) == [200, 429]


async def test_an_entity_that_went_while_its_request_was_on_its_way_is_404() -> None:
    world = World()
    await world.serve(request(served_entity="gone"))
    assert (world.finish.status, world.provider.calls) == (404, [])
