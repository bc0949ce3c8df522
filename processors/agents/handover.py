"""Hand-over: partitions go at once, their old owner finishes what it has begun, and nobody's request is forgotten.

Each request that is still worked on is listed on `gateway.handovers` before its offset is committed, and cleared when
it is settled. A worker shows signs of life there while it has such requests; when they stop, the owner of the
commands' partition settles what is left as failed.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from contract import codec, logs, refusals
from contract.records import HandedOver, RequestReceived
from contract.state import View
from contract.topics import HANDOVERS
from processors.agents.case import Case, refused
from processors.agents.settle import Publish, Settling, settle
from processors.gate import Gate
from processors.snapshots import Windows

log = logging.getLogger(__name__)
SIGN_OF_LIFE_S = 1.0
LOST_AFTER_MS = 10_000


class Handing(NamedTuple):
    """What handing over takes."""

    worker: str
    gate: Gate
    windows: Windows
    publish: Publish
    now_ms: Callable[[], int]


class HandOvers:
    """Both sides of a hand-over: this worker's own, and what others left behind."""

    def __init__(self, tools: Handing) -> None:
        self._tools = tools
        self._mine: dict[str, asyncio.Task[None]] = {}  # request id -> its listing
        self._others: dict[str, HandedOver] = {}
        self._alive: dict[str, int] = {}

    def learn(self, key: str, value: bytes | None) -> None:
        """Take a record of `gateway.handovers`."""
        if value is None:
            self._others.pop(key, None)
            return
        said = codec.read(HandedOver, value)
        if isinstance(said, HandedOver):
            self._alive[said.worker] = max(said.at_ms, self._alive.get(said.worker, 0))
            if said.request is not None:
                self._others[key] = said

    def holds(self, request_id: str) -> bool:
        """Whether a worker still finishes this request after its partition has moved, or has left it behind."""
        return request_id in self._others

    async def hand_over(self) -> None:
        """Let all partitions go: list what is in flight, publish the windows, then release the offsets.

        What is only being delivered, a dead letter say, is waited for: it takes milliseconds, and nobody lists it.
        """
        tools = self._tools
        entries = tools.gate.close_lanes()
        open_cases = [entry.work for entry in entries if isinstance(entry.work, Case) and not entry.done]
        listings = {case.request.request_id: asyncio.create_task(self._list(case.request)) for case in open_cases}
        self._mine.update(listings)
        await asyncio.gather(tools.windows.publish(), tools.gate.delivered(entries), *listings.values())
        tools.windows.forget()
        tools.gate.ack_all(entries)
        if open_cases:
            logs.event(log, logging.INFO, "handed_over", requests=len(open_cases))

    async def _list(self, request: RequestReceived) -> None:
        said = HandedOver(worker=self._tools.worker, at_ms=self._tools.now_ms(), request=request)
        await self._tools.publish(HANDOVERS.name, request.request_id, codec.encode(said))

    async def finished(self, request_id: str) -> None:
        """A request is settled: clear it if it had been handed over."""
        listing = self._mine.pop(request_id, None)
        if listing is not None:
            await listing  # else the listing might come after its clearing, and stand for ever
            await self._tools.publish(HANDOVERS.name, request_id, None)

    async def show_life(self) -> None:
        """Say that this worker still works on what it handed over."""
        if self._mine:
            said = HandedOver(worker=self._tools.worker, at_ms=self._tools.now_ms())
            await self._tools.publish(HANDOVERS.name, self._tools.worker, codec.encode(said))

    def left_behind(self, now_ms: int) -> list[HandedOver]:
        """Requests whose worker has shown no life for ten seconds."""
        return [
            said
            for said in self._others.values()
            if said.worker != self._tools.worker and now_ms - self._alive[said.worker] > LOST_AFTER_MS
        ]

    async def settle_left_behind(self, view: View, settling: Settling) -> None:
        """Settle what lost workers left behind as failed (status 500, `worker_lost`)."""
        for said in self.left_behind(self._tools.now_ms()):
            request = said.request
            if request is None:
                continue
            endpoint = view.endpoints.get(request.endpoint)
            entity = endpoint.entities[0] if endpoint and endpoint.entities else None
            logs.event(log, logging.WARNING, "worker_lost", request_id=request.request_id, worker=said.worker)
            await settle(Case(request, endpoint, entity), refused(refusals.worker_lost()), settling)
            await self._tools.publish(HANDOVERS.name, request.request_id, None)
            self._others.pop(request.request_id, None)
