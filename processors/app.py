"""One worker: wires policies, agents and edges together. The only file of this house that knows everybody."""

import asyncio
import logging
import random
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvloop
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from contract import codec, logs
from contract.access import OPEN
from contract.records import Cancelled
from contract.state import View
from contract.topics import CANCELS, COMMANDS, HANDOVERS, REQUESTS, STATE, WINDOWS
from processors.agents.attempts import Caller
from processors.agents.case import Case
from processors.agents.handover import SIGN_OF_LIFE_S, Handing, HandOvers
from processors.agents.judges import Judges
from processors.agents.manage import Managing, managing
from processors.agents.serve import Serving, serving
from processors.agents.settle import Settling
from processors.agents.streaming import Streaming
from processors.answers import Answers
from processors.bus import Bus, secured
from processors.checking import Checker
from processors.control.base import Facts
from processors.driver import App, check_versions, credentials
from processors.gate import Bounds, Gate
from processors.guardrails.safety.base import Model
from processors.guardrails.safety.known import Known
from processors.providers.registry import PROVIDERS
from processors.providers.secrets import lookup
from processors.sealing import Opener, Transit
from processors.settings import Settings, guard_key, injection_key, master_key_text, topics_key
from processors.snapshots import EVERY_S, Windows
from processors.transport import Transport
from processors.views import Followed, Follower

log = logging.getLogger(__name__)
REMEMBERED_HANG_UPS = 10_000


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def faust_app(settings: Settings, security: Mapping[str, Any] = OPEN) -> App:
    """The Faust app with the settings of reference/stream.md 3.2; no web server, no tables, no leader."""
    return App(
        settings.group,
        broker=f"kafka://{settings.brokers.replace(',', ';kafka://')}",
        broker_credentials=credentials(settings.kafka, security.get("ssl_context")),
        version=1,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_buffer_maxsize=512,
        stream_publish_on_commit=False,
        broker_commit_interval=0.5,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=30.0,
        broker_max_poll_records=500,
        consumer_auto_offset_reset="earliest",
        datadir=tempfile.gettempdir(),  # Faust wants one though nothing is kept there without tables
        autodiscover=False,
    )


def judges(settings: Settings, transport: Transport) -> Judges:
    """Whoever is configured to judge safety, topics and prompt injection."""
    guard = Model(url=settings.guard_url, name=settings.guard_model, kind=settings.guard_kind, key=guard_key())
    topics = Model(url=settings.topics_url, name=settings.topics_model, kind="topics", key=topics_key())
    injection = Model(
        url=settings.injection_url, name=settings.injection_model, kind=settings.injection_kind, key=injection_key()
    )
    return Judges(
        calls=transport,
        guard=guard if guard.url else None,
        topics=topics if topics.url else None,
        injection=injection if injection.url else None,
        timeout_s=settings.guard_timeout_s,
        known=Known(),
        now=time.monotonic,
    )


class Worker:
    """Everything one worker process holds."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.view = View()
        security = secured(settings.kafka)
        self.bus = Bus(settings.brokers, security=security)
        self.transport = Transport()
        self.checker = Checker()
        self.app = faust_app(settings, security)
        self.cases: dict[str, Case] = {}
        self.hung_up: dict[str, None] = {}
        self.answers = Answers(settings.brokers, self.bus.bury, security=security)
        self.stopping = asyncio.Event()
        bounds = Bounds(settings.in_flight, settings.in_flight_bytes, settings.endpoint_share)
        self.gate = Gate(bounds, self.crash)
        self.windows = Windows(self.bus.publish, lambda partition: self.app.committed(REQUESTS.name, partition))
        self.handovers = HandOvers(Handing(settings.worker, self.gate, self.windows, self.bus.publish, now_ms))
        self.settling = Settling(
            publish=self.bus.publish,
            reply=self.bus.reply,
            answer=self.answers.send,
            release=self.windows.settle,
            now_ms=now_ms,
            account_id=settings.account_id,
            workspace_id=settings.workspace_id,
            log_raw_payloads=settings.log_raw_payloads,
        )
        self.follower = Follower(
            settings.brokers,
            {
                STATE: Followed(lambda r: self.view.fold(r.key.decode(), r.value, r.offset)),
                WINDOWS: Followed(lambda r: self.windows.learn(r.key.decode(), r.value)),
                HANDOVERS: Followed(lambda r: self.handovers.learn(r.key.decode(), r.value)),
                CANCELS: Followed(lambda r: self.hang_up(r.value), from_start=False),
            },
            security,
        )
        self.commands_owned = False
        self.failed = False
        self._background: list[asyncio.Task[None]] = []

    def crash(self, error: BaseException) -> None:
        """Stop the whole worker: what is not acked is replayed by the next owner."""
        logs.event(log, logging.CRITICAL, "crash", error=type(error).__name__)
        self.failed = True
        self.stopping.set()

    def hang_up(self, value: bytes | None) -> None:
        """A caller is gone: end its call, or remember it in case its request is still on its way."""
        cancelled = codec.read(Cancelled, value)
        if not isinstance(cancelled, Cancelled):
            return
        case = self.cases.get(cancelled.request_id)
        if case is not None:
            case.hang_up(asyncio.get_running_loop().time())
            return
        self.hung_up[cancelled.request_id] = None
        if len(self.hung_up) > REMEMBERED_HANG_UPS:
            self.hung_up.pop(next(iter(self.hung_up)))

    def fresh(self, event: Any) -> bool:
        """Whether the event still belongs to this worker: not from before a rebalance."""
        return self.gate.open and event.message.generation_id == self.app.consumer_generation_id

    async def bury(self, event: Any, why: str) -> None:
        """Put an unreadable event aside with its origin."""
        message = event.message
        origin = {"reason": why, "topic": message.topic, "partition": message.partition, "offset": message.offset}
        headers = [(name, str(value).encode()) for name, value in origin.items()]
        await self.bus.bury(message.key, message.value, headers)

    def caller(self) -> Caller:
        """What `serve` calls providers with."""
        secret = lookup(self.view, Opener(master_key_text(self.settings)).unseal)
        streaming = Streaming(
            send=self.bus.forward,
            attempt=self.settings.worker,
            now=time.monotonic,
            version=lambda: self.view.config_offset,
            judges=judges(self.settings, self.transport),
        )
        return Caller(
            transport=self.transport,
            providers=PROVIDERS,
            secret=secret,
            check=self.checker.check,
            streaming=streaming,
            now=time.monotonic,
            refuse_guarded_streams=self.settings.refuse_guarded_streams,
        )

    def agents(self) -> None:
        """Declare the two agents."""
        draw = random.SystemRandom()
        serve = serving(
            Serving(
                view=self.view,
                view_reached=lambda offset, patience: self.follower.reached(
                    lambda: self.view.config_offset >= offset, patience
                ),
                gate=self.gate,
                windows=self.windows,
                caller=self.caller(),
                settling=self.settling,
                publish=self.bus.publish,
                bury=self.bury,
                fresh=self.fresh,
                cases=self.cases,
                hung_up=self.hung_up,
                submitted={},
                handed_over=self.handovers.holds,
                draw=lambda: draw.random() * 100,
                now_ms=now_ms,
                finished=self.handovers.finished,
                transit=Transit(master_key_text(self.settings)),
            )
        )
        manage = managing(
            Managing(
                view=self.view,
                caught_up=lambda: self.follower.caught_up(STATE.name),
                facts=self.facts,
                publish=self.bus.publish,
                reply=self.bus.reply,
                bury=self.bury,
                gate=self.gate,
                fresh=self.fresh,
            )
        )
        self._declare(REQUESTS.name, "serve", serve)
        self._declare(COMMANDS.name, "manage", manage)

    def _declare(self, topic: str, name: str, agent: Callable[[Any], Awaitable[None]]) -> None:
        raw = self.app.topic(topic, key_serializer="raw", value_serializer="raw")

        async def run(stream: Any) -> None:
            await agent(stream.noack().events())

        self.app.agent(raw, name=name)(run)

    def facts(self) -> Facts:
        """What a control decision needs besides the configuration."""
        return Facts(
            now_ms=now_ms(),
            mint=lambda: uuid.uuid4().hex,
            account_id=self.settings.account_id,
            workspace_id=self.settings.workspace_id,
            guard=bool(self.settings.guard_url),
            topics=bool(self.settings.topics_url),
            injection=bool(self.settings.injection_url),
        )

    async def take_over(self, assigned: frozenset[TP]) -> None:
        """Partitions have come: know their windows before the first of their requests is admitted."""
        await self.follower.caught_up(WINDOWS.name)
        self.commands_owned = any(tp.topic == COMMANDS.name for tp in assigned)
        self.gate.open_lanes()
        logs.event(log, logging.INFO, "assigned", partitions=len(assigned))

    async def drain(self) -> None:
        """After the group is left: finish what is in flight."""
        if not await self.gate.drained(self.settings.drain_s):
            logs.event(log, logging.WARNING, "drain_gave_up", requests=self.gate.requests)

    async def _publish_windows(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            for partition, offset in (await self.windows.publish()).items():
                self.gate.cover((REQUESTS.name, partition), offset)

    async def _watch_handovers(self) -> None:
        while True:
            await asyncio.sleep(SIGN_OF_LIFE_S)
            await self.handovers.show_life()
            if self.commands_owned and self.gate.open:
                await self.handovers.settle_left_behind(self.view, self.settling)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._background.append(task)
        task.add_done_callback(lambda t: None if t.cancelled() or not t.exception() else self.crash(t.exception()))  # type: ignore[arg-type]

    async def run(self) -> int:
        """Run until SIGTERM or a crash; the process's exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        await self.bus.start()
        await self.follower.start()
        await self.checker.start()
        self.app.join(
            fetch_wait_ms=self.settings.fetch_wait_ms,
            hand_over=self.handovers.hand_over,
            take_over=self.take_over,
            drain=self.drain,
        )
        self.agents()
        self._keep(asyncio.create_task(self._publish_windows()))
        self._keep(asyncio.create_task(self._watch_handovers()))
        await self.app.start()
        logs.event(log, logging.INFO, "ready", worker=self.settings.worker)
        await self._until_stopped()
        await self.app.stop()
        for task in self._background:
            task.cancel()
        await self.follower.stop()
        await self.transport.close()
        await self.answers.stop()
        await self.bus.stop()
        self.checker.stop()
        return 1 if self.failed or self.app.crashed else 0

    async def _until_stopped(self) -> None:
        waits = [asyncio.create_task(self.stopping.wait()), asyncio.create_task(self.app.wait_until_stopped())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()


async def _worker(settings: Settings) -> int:
    return await Worker(settings).run()


def main() -> int:
    """Entry of `python -m processors.app`."""
    check_versions()
    settings = Settings.from_env()
    logs.configure(settings.log_level, "worker")
    try:
        # As a policy, so that the loop of Faust's consumer thread is uvloop's, too (docs/performance.md).
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        with asyncio.Runner() as runner:
            return runner.run(_worker(settings))
    except KafkaConnectionError:
        logs.event(log, logging.CRITICAL, "no_broker", brokers=settings.brokers)
        return 1


if __name__ == "__main__":
    sys.exit(main())
