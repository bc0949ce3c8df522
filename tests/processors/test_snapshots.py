import asyncio

from contract import codec
from contract.endpoint import AiGateway, Endpoint, RateLimit
from contract.records import RequestReceived, WindowSnapshot
from contract.refusals import Refusal
from contract.topics import REQUESTS, WINDOWS
from processors.rate_limits.admission import Taken
from processors.snapshots import Windows, partition_of_requests
from tests.processors.agents.world import endpoint, request

TIGHT = AiGateway(rate_limits=(RateLimit(calls=1, key="endpoint", renewal_period="minute"),))
TOKENS = AiGateway(rate_limits=(RateLimit(tokens=100, key="endpoint", renewal_period="minute"),))
PARTITION = partition_of_requests("chat")


class Topic:
    """`gateway.windows` as a list; `gate` holds deliveries back."""

    def __init__(self) -> None:
        self.records: list[WindowSnapshot] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.committed = 0
        self.windows = self.owner()

    def owner(self) -> Windows:
        return Windows(self.publish, lambda partition: self.committed)

    async def publish(self, topic: str, key: str, value: bytes, partition: int) -> int:
        await self.gate.wait()
        snapshot = codec.read(WindowSnapshot, value)
        assert isinstance(snapshot, WindowSnapshot)
        assert (topic, key, partition) == (WINDOWS.name, snapshot.endpoint, snapshot.partition)
        self.records.append(snapshot)
        return len(self.records) - 1


def admit(windows: Windows, offset: int, where: Endpoint | None = None, tokens: int = 0) -> Taken | Refusal:
    asked: RequestReceived = request()
    return windows.admit(where or endpoint(TIGHT), asked, offset=offset, tokens=tokens)


def test_a_limited_endpoints_partition_is_kafkas_own() -> None:
    assert 0 <= PARTITION < REQUESTS.partitions
    assert len({partition_of_requests(f"e{n}") for n in range(200)}) == REQUESTS.partitions


async def test_what_is_published_covers_the_last_offset_admitted() -> None:
    topic = Topic()
    admit(topic.windows, 4)
    admit(topic.windows, 5)
    assert await topic.windows.publish() == {PARTITION: 5}
    assert [(record.offset, record.refused) for record in topic.records] == [(5, (5,))]


async def test_untouched_windows_are_not_published_again() -> None:
    topic = Topic()
    admit(topic.windows, 4)
    await topic.windows.publish()
    assert await topic.windows.publish() == {}
    assert len(topic.records) == 1


async def test_the_offset_is_the_one_of_the_moment_the_snapshot_was_taken() -> None:
    topic = Topic()
    admit(topic.windows, 4)
    topic.gate.clear()
    publishing = asyncio.create_task(topic.windows.publish())
    await asyncio.sleep(0)
    admit(topic.windows, 5)
    topic.gate.set()
    assert await publishing == {PARTITION: 4}
    assert await topic.windows.publish() == {PARTITION: 5}


async def test_the_next_owner_goes_on_where_the_topic_ends() -> None:
    topic = Topic()
    assert isinstance(admit(topic.windows, 4), Taken)
    await topic.windows.publish()
    heir = topic.owner()
    for record in topic.records:
        heir.learn(record.endpoint, codec.encode(record))
    assert isinstance(admit(heir, 4), Taken)
    assert isinstance(admit(heir, 5), Refusal)


async def test_after_partitions_have_moved_only_the_topic_counts() -> None:
    topic = Topic()
    admit(topic.windows, 4)
    topic.windows.forget()
    assert await topic.windows.publish() == {}
    assert isinstance(admit(topic.windows, 4), Taken)


async def test_a_reservation_that_ends_is_published() -> None:
    topic = Topic()
    taken = admit(topic.windows, 4, endpoint(TOKENS), tokens=90)
    assert isinstance(taken, Taken)
    await topic.windows.publish()
    topic.windows.settle("chat", taken.bookings, 20)
    assert await topic.windows.publish() == {PARTITION: 4}
    totals = [sum(amount for _, amount in record.windows["endpoint|tokens"]) for record in topic.records]
    assert totals == [90, 20]


async def test_a_reservation_that_ends_after_its_partition_has_moved_stands() -> None:
    topic = Topic()
    taken = admit(topic.windows, 4, endpoint(TOKENS), tokens=90)
    assert isinstance(taken, Taken)
    topic.windows.forget()
    topic.windows.settle("chat", taken.bookings, 20)
    assert await topic.windows.publish() == {}


async def test_refused_offsets_are_forgotten_only_when_kafka_has_the_commit() -> None:
    topic = Topic()
    topic.windows.refuse(endpoint(TIGHT), 4)
    await topic.windows.publish()
    topic.committed = 5
    topic.windows.refuse(endpoint(TIGHT), 5)
    await topic.windows.publish()
    assert [record.refused for record in topic.records] == [(4,), (5,)]


def test_an_unreadable_snapshot_is_left_out() -> None:
    windows = Topic().windows
    windows.learn("chat", b"{}")
    windows.learn("chat", None)
    assert isinstance(admit(windows, 0), Taken)
