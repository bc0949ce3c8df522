import asyncio

import msgspec

from contract.records import Reply, ReplyChunk, ReplyStarted
from processors.agents.relay import MOST_WAITING, Relay
from tests.processors.agents.world import request


class Slot:
    """What lies on the ingress's partition; `open` holds sending back."""

    def __init__(self) -> None:
        self.records: list[ReplyStarted | ReplyChunk] = []
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, slot: int, request_id: str, record: bytes) -> None:
        await self.open.wait()
        decoded = msgspec.json.decode(record, type=Reply)
        assert (slot, request_id, decoded.request_id, decoded.boot_id) == (3, "r1", "r1", "boot")
        assert isinstance(decoded, ReplyStarted | ReplyChunk)
        self.records.append(decoded)
        self.arrived.set()

    def relay(self) -> Relay:
        return Relay(request(), "try", "a", 7, self.send)


async def test_the_first_piece_goes_at_once_with_its_facts() -> None:
    slot = Slot()
    slot.relay().write("one", at_once=True)
    await slot.arrived.wait()
    assert slot.records == [
        ReplyStarted(
            request_id="r1", boot_id="boot", attempt="try", data="one", served_entity_name="a", config_version=7
        )
    ]


async def test_what_comes_within_ten_milliseconds_goes_together() -> None:
    slot = Slot()
    relay = slot.relay()
    relay.write("one", at_once=True)
    await slot.arrived.wait()
    slot.arrived.clear()
    for piece in ("two", "three", "four"):
        relay.write(piece, at_once=False)
    await slot.arrived.wait()
    assert slot.records[1] == ReplyChunk(request_id="r1", boot_id="boot", attempt="try", seq=1, data="twothreefour")


async def test_pieces_keep_their_order_behind_a_slow_one() -> None:
    slot = Slot()
    slot.open.clear()
    relay = slot.relay()
    for piece in ("one", "two", "three"):
        relay.write(piece, at_once=True)
    slot.open.set()
    assert await relay.close() == ""
    assert [record.data for record in slot.records] == ["one", "two", "three"]
    assert [getattr(record, "seq", 0) for record in slot.records] == [0, 1, 2]


async def test_nothing_overtakes_what_is_waiting() -> None:
    slot = Slot()
    relay = slot.relay()
    relay.write("one", at_once=True)
    relay.write("two", at_once=False)
    relay.write("three", at_once=True)
    assert await relay.close() == "twothree"


async def test_closing_hands_back_what_was_not_sent_and_sends_no_more() -> None:
    slot = Slot()
    relay = slot.relay()
    relay.write("one", at_once=True)
    relay.write("two", at_once=False)
    assert await relay.close() == "two"
    assert await relay.close() == ""
    assert ([record.data for record in slot.records], relay.seq) == (["one"], 1)


async def test_much_that_is_waiting_goes_at_once_so_that_the_last_record_stays_small() -> None:
    slot = Slot()
    relay = slot.relay()
    piece = "x" * (MOST_WAITING // 4)
    for _ in range(11):
        relay.write(piece, at_once=False)
    assert await relay.close() == piece
    assert [len(record.data) for record in slot.records] == [5 * len(piece), 5 * len(piece)]
