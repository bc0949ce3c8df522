import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from contract import codec
from contract.records import Command, ReplyFinished, Requester
from contract.topics import STATE
from processors.agents.manage import Managing, managing
from processors.control.base import Facts
from tests.processors.control.world import OWNER, T0, World, entity
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
        self._pending: list[tuple[str, bytes | None]] = []

    async def caught_up(self) -> None:
        for key, value in self._pending:
            self.world.view.fold(key, value, self.world.view.offset + 1)
        self._pending.clear()
        self.steps.append("caught up")

    async def publish(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> int:
        assert topic == STATE.name
        self._pending.append((key, value))
        self.steps.append("written")
        return self.world.view.offset + len(self._pending)

    async def reply(self, slot: int, record: ReplyFinished) -> None:
        self.replies.append((slot, record))
        self.steps.append("replied")

    async def bury(self, event: Any, why: str) -> None:
        self.buried.append(why)

    def facts(self) -> Facts:
        return Facts(now_ms=self.now_ms, mint=lambda: next(self.world.ids), account_id="account", workspace_id="1")

    async def run(self, *values: bytes) -> list[ReplyFinished]:
        tools = Managing(self.world.view, self.caught_up, self.facts, self.publish, self.reply, self.bury)
        events = [Event(Message(offset=offset, value=value), self.acks) for offset, value in enumerate(values)]
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
    first, second = await Stage().run(command(), command())
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
    bodies: list[Any] = [{"add_tags": [{"key": f"{number}", "value": "x" * 4_000_000}]} for number in range(4)]
    bodies.append({"delete_tags": ["0"]})
    answers = await stage.run(command(), *(command("endpoint.patch_tags", body, target="chat") for body in bodies))
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
