"""The ingress, killed by its own hand when it would commit what it has published; started by test_submissions."""

import os
import signal
from typing import Any

from aiokafka import AIOKafkaConsumer

from ingress import app


async def die(consumer: Any, offsets: Any = None) -> None:
    """End at once, as the machine's power would."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    AIOKafkaConsumer.commit = die
    app.main()
