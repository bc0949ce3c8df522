"""Reading for ever: an outage is waited out, a defect is not, and every consumer is stopped whatever ended it."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from ingress.reading import for_ever, started


class Consumer:
    """Starts and stops as it is told: an exception is raised, "hangs" waits for ever."""

    def __init__(self, start: BaseException | None = None, stop: BaseException | str | None = None) -> None:
        self._start, self._stop = start, stop
        self.stops = 0

    async def start(self) -> None:
        if self._start is not None:
            raise self._start

    async def stop(self) -> None:
        self.stops += 1
        if self._stop == "hangs":
            await asyncio.Event().wait()
        if isinstance(self._stop, BaseException):
            raise self._stop


async def test_an_outage_is_waited_out_and_a_defect_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.reading.RETRY_SECONDS", 0.0)
    comes: list[Exception] = [KafkaConnectionError(), KafkaConnectionError(), KeyError("a defect")]

    async def read() -> None:
        raise comes.pop(0)

    with pytest.raises(KeyError):
        await for_ever(read, "interrupted")
    assert comes == []


@pytest.mark.parametrize("stop", [KafkaConnectionError(), RuntimeError("half closed"), asyncio.CancelledError(), None])
async def test_of_two_consumers_both_are_stopped_whatever_the_first_one_says(stop: BaseException | None) -> None:
    first, second = Consumer(stop=stop), Consumer(stop=stop)
    with pytest.raises(KafkaConnectionError, match="the broker died"):
        async with started(first), started(second):
            raise KafkaConnectionError("the broker died")
    assert (first.stops, second.stops) == (1, 1)


async def test_one_that_never_connected_is_stopped_too() -> None:
    first, second = Consumer(), Consumer(start=KafkaConnectionError("no broker"))
    with pytest.raises(KafkaConnectionError, match="no broker"):
        async with started(first), started(second):
            raise AssertionError("not reached")
    assert (first.stops, second.stops) == (1, 1)


async def test_a_consumer_that_does_not_come_to_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.reading.STOP_SECONDS", 0.01)
    consumer: Any = Consumer(stop="hangs")
    async with asyncio.timeout(5), started(consumer):
        pass
    assert consumer.stops == 1
