"""Answers to Kafka producers: delivered through outages, laid aside where their topic is bad, never silently gone."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError

from contract.records import Submitted
from processors.answers import Answers
from processors.bus import BrokerLost
from tests.processors.agents.world import request

TO = Submitted(partition=2, offset=7, key=b"k", reply_topic="answers", reply_partition=1, client_request_id="mine")
ASKED = request(submitted=TO, client_request_id="mine")


class Producer:
    """A connection that takes the next of `outcomes` for each record; `there`: the broker answers questions."""

    def __init__(self, *outcomes: KafkaError | None) -> None:
        self.outcomes = list(outcomes)
        self.there = True
        self.sent: list[tuple[str, bytes, dict[str, Any]]] = []
        self.client = self

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1}

    async def send_and_wait(self, topic: str, value: bytes, **how: Any) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.sent.append((topic, value, how))

    async def force_metadata_update(self) -> bool:
        return self.there


class Desk(Answers):
    """Answers over a producer of the test's."""

    def __init__(self, producer: Producer, give_up_s: float = 60.0) -> None:
        super().__init__("127.0.0.1:1", self.lay_aside, give_up_s)
        self._producer = producer
        self.aside: list[tuple[bytes | None, bytes | None, dict[str, bytes]]] = []

    async def lay_aside(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        self.aside.append((key, value, dict(headers)))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.answers.RETRY_S", 0.0)


async def test_an_answer_goes_where_its_producer_wants_it() -> None:
    producer = Producer()
    await Desk(producer).send(ASKED, 400, b'{"message":"m"}')
    ((topic, value, how),) = producer.sent
    assert msgspec.json.decode(value) == {
        "request_id": "r1",
        "client_request_id": "mine",
        "status": 400,
        "body": {"message": "m"},
    }
    assert (topic, how) == ("answers", {"key": b"k", "headers": [("client-request-id", b"mine")], "partition": 1})


async def test_who_wants_no_answer_gets_none() -> None:
    producer = Producer()
    await Desk(producer).send(request(), 200, b"{}")
    await Desk(producer).send(request(submitted=Submitted(partition=0, offset=1)), 200, b"{}")
    assert producer.sent == []


async def test_an_outage_is_waited_out_however_many_tries_it_takes() -> None:
    producer = Producer(*[KafkaConnectionError()] * 20)
    producer.there = False
    desk = Desk(producer)
    await desk.send(ASKED, 200, b"{}")
    assert len(producer.sent) == 1 and desk.aside == []


async def test_when_nothing_is_delivered_for_too_long_the_broker_is_lost() -> None:
    producer = Producer(KafkaConnectionError())
    producer.there = False
    with pytest.raises(BrokerLost, match="answers"):
        await Desk(producer, give_up_s=-1.0).send(ASKED, 200, b"{}")


@pytest.mark.parametrize("partition", [1, 7])
async def test_an_answer_its_topic_does_not_take_is_a_dead_letter_with_its_origin(partition: int) -> None:
    producer = Producer(*[MessageSizeTooLargeError()] * 5)
    desk = Desk(producer)
    to = msgspec.structs.replace(TO, reply_partition=partition)
    await desk.send(msgspec.structs.replace(ASKED, submitted=to), 200, b"{}")
    ((key, value, headers),) = desk.aside
    assert key == b"k" and msgspec.json.decode(value or b"")["status"] == 200
    assert {name: said.decode() for name, said in headers.items()} == {
        "reason": "reply-topic: the answer could not be delivered",
        "topic": "gateway.submissions",
        "partition": "2",
        "offset": "7",
    }
