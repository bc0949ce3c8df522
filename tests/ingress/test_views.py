"""Progress: waiting for an offset ends when it is reached, or in time. The reader itself is tested with a broker."""

import asyncio

from ingress.views import Progress, StateReader
from tests.ingress.world import until


async def test_what_is_reached_is_not_waited_for() -> None:
    progress = Progress()
    progress.moved(5)
    assert await progress.reached(5, 0)


async def test_who_waits_is_woken_when_the_reader_comes_by_and_not_before() -> None:
    progress = Progress()
    waits = asyncio.create_task(progress.reached(5, 60))
    await asyncio.sleep(0)
    progress.moved(4)
    await asyncio.sleep(0)
    assert not waits.done()
    progress.moved(7)
    assert await waits


async def test_waiting_is_bounded_and_leaves_nothing_behind() -> None:
    progress = Progress()
    waits = asyncio.create_task(progress.reached(5, 0.01))
    await until(waits.done)
    assert waits.result() is False and progress._waiting == []


async def test_a_reader_without_a_broker_is_not_ready_and_cannot_catch_up() -> None:
    reader = StateReader("127.0.0.1:1", "test")
    assert not reader.ready
    assert not await reader.caught_up(1)


async def test_many_who_want_the_newest_state_share_few_looks() -> None:
    reader = StateReader("127.0.0.1:1", "test")
    looks = 0

    class Ends:
        async def end_offsets(self, partitions: list[object]) -> dict[object, int]:
            nonlocal looks
            looks += 1
            await asyncio.sleep(0)
            return dict.fromkeys(partitions, 0)

    reader._ends = Ends()
    assert all(await asyncio.gather(*(reader.caught_up(5) for _ in range(500))))
    assert looks <= 2


async def test_who_comes_during_a_look_gets_a_later_one() -> None:
    reader = StateReader("127.0.0.1:1", "test")
    answers: list[asyncio.Future[int]] = []

    class Ends:
        async def end_offsets(self, partitions: list[object]) -> dict[object, int]:
            future = asyncio.get_running_loop().create_future()
            answers.append(future)
            return dict.fromkeys(partitions, await future)

    reader._ends = Ends()
    first = asyncio.create_task(reader.caught_up(5))
    await until(lambda: len(answers) == 1)
    second = asyncio.create_task(reader.caught_up(5))
    await asyncio.sleep(0)
    answers[0].set_result(0)
    assert await first
    await until(lambda: len(answers) == 2)
    assert not second.done()
    reader._progress.moved(3)
    answers[1].set_result(3)
    assert await second
