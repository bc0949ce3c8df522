"""Guardrail checks beside the event loop: short texts inline, long ones in a process of their own."""

import asyncio
import logging
import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from contract import logs
from processors.guardrails import check, pii
from processors.guardrails.base import Rules, Verdict

log = logging.getLogger(__name__)
POOL_WORKERS = 1


class Checker:
    """Runs `guardrails.check.apply`. The process is started with the first long text; until it is ready, threads do."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._warm: Future[None] | None = None

    async def start(self) -> None:
        """Load the detector, which takes seconds, before the first request has to wait for it."""
        await asyncio.to_thread(pii.warm_up)

    @property
    def ready(self) -> bool:
        """Whether long texts have their process already."""
        return self._warm is not None and self._warm.done()

    async def check(self, texts: list[str], rules: Rules) -> Verdict:
        """The verdict; never keeps the event loop for longer than a short text takes."""
        if not check.needs_pool(texts, rules):
            return check.apply(texts, rules)
        if self._pool is None:
            # Spawned, not forked: this process has threads and a running loop.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(POOL_WORKERS, mp_context=context)
            self._warm = self._pool.submit(pii.warm_up)
        if self.ready:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, check.apply, texts, rules)
            except BrokenProcessPool:
                logs.event(log, logging.ERROR, "checking_process_lost")
                self._pool = self._warm = None
        return await asyncio.to_thread(check.apply, texts, rules)

    def stop(self) -> None:
        """Stop the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
