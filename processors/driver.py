"""Faust's App, Consumer and thread, subclassed here and nowhere else (docs/decisions/0001).

Four things differ from Faust as it comes: a short fetch wait, a message loop without two tasks per message, a
hand-over instead of a wait at a rebalance, and leaving the group before draining at a stop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, cast

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from contract import logs
from contract.access import Access

log = logging.getLogger(__name__)
YIELD_EVERY = 100
PROVEN = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}
HandOver = Callable[[], Awaitable[None]]
TakeOver = Callable[[frozenset[TP]], Awaitable[None]]
Drain = Callable[[], Awaitable[None]]


def check_versions() -> None:
    """The overrides below were proven against these versions; others are refused."""
    for package, wanted in PROVEN.items():
        if version(package) != wanted:
            raise RuntimeError(f"{package} {wanted} is needed, {version(package)} is installed")


def credentials(access: Access, tls: Any) -> Any:
    """Faust's word for how Kafka is reached; None: in the open. `tls`: the SSL context, where there is one."""
    if access.authenticates:
        return faust.SASLCredentials(
            username=access.username, password=access.password, ssl_context=tls, mechanism=access.mechanism
        )
    return None if tls is None else faust.SSLCredentials(tls)


class Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with our fetch wait: its fixed 1,500 ms stalls busy partitions behind idle ones."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms
        return consumer


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer with a slim message loop, and with the hand-over before partitions go."""

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Hand over before Faust forgets what was acked: else finished requests would be replayed."""
        app = cast(App, self.app)
        if not app.should_stop and self.assignment():
            self.stop_flow()
            app.flow_control.suspend()
            app.flow_control.clear()
            await app.hand_over()
            await self.commit_now()
        await super().on_partitions_revoked(revoked)

    async def commit_now(self) -> None:
        """Commit all that is acked by now.

        Faust's `commit` waits for one that is under way, and then commits nothing: what a hand-over has acked
        meanwhile would be called again by the next owner.
        """
        while await self.maybe_wait_for_commit_to_finish():
            pass
        await self.commit()

    async def perform_seek(self) -> None:
        """Seek where nothing was ever committed, too: Faust leaves such a partition wherever a fetch has got to."""
        await super().perform_seek()
        fresh = [tp for tp in self.assignment() if not self._committed_offset.get(tp)]
        for tp, offset in (await self.earliest_offsets(*fresh)).items() if fresh else ():
            await self.seek(tp, offset)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Bring each message to the agents: await the callback itself instead of racing it against a second task."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                arrived = self.getmany(timeout=1.0)
                await asyncio.sleep(0)
                await self._bring(arrived)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _bring(self, arrived: Any) -> None:
        read_offset = self._read_offset
        since_yield = 0
        async for tp, message in arrived:
            if self.suspend_flow.is_set():
                return
            since_yield += 1
            if since_yield > YIELD_EVERY:
                await asyncio.sleep(0)
                since_yield = 0
            before = read_offset[tp]
            if before is not None and message.offset < before:
                continue
            if before and message.offset - before > 1:
                # Offsets Kafka left out (compaction, markers). Faust's own version of this range takes in the
                # live offset as well, and so commits past it (docs/decisions/0001).
                await self._add_gap(tp, before + 1, message.offset - 1)
            await self.callback(message)
            read_offset[tp] = message.offset


class Transport(driver.Transport):  # type: ignore[misc]
    """Faust's Kafka transport with our consumer."""

    Consumer = Consumer


class App(faust.App):  # type: ignore[misc]
    """A Faust app that hands over instead of waiting. `join` must be called before it starts."""

    fetch_wait_ms = 50

    def join(self, *, fetch_wait_ms: int, hand_over: HandOver, take_over: TakeOver, drain: Drain) -> None:
        """Give the app what it calls: at a revocation, at an assignment, and after it has left the group."""
        self.fetch_wait_ms = fetch_wait_ms
        self.hand_over = hand_over
        self._take_over = take_over
        self._drain = drain

    def committed(self, topic: str, partition: int) -> int:
        """The offset a new owner of the partition would start from, as far as this worker knows; 0 at the least."""
        return (self._consumer and self._consumer._committed_offset.get(TP(topic, partition))) or 0

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        await self.hand_over()
        await consumer.commit_now()

    async def _on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await self._take_over(frozenset(assigned))
        await super()._on_partitions_assigned(assigned, generation_id)

    async def _stop_consumer(self) -> None:
        """Hand over, leave the group so that others take the partitions at once, then finish what is in flight."""
        await super()._stop_consumer()
        if self._consumer is not None:
            logs.event(log, logging.INFO, "leaving_group")
            await self._consumer.stop()
        await self._drain()
