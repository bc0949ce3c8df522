"""What our Faust subclasses rest on. When one of these fails after an upgrade, read the method again and then this."""

import asyncio
import hashlib
import inspect
import ssl
from collections import defaultdict
from typing import Any

import faust
import pytest
from faust.transport import consumer as consumers
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from contract.access import Access
from processors import driver as ours

LANE = TP("gateway.requests", 0)

READ = {
    consumers.Consumer.on_partitions_revoked: "d04b7ae72c6fc206",
    driver.Consumer.perform_seek: "0e8c130ff4b0afd8",
    driver.Consumer._new_consumer_thread: "0870ec53dea75083",
    driver.Consumer._drain_messages: "44a2500309e83c63",
    consumers.Consumer._new_offset: "1d2c7ea89a7ad4f1",
    consumers.Consumer.commit: "a354437baaa08bf8",
    consumers.Consumer.maybe_wait_for_commit_to_finish: "d687f63a0b5ef0c5",
    consumers.Consumer.commit_and_end_transactions: "892377824b11a2ee",
    driver.AIOKafkaConsumerThread._create_worker_consumer: "c2701bfc3e6f6cad",
    faust.App._new_transport: "42db531312dd776f",
    faust.App._consumer_wait_empty: "6bc313c48c064b16",
    faust.App._on_partitions_assigned: "de932b7927db85b3",
    faust.App._stop_consumer: "55854a5de12c3f52",
}


def fingerprint(method: Any) -> str:
    return hashlib.sha256(inspect.getsource(method).encode()).hexdigest()[:16]


@pytest.mark.parametrize("method", READ, ids=lambda method: method.__qualname__)
def test_fausts_method_is_still_the_one_we_read(method: Any) -> None:
    assert fingerprint(method) == READ[method]


def test_the_versions_we_proved_are_installed() -> None:
    ours.check_versions()


def test_other_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ours.PROVEN, "aiokafka", "0.0.1")
    with pytest.raises(RuntimeError, match=r"aiokafka 0\.0\.1 is needed"):
        ours.check_versions()


class Offsets:
    """The state `_new_offset` works on, without a Kafka consumer."""

    def __init__(self, committed: int | None, *acked: int) -> None:
        self._acked = defaultdict(list, {LANE: list(acked)})
        self._acked_index = defaultdict(set, {LANE: set(acked)})
        self._gap: dict[TP, list[int]] = defaultdict(list)
        self._committed_offset: dict[TP, int | None] = defaultdict(lambda: committed)

    def commits(self) -> int | None:
        found: int | None = consumers.Consumer._new_offset(self, LANE)
        return found


@pytest.mark.parametrize(
    ("committed", "in_flight", "acked", "commits"),
    [(10, 10, (11, 12, 13), 14), (None, 0, (3, 4, 5), 6), (0, 0, (1,), 2)],
)
def test_faust_still_commits_past_a_message_in_flight(
    committed: int | None, in_flight: int, acked: tuple[int, ...], commits: int
) -> None:
    """The fault for which the gate acks from the head only. Fails when Faust is mended: then the gate may go."""
    offset = Offsets(committed, *acked).commits()
    assert offset == commits
    assert offset > in_flight


@pytest.mark.parametrize(
    ("committed", "acked", "commits"), [(10, (10, 11), 12), (None, (0, 1, 2), 3), (10, (), None), (10, (12,), None)]
)
def test_what_the_gate_acks_is_committed_right(
    committed: int | None, acked: tuple[int, ...], commits: int | None
) -> None:
    assert Offsets(committed, *acked).commits() == commits


class Committing:
    """The state commits work on; each takes what is acked when it begins, and ends when it is let to."""

    client_only = False

    def __init__(self) -> None:
        self.app = self
        self.loop = asyncio.get_running_loop()
        self._commit_fut: Any = None
        self.acked: list[str] = []
        self.committed: list[str] = []
        self.go_on = asyncio.Event()

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        return bool(await consumers.Consumer.maybe_wait_for_commit_to_finish(self))

    async def force_commit(self, topics: Any, start_new_transaction: bool) -> bool:
        taken = list(self.acked)
        await self.go_on.wait()
        self.committed = taken
        return True

    async def commit(self) -> bool:
        return bool(await consumers.Consumer.commit(self))


@pytest.mark.parametrize(("by_us", "committed"), [(True, ["before", "handed over"]), (False, ["before"])])
async def test_what_is_acked_during_a_commit_is_in_the_next_one_of_ours_and_in_none_of_fausts(
    by_us: bool, committed: list[str]
) -> None:
    """The second case is Faust's as it comes: when it fails, `commit_now` may go."""
    consumer: Any = Committing()
    consumer.acked.append("before")
    periodic = asyncio.create_task(consumer.commit())
    await asyncio.sleep(0)
    consumer.acked.append("handed over")
    commit = ours.Consumer.commit_now(consumer) if by_us else consumer.commit()
    at_hand_over = asyncio.create_task(commit)
    await asyncio.sleep(0)
    consumer.go_on.set()
    await asyncio.gather(periodic, at_hand_over)
    assert consumer.committed == committed


def test_before_there_is_a_consumer_everything_may_be_replayed() -> None:
    app = ours.App("test-driver", broker="kafka://127.0.0.1:1", web_enabled=False, autodiscover=False)
    assert app.committed("gateway.requests", 0) == 0


def test_faust_is_told_how_kafka_is_reached() -> None:
    known = Access(protocol="SASL_PLAINTEXT", mechanism="SCRAM-SHA-512", username="u", password="sword")
    assert ours.credentials(Access(), None) is None
    said = ours.credentials(known, None)
    assert (said.protocol.value, said.mechanism.value, said.username) == ("SASL_PLAINTEXT", "SCRAM-SHA-512", "u")
    assert "sword" not in repr(said)
    tls = ssl.create_default_context()
    assert ours.credentials(known, tls).protocol.value == "SASL_SSL"
    assert ours.credentials(Access(protocol="SSL"), tls).protocol.value == "SSL"
