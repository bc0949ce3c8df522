"""Guardrail checks beside the event loop: short texts inline, long ones in a process pool."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from processors.guardrails import check, pii
from processors.guardrails.base import Rules, Verdict

POOL_WORKERS = 1


class Checker:
    """Runs `guardrails.check.apply`. The pool is started with the first long text, not before."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def start(self) -> None:
        """Load the detector, which takes seconds, before the first request has to wait for it."""
        await asyncio.to_thread(pii.warm_up)

    async def check(self, texts: list[str], rules: Rules) -> Verdict:
        """The verdict; never keeps the event loop for longer than a short text takes."""
        if not check.needs_pool(texts):
            return check.apply(texts, rules)
        if self._pool is None:
            # Spawned, not forked: this process has threads and a running loop.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(POOL_WORKERS, mp_context=context, initializer=pii.warm_up)
        return await asyncio.get_running_loop().run_in_executor(self._pool, check.apply, texts, rules)

    def stop(self) -> None:
        """Stop the pool."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
