"""Rate-limit windows of the partitions this worker owns: in memory, published as snapshots, taken over from others.

A snapshot goes out before the gate releases the offsets it covers, so whoever owns the partition next starts from
windows that lack nothing (docs/design: limits are exact).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from contract import codec
from contract.endpoint import Endpoint
from contract.records import RequestReceived, WindowSnapshot
from contract.refusals import Refusal
from contract.topics import REQUESTS, WINDOWS
from processors.bus import partition_of
from processors.rate_limits.admission import Booking, EndpointWindows, Taken

EVERY_S = 0.2
Publish = Callable[[str, str, bytes, int], Awaitable[int]]
Committed = Callable[[int], int]  # partition of `gateway.requests` -> the offset a new owner would start from


class Windows:
    """Every limited endpoint's windows. `latest` is what the topic holds; `owned` what this worker counts in."""

    def __init__(self, publish: Publish, committed: Committed) -> None:
        self._publish = publish
        self._committed = committed
        self._latest: dict[str, WindowSnapshot] = {}
        self._owned: dict[str, EndpointWindows] = {}
        self._dirty: dict[int, set[str]] = {}
        self._last_offset: dict[int, int] = {}
        self._one_at_a_time = asyncio.Lock()

    def learn(self, endpoint: str, value: bytes | None) -> None:
        """Take a record of `gateway.windows`."""
        snapshot = codec.read(WindowSnapshot, value)
        if isinstance(snapshot, WindowSnapshot):
            self._latest[endpoint] = snapshot

    def forget(self) -> None:
        """The partitions have moved: whatever is owned next starts from the topic."""
        self._owned.clear()
        self._dirty.clear()
        self._last_offset.clear()

    def admit(self, endpoint: Endpoint, request: RequestReceived, *, offset: int, tokens: int) -> Taken | Refusal:
        """Admit or refuse; call in the order of offsets, without `await` in between."""
        windows = self._touched(endpoint.name, offset)
        limits = (endpoint.ai_gateway and endpoint.ai_gateway.rate_limits) or ()
        return windows.admit(limits, request.requester, offset=offset, at_ms=request.received_at_ms, tokens=tokens)

    def refuse(self, endpoint: Endpoint, offset: int) -> None:
        """The request at `offset` was refused for another reason: counted nowhere, so no replay may let it in."""
        self._touched(endpoint.name, offset).refuse(offset)

    def _touched(self, endpoint: str, offset: int) -> EndpointWindows:
        windows = self._owned.get(endpoint)
        if windows is None:
            windows = self._owned[endpoint] = EndpointWindows(endpoint, self._latest.get(endpoint))
        partition = partition_of_requests(endpoint)
        self._dirty.setdefault(partition, set()).add(endpoint)
        self._last_offset[partition] = offset
        return windows

    def settle(self, endpoint: str, bookings: Iterable[Booking], tokens: int) -> None:
        """Replace an endpoint's token reservations by what was used; nothing when it is no longer owned."""
        windows = self._owned.get(endpoint)
        if windows is not None and bookings:
            windows.settle(bookings, tokens)
            self._dirty.setdefault(partition_of_requests(endpoint), set()).add(endpoint)

    async def publish(self) -> dict[int, int]:
        """Publish every touched endpoint's snapshot; returns partition -> offset that is now covered."""
        async with self._one_at_a_time:
            return await self._publish_touched()

    async def _publish_touched(self) -> dict[int, int]:
        dirty, self._dirty = self._dirty, {}
        offsets = {partition: self._last_offset.get(partition, -1) for partition in dirty}
        snapshots = [
            self._owned[name].snapshot(partition, offsets[partition], self._committed(partition))
            for partition, names in dirty.items()
            for name in names
            if name in self._owned
        ]
        await asyncio.gather(
            *(self._publish(WINDOWS.name, s.endpoint, codec.encode(s), s.partition) for s in snapshots)
        )
        return offsets


_PARTITION_OF: dict[str, int] = {}


def partition_of_requests(endpoint: str) -> int:
    """The partition of `gateway.requests` that a limited endpoint's requests belong on."""
    found = _PARTITION_OF.get(endpoint)
    if found is None:
        found = _PARTITION_OF[endpoint] = partition_of(endpoint, REQUESTS.partitions)
    return found
