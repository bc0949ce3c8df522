import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from contract import codec
from contract.records import Command, ReplyFinished, Requester
from contract.state import Group, Permission, Token
from contract.topics import STATE
from processors.agents.manage import Managing, managing
from processors.bus import BrokerLost
from processors.control.base import Facts
from processors.gate import Bounds, Gate
from tests.processors.control.world import ADMIN, OWNER, T0, World, entity, split
from tests.processors.events import Event, Message
from tests.support import errors

NAMED = {"name": "chat", "config": {"served_entities": [entity("gpt-4o-mini")]}}


def command(action: str = "endpoint.create", body: Any = NAMED, **more: Any) -> bytes:
    facts: dict[str, Any] = {
        "command_id": "c1",
        "action": action,
        "requester": Requester(name=OWNER),
        "received_at_ms": T0,
        "deadline_ms": T0 + 1_000,
        "reply_slot": 3,
        "boot_id": "boot",
    }
    return codec.encode(Command(body=msgspec.Raw(msgspec.json.encode(body)), **(facts | more)))


class Stage:
    """The agent `manage` over lists; what is published is folded once `caught_up` is asked for."""

    def __init__(self) -> None:
        self.world = World()
        self.now_ms = T0
        self.steps: list[str] = []
        self.replies: list[tuple[int, ReplyFinished]] = []
        self.buried: list[str] = []
        self.acks: list[int] = []
        self.writes_left: int | None = None
        self.reply_lost = False
        self.fresh = True
        self._pending: list[tuple[str, bytes | None]] = []
        self.revive()

    def revive(self) -> None:
        """The next worker: nothing is left but the topics."""
        self.writes_left, self.reply_lost = None, False
        self.crashes: list[BaseException] = []
        self.gate = Gate(Bounds(100, 1 << 20, 1.0), self.crashes.append)
        self.gate.open_lanes()

    async def caught_up(self) -> None:
        for key, value in self._pending:
            self.world.view.fold(key, value, self.world.view.offset + 1)
        self._pending.clear()
        self.steps.append("caught up")

    async def publish(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> int:
        assert topic == STATE.name
        if self.writes_left == 0:
            raise BrokerLost(topic)
        self.writes_left = None if self.writes_left is None else self.writes_left - 1
        self._pending.append((key, value))
        self.steps.append("written")
        return self.world.view.offset + len(self._pending)

    async def reply(self, slot: int, record: ReplyFinished) -> None:
        if self.reply_lost:
            raise BrokerLost("gateway.replies")
        self.replies.append((slot, record))
        self.steps.append("replied")

    async def bury(self, event: Any, why: str) -> None:
        self.buried.append(why)

    def facts(self) -> Facts:
        return Facts(now_ms=self.now_ms, mint=lambda: next(self.world.ids), account_id="account", workspace_id="1")

    async def run(self, *values: bytes, since: int = 0) -> list[ReplyFinished]:
        """Feed the agent what lies on the topic from offset `since` on; all replies so far."""
        tools = Managing(
            view=self.world.view,
            caught_up=self.caught_up,
            facts=self.facts,
            publish=self.publish,
            reply=self.reply,
            bury=self.bury,
            gate=self.gate,
            fresh=lambda event: self.fresh and self.gate.open,
        )
        events = [Event(Message(offset=offset, value=value), self.acks) for offset, value in enumerate(values, since)]
        await managing(tools)(_stream(events))
        return [record for _, record in self.replies]


async def _stream(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event
        await asyncio.sleep(0)


async def test_a_change_is_written_seen_and_only_then_answered() -> None:
    stage = Stage()
    (answer,) = await stage.run(command())
    assert (answer.status, answer.request_id, answer.boot_id, stage.replies[0][0]) == (200, "c1", "boot", 3)
    assert stage.steps[0] == "caught up"
    assert stage.steps[-2:] == ["caught up", "replied"]
    assert answer.state_offset == stage.world.view.offset
    assert "chat" in stage.world.view.endpoints
    assert stage.acks == [0]


async def test_the_next_command_sees_what_the_one_before_has_changed() -> None:
    first, second = await Stage().run(command(), command(command_id="c2"))
    assert first.status == 200
    assert second.status >= 400
    assert second.state_offset == -1


async def test_a_refusal_writes_nothing() -> None:
    stage = Stage()
    (answer,) = await stage.run(command(body={"name": "-"}))
    assert answer.status == 400
    assert errors.named(msgspec.json.decode(answer.body), "c1").keys() == {"error_code", "message"}
    assert "written" not in stage.steps
    assert stage.acks == [0]


async def test_what_would_grow_beyond_a_record_is_refused_and_the_next_command_is_not() -> None:
    stage = Stage()
    bodies: list[Any] = [{"add_tags": [{"key": f"{number}", "value": "x" * 2_000_000}]} for number in range(4)]
    bodies.append({"delete_tags": ["0"]})
    patches = [
        command("endpoint.patch_tags", body, target="chat", command_id=f"c{n}") for n, body in enumerate(bodies, 2)
    ]
    answers = await stage.run(command(), *patches)
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 400, 200]
    assert msgspec.json.decode(answers[4].body)["error_code"] == "QUOTA_EXCEEDED"
    assert [tag.key for tag in stage.world.view.endpoints["chat"].tags] == ["1", "2"]


async def test_a_command_past_its_deadline_changes_nothing() -> None:
    stage = Stage()
    stage.now_ms = T0 + 1_000
    (answer,) = await stage.run(command())
    assert answer.status == 504
    assert stage.world.view.endpoints == {}


async def test_an_unknown_action_refuses_one_command_and_not_all_that_follow() -> None:
    stage = Stage()
    first, second = await stage.run(command("no.such"), command())
    assert first.status >= 400
    assert second.status == 200


async def test_a_defect_refuses_one_command_and_not_all_that_follow() -> None:
    stage = Stage()
    healthy = stage.facts

    def facts() -> Facts:
        def mint() -> str:
            stage.facts = healthy  # type: ignore[method-assign]
            raise KeyError("a defect")

        return Facts(now_ms=stage.now_ms, mint=mint, account_id="account", workspace_id="1")

    stage.facts = facts  # type: ignore[method-assign]
    (first,) = await stage.run(command())
    assert (first.status, msgspec.json.decode(first.body)["error_code"]) == (500, "INTERNAL_ERROR")
    assert (await stage.run(command()))[-1].status == 200


async def test_an_unreadable_command_goes_to_the_dead_letters_and_is_acked() -> None:
    stage = Stage()
    assert await stage.run(b"no command") == []
    assert (len(stage.buried), stage.acks) == (1, [0])


async def test_a_command_that_is_not_ours_any_more_is_left_to_its_new_owner() -> None:
    stage = Stage()
    stage.fresh = False
    assert await stage.run(command()) == []
    assert (stage.steps, stage.acks) == ([], [])


def peopled() -> Stage:
    """Somebody with a token, a membership and grants, and an endpoint of two entities."""
    stage = Stage()
    world = stage.world
    shares = split(("gpt-4o-mini", 50), ("gpt-4o", 50))
    world.create(
        "chat", config={"served_entities": [entity("gpt-4o-mini"), entity("gpt-4o")], "traffic_config": shares}
    )
    world.keep("group/staff", Group(id="9", name="staff", members=(OWNER,)))
    world.keep("token/" + "0" * 64, Token(token_id="t", hash="0" * 64, owner=OWNER, created_at_ms=T0))
    grants: dict[str, Any] = {OWNER: "CAN_QUERY", "group:staff": "CAN_VIEW"}
    world.keep("permission/x", Permission(endpoint_id="x", levels=grants))
    return stage


AFTER_ALL = {
    "create": command(body={**NAMED, "name": "new"}),
    "put": command("endpoint.update_config", {"served_entities": [entity("gpt-5")]}, target="chat"),
    "delete": command("endpoint.delete", {}, target="chat"),
    "leave": command("principal.delete", {"kind": "user"}, target="2", requester=Requester(name=ADMIN)),
    "rename": command("group.change", {"display_name": "crew"}, target="9", requester=Requester(name=ADMIN)),
    "made": command("group.create", {"display_name": "others"}, requester=Requester(name=ADMIN)),
    "scope": command("scope.create", {"scope": "mine"}),
}
each_change = pytest.mark.parametrize("name", AFTER_ALL)


def kept(stage: Stage) -> dict[str, Any]:
    """The whole configuration."""
    return {kind: dict(found) for kind, found in stage.world.view._maps.items()}


@each_change
async def test_wherever_its_worker_dies_a_command_is_completed_and_answered_as_if_it_had_lived(name: str) -> None:
    untouched = peopled()
    (wanted,) = await untouched.run(AFTER_ALL[name])
    writes = untouched.steps.count("written")
    assert wanted.status in (200, 201) and writes >= 2
    for survived in range(1, writes + 1):
        stage = peopled()
        stage.writes_left = survived
        stage.reply_lost = survived == writes
        assert await stage.run(AFTER_ALL[name]) == []
        assert (stage.acks, [type(crash) for crash in stage.crashes]) == ([], [BrokerLost])
        stage.revive()
        stage.now_ms += 60_000  # past its deadline: what was begun is finished all the same
        (answer,) = await stage.run(AFTER_ALL[name])
        assert (answer.status, bytes(answer.body)) == (wanted.status, bytes(wanted.body))
        assert kept(stage) == kept(untouched)
        assert (stage.acks, stage.crashes) == ([0], [])


@each_change
async def test_a_command_of_which_nothing_was_written_is_decided_by_the_next_worker(name: str) -> None:
    stage = peopled()
    stage.writes_left = 0
    assert await stage.run(AFTER_ALL[name], AFTER_ALL["create"]) == [], "nothing is decided behind a failure"
    stage.revive()
    (answer,) = await stage.run(AFTER_ALL[name])
    assert answer.status in (200, 201)


async def test_a_command_answered_and_not_committed_is_answered_the_same_again() -> None:
    stage = peopled()
    await stage.run(AFTER_ALL["create"])
    before = kept(stage)
    first, second = await stage.run(AFTER_ALL["create"])
    assert (first.status, first.body) == (second.status, second.body)
    assert kept(stage) == before


async def test_commands_before_the_last_one_have_their_answers_and_change_nothing_again() -> None:
    stage = peopled()
    refused = command(body=NAMED, command_id="c0")  # there is a `chat` already
    deleted = command("endpoint.delete", {}, target="chat", command_id="c1")
    again = command(body={**NAMED, "name": "other"}, command_id="c2")
    first = await stage.run(refused, deleted, again)
    assert [answer.status for answer in first] == [409, 200, 200]
    before = kept(stage)
    stage.revive()
    *_, last = await stage.run(refused, deleted, again)
    assert len(stage.replies) == 4 and last.body == first[2].body
    assert kept(stage) == before


async def test_a_topic_of_commands_made_anew_counts_from_0_and_its_commands_are_carried_out() -> None:
    stage = peopled()
    await stage.run(AFTER_ALL["delete"], since=500)
    later = T0 + 60_000
    stage.now_ms = later
    fresh = command(body=NAMED, command_id="c2", received_at_ms=later, deadline_ms=later + 1_000)
    assert [answer.status for answer in await stage.run(fresh)] == [200, 200]
