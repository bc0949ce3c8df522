"""What the readers of Kafka share: each reads for ever, waits out an outage, and leaves no consumer open behind it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contract import logs

LOG = logging.getLogger(__name__)
RETRY_SECONDS = 0.3
STOP_SECONDS = 3.0


async def for_ever(read: Callable[[], Awaitable[None]], interrupted: str) -> NoReturn:
    """Call `read` again and again, until cancelled; an outage ends one call, is logged as `interrupted`, waited out."""
    while True:
        try:
            await read()
        except KafkaError as error:
            logs.event(LOG, logging.WARNING, interrupted, error=type(error).__name__)
        await asyncio.sleep(RETRY_SECONDS)


@asynccontextmanager
async def started(consumer: AIOKafkaConsumer) -> AsyncIterator[AIOKafkaConsumer]:
    """`consumer`, connected; stopped at the end, also when it never came to a connection."""
    try:
        await consumer.start()
        yield consumer
    finally:
        # in a task of its own: a fetch that a lost broker cut off must not pass for our own cancellation
        stopping = asyncio.ensure_future(consumer.stop())
        stopping.add_done_callback(_heard)
        # it says goodbye to its group: to a broker that hangs, for 40 s if it were let
        _, late = await asyncio.wait([stopping], timeout=STOP_SECONDS)
        for task in late:
            task.cancel()


def _heard(stopping: asyncio.Future[None]) -> None:
    """What a consumer says at its end changes nothing: the error that ended it is on its way already."""
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        logs.event(LOG, logging.INFO, "consumer lost", error=type(error).__name__)
