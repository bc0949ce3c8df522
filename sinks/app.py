"""The sinks' process: `python -m sinks.app`."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from contract import logs, topics
from sinks import bus, exposition
from sinks.bus import Feed
from sinks.dead_letters import Files
from sinks.letters import letter
from sinks.metrics import Metrics
from sinks.record import Record
from sinks.settings import Settings

WORKERS = "headgate-workers"  # the group the workers read in
LOG_GROUP, LETTER_GROUP = "headgate-metrics", "headgate-dead-letters"
READS = {
    WORKERS: (topics.REQUESTS.name, topics.COMMANDS.name),
    LOG_GROUP: (topics.LOG.name,),
    LETTER_GROUP: (topics.DEAD_LETTERS.name,),
}
LAG_EVERY_S = 5.0
GRACE_S = 8.0  # a broker that does not answer may hold up the stop this long
LOG = logging.getLogger(__name__)


def feeds(metrics: Metrics, files: Files) -> tuple[Feed, Feed]:
    """The log into metrics, at most once; the dead letters into files, at least once."""

    async def keep(records: Sequence[Record]) -> None:
        kept = await asyncio.to_thread(files.append, [letter(record) for record in records])
        metrics.count_letters(kept)

    return (
        Feed(topic=topics.LOG.name, group=LOG_GROUP, commit="before", take=metrics.count_log),
        Feed(topic=topics.DEAD_LETTERS.name, group=LETTER_GROUP, commit="after", take=keep),
    )


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Follow both topics and serve the metrics until `stop` is set. OSError when the port is taken."""
    metrics = Metrics()
    security = bus.secured(settings.kafka)
    both = feeds(metrics, Files(settings.dead_letters))
    async with exposition.serving(metrics.text, settings.metrics_host, settings.metrics_port) as port:
        started = when_all([feed.topic for feed in both], lambda: logs.event(LOG, logging.INFO, "ready", port=port))
        async with stopping(stop, GRACE_S), asyncio.TaskGroup() as tasks:
            for feed in both:
                tasks.create_task(bus.follow(feed, settings.brokers, stop, started(feed.topic), security))
            lag = bus.watch_lag(READS, settings.brokers, LAG_EVERY_S, stop, metrics.show_lag, security)
            tasks.create_task(lag)


@asynccontextmanager
async def stopping(stop: asyncio.Event, grace_s: float) -> AsyncIterator[None]:
    """Let the block run on for `grace_s` after `stop` is set, then cancel it."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:

            async def bound() -> None:
                await stop.wait()
                limit.reschedule(loop.time() + grace_s)

            watch = loop.create_task(bound())
            try:
                yield
            finally:
                watch.cancel()
    except TimeoutError:
        logs.event(LOG, logging.WARNING, "stopped late", grace_s=grace_s)


def when_all(names: Sequence[str], done: Callable[[], None]) -> Callable[[str], Callable[[], None]]:
    """Build what each name calls when it has started; `done` is called once, after the last one."""
    waiting = set(names)

    def of(name: str) -> Callable[[], None]:
        def started() -> None:
            if name in waiting:
                waiting.remove(name)
                if not waiting:
                    done()

        return started

    return of


async def main(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; 1 when the metrics cannot be served or the files not be opened."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await run(settings, stop)
    except OSError as outage:
        logs.event(LOG, logging.ERROR, "cannot start", why=str(outage))
        return 1
    return 0


if __name__ == "__main__":
    chosen = Settings.from_env()
    logs.configure(chosen.log_level, "sinks")
    sys.exit(asyncio.run(main(chosen)))
