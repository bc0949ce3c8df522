import asyncio
from typing import Any

from contract import codec
from contract.records import HandedOver
from contract.topics import HANDOVERS, REQUESTS
from processors.agents.handover import LOST_AFTER_MS, Handing, HandOvers
from tests.processors.agents.test_serve import limited
from tests.processors.agents.world import NOW_MS, PARTITION, Hang, World, endpoint, request


def handovers(world: World, worker: str = "mine") -> HandOvers:
    return HandOvers(Handing(worker, world.gate, world.windows, world.publish, lambda: world.now_ms))


def listed(world: World) -> list[tuple[str, bytes | None]]:
    return [(key, value) for topic, key, value in world.published if topic == HANDOVERS.name]


def signs(world: World) -> list[HandedOver | None]:
    return [None if value is None else codec.read(HandedOver, value) for _, value in listed(world)]  # type: ignore[misc]


async def begun(world: World, *names: str) -> Hang:
    hang = Hang()
    world.provider.steps = [hang] * len(names)
    await world.begin(*(request(request_id=name) for name in names))
    await hang.reached.wait()
    return hang


async def turns() -> None:
    """As many turns of the loop as anything here takes that does not wait."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_is_in_flight_is_listed_before_its_offset_may_be_committed() -> None:
    world = World()
    await begun(world, "r1")
    seen: list[list[int]] = []
    publish = world.publish

    async def watched(topic: str, key: str, value: bytes | None, partition: int | None = None) -> int:
        seen.append(list(world.acks))
        return await publish(topic, key, value, partition)

    tools = Handing("mine", world.gate, world.windows, watched, lambda: world.now_ms)
    mine = HandOvers(tools)
    await mine.hand_over()
    assert seen == [[]]
    assert world.acks == [1]
    assert signs(world) == [HandedOver(worker="mine", at_ms=NOW_MS, request=request())]
    world.hang_up()
    await world.ended()


async def test_a_listing_is_cleared_when_its_request_is_settled_and_never_before_it_is_made() -> None:
    world = World()
    gate = asyncio.Event()
    publish = world.publish

    async def slow(topic: str, key: str, value: bytes | None, partition: int | None = None) -> int:
        if value is not None:
            await gate.wait()
        return await publish(topic, key, value, partition)

    mine = HandOvers(Handing("mine", world.gate, world.windows, slow, lambda: world.now_ms))
    world.finished = mine.finished  # type: ignore[method-assign]
    await begun(world, "r1")
    handing = asyncio.create_task(mine.hand_over())
    await asyncio.sleep(0)
    world.hang_up()
    while world.cases:  # until it is settled, and wants its listing cleared
        await asyncio.sleep(0)
    gate.set()
    await handing
    await world.ended()
    assert [sign is None for sign in signs(world)] == [False, True]


async def test_a_dead_letter_in_flight_is_delivered_before_its_offset_may_be_committed() -> None:
    world = World()
    delivering, delivered = asyncio.Event(), asyncio.Event()

    async def bury(event: Any, why: str) -> None:
        delivering.set()
        await delivered.wait()

    world.bury = bury  # type: ignore[method-assign]
    await world.begin(b"unreadable")
    await delivering.wait()
    handing = asyncio.create_task(handovers(world).hand_over())
    await turns()
    assert (world.acks, handing.done()) == ([], False)
    delivered.set()
    await handing
    assert world.acks == [1]


async def test_a_request_published_once_more_is_delivered_before_its_offset_may_be_committed() -> None:
    world = World(endpoint(limited(calls=1)))
    delivered = asyncio.Event()
    publish = world.publish

    async def slow(topic: str, key: str, value: bytes | None, partition: int | None = None) -> int:
        if topic == REQUESTS.name:
            await delivered.wait()
        return await publish(topic, key, value, partition)

    world.publish = slow  # type: ignore[method-assign]
    await world.begin(request(), partition=PARTITION + 1)
    handing = asyncio.create_task(handovers(world).hand_over())
    await turns()
    assert (world.acks, world.moved, handing.done()) == ([], [], False)
    delivered.set()
    await handing
    assert (world.acks, len(world.moved)) == ([1], 1)


async def test_others_know_what_is_still_being_finished_and_when_it_is_not_any_more() -> None:
    other = handovers(World(), "other")
    assert not other.holds("r1")
    other.learn("r1", codec.encode(HandedOver(worker="mine", at_ms=NOW_MS, request=request())))
    other.learn("mine", codec.encode(HandedOver(worker="mine", at_ms=NOW_MS)))
    assert other.holds("r1") and not other.holds("mine")
    other.learn("r1", None)
    assert not other.holds("r1")


async def test_a_request_that_was_not_handed_over_leaves_no_trace() -> None:
    world = World()
    mine = handovers(world)
    world.finished = mine.finished  # type: ignore[method-assign]
    await world.serve(request())
    assert listed(world) == []


async def test_windows_go_out_before_the_offsets_and_are_forgotten() -> None:
    world = World(endpoint(limited(calls=1)))
    await world.serve(request())
    await handovers(world).hand_over()
    assert (world.snapshots, world.acks) == (1, [1])
    assert await world.windows.publish() == {}


async def test_events_after_a_hand_over_are_not_taken_until_partitions_come_back() -> None:
    world = World()
    await handovers(world).hand_over()
    assert not world.gate.open


async def test_a_worker_shows_life_only_while_it_has_such_requests() -> None:
    world = World()
    mine = handovers(world)
    await mine.show_life()
    assert listed(world) == []
    world.finished = mine.finished  # type: ignore[method-assign]
    await begun(world, "r1")
    await mine.hand_over()
    await mine.show_life()
    assert listed(world)[-1] == ("mine", codec.encode(HandedOver(worker="mine", at_ms=NOW_MS)))
    world.hang_up()
    await world.ended()
    count = len(listed(world))
    await mine.show_life()
    assert len(listed(world)) == count


def learned(world: World) -> HandOvers:
    heir = handovers(world)
    said = HandedOver(worker="lost", at_ms=NOW_MS, request=request())
    heir.learn("r1", codec.encode(said))
    return heir


async def test_what_a_lost_worker_left_behind_is_settled_once_as_failed() -> None:
    world = World()
    heir = learned(world)
    world.now_ms += LOST_AFTER_MS + 1
    await heir.settle_left_behind(world.view, world.settling())
    await heir.settle_left_behind(world.view, world.settling())
    assert (world.row.status_code, world.row.refusal, world.row.served_entity_id) == (500, "worker_lost", "id-a")
    assert world.finish.status == 500
    assert listed(world) == [("r1", None)]


async def test_a_worker_that_shows_life_is_left_alone() -> None:
    world = World()
    heir = learned(world)
    world.now_ms += LOST_AFTER_MS + 1
    heir.learn("lost", codec.encode(HandedOver(worker="lost", at_ms=world.now_ms)))
    await heir.settle_left_behind(world.view, world.settling())
    assert world.rows == []


async def test_what_was_cleared_is_not_settled_again() -> None:
    world = World()
    heir = learned(world)
    heir.learn("r1", None)
    world.now_ms += LOST_AFTER_MS + 1
    await heir.settle_left_behind(world.view, world.settling())
    assert world.rows == []


async def test_what_is_left_behind_on_a_deleted_endpoint_is_settled_too() -> None:
    world = World(endpoint(name="other"))
    heir = learned(world)
    world.now_ms += LOST_AFTER_MS + 1
    await heir.settle_left_behind(world.view, world.settling())
    assert (world.row.status_code, world.row.endpoint_id) == (500, "")


async def test_no_worker_settles_its_own_or_what_it_cannot_read() -> None:
    world = World()
    mine = handovers(world, worker="lost")
    mine.learn("r1", codec.encode(HandedOver(worker="lost", at_ms=0, request=request())))
    mine.learn("r2", b"unreadable")
    await mine.settle_left_behind(world.view, world.settling())
    assert world.rows == []
