import asyncio
from collections.abc import Awaitable
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from processors.bus import BrokerLost, Bus, partition_of


class Delivered(NamedTuple):
    offset: int


class Link(Bus):
    """A bus whose connection takes the next of `outcomes` for each record."""

    def __init__(self, *outcomes: Any, give_up_s: float = 60.0) -> None:
        super().__init__("127.0.0.1:1", give_up_s)
        self.outcomes = list(outcomes)

    async def send(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> Awaitable[Any]:
        outcome = self.outcomes.pop(0)
        delivery: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if isinstance(outcome, Exception):
            delivery.set_exception(outcome)
        else:
            delivery.set_result(Delivered(outcome))
        return delivery


async def test_a_record_is_published_when_its_delivery_is_acknowledged() -> None:
    assert await Link(41).publish("t", "k", b"v") == 41


async def test_a_record_that_must_not_be_lost_is_sent_again() -> None:
    link = Link(KafkaConnectionError(), KafkaTimeoutError(), 7)
    assert await link.publish("t", "k", b"v") == 7


async def test_when_nothing_is_delivered_for_too_long_the_broker_is_lost() -> None:
    with pytest.raises(BrokerLost, match="t"):
        await Link(KafkaConnectionError(), give_up_s=-1.0).publish("t", "k", b"v")


async def test_a_piece_of_a_stream_that_is_lost_stops_nobody() -> None:
    link = Link(KafkaConnectionError())
    await link.forward(3, "r1", b"piece")
    await asyncio.sleep(0)
    assert link.outcomes == []


@pytest.mark.parametrize(("key", "partitions", "expected"), [("foobar", 12, 6), ("21", 12, 0), ("anything", 1, 0)])
def test_a_key_goes_where_kafkas_own_clients_send_it(key: str, partitions: int, expected: int) -> None:
    assert partition_of(key, partitions) == expected
