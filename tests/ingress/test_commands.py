"""Commands: one answer each, or a refusal in time."""

import msgspec

from contract import topics
from contract.records import Command, Requester
from contract.refusals import Refusal
from ingress.commands import Commands
from ingress.edge import Call
from ingress.settings import Settings
from ingress.wire import Answer
from tests.ingress.world import ADMIN, World

WHO = Requester(name=ADMIN, admin=True)
ASKED = Call(request_id="r1", requester=WHO, path={}, query={}, body=b"")


async def test_a_command_says_who_wants_what_of_what_and_by_when() -> None:
    world = World(Settings(command_seconds=7))
    answer = await world.commands.ask(ASKED, "endpoint.delete", {"a": 1}, target="chat")
    assert isinstance(answer, Answer) and answer.status == 404
    topic, key, value = world.published[0]
    command = msgspec.json.decode(value, type=Command)
    assert (topic, key) == (topics.COMMANDS.name, "endpoint/chat")
    assert (command.action, command.target, bytes(command.body)) == ("endpoint.delete", "chat", b'{"a":1}')
    assert (command.command_id, command.requester) == ("r1", WHO) and command.reply_slot == 3
    assert command.deadline_ms - command.received_at_ms == 7000


async def test_without_a_writer_it_is_504_in_time_and_nobody_waits_on() -> None:
    world = World()

    async def swallow(topic: str, key: str, value: bytes, *, spread: bool = False) -> bool:
        return True

    commands = Commands(
        waiters=world.waiters, publish=swallow, state=world.state, boot=world.commands._boot, seconds=-0.99
    )
    answer = await commands.ask(ASKED, "token.delete", {})
    assert isinstance(answer, Refusal) and answer.status == 504 and len(world.waiters) == 0


async def test_a_change_that_is_made_is_answered_even_if_it_is_not_read_back_in_time() -> None:
    world = World()

    async def never(offset: int, seconds: float) -> bool:
        return False

    world.state.reached = never  # type: ignore[method-assign]
    answer = await world.commands.ask(ASKED, "scope.create", {"scope": "s"})
    assert answer == Answer(status=200, body=b"{}")


async def test_when_all_places_are_taken_it_is_503() -> None:
    world = World(Settings(waiting=0))
    answer = await world.commands.ask(ASKED, "scope.create", {"scope": "s"})
    assert isinstance(answer, Refusal) and answer.status == 503 and world.published == []
