"""The bus without a broker: what it refuses, where it puts things. With one: tests/stack."""

import logging

import msgspec
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from contract import codec, topics
from contract.codec import Unreadable
from contract.records import ReplyChunk, ReplyFinished, ReplyStarted
from ingress import bus
from ingress.bus import Bus, RefusedOnce


@given(st.text())
def test_a_boot_has_one_slot_that_is_there(boot_id: str) -> None:
    slot = bus.slot_of(boot_id)
    assert 0 <= slot < topics.REPLIES.partitions and slot == bus.slot_of(boot_id)


@given(st.binary(min_size=1), st.integers(1, 32))
def test_keys_go_where_kafkas_other_producers_put_them(key: bytes, partitions: int) -> None:
    every = list(range(partitions))
    assert bus._partitioner(key, every, every) == DefaultPartitioner()(key, every, every)


async def test_before_the_broker_is_reached_nothing_is_accepted_and_nobody_waits() -> None:
    lonely = Bus("127.0.0.1:1", "test")
    assert not lonely.ready
    assert not await lonely.publish(topics.REQUESTS.name, "k", b"v")


def test_all_three_kinds_of_replies_are_read_and_nothing_else_breaks_the_reader() -> None:
    started = ReplyStarted(request_id="r", boot_id="b", attempt="a", data="d")
    chunk = ReplyChunk(request_id="r", boot_id="b", attempt="a", seq=1, data="d")
    finished = ReplyFinished(request_id="r", boot_id="b", status=200, body=msgspec.Raw(b"{}"))
    for reply in (started, chunk, finished):
        assert bus.read_reply(codec.encode(reply)) == reply
    for value in (b"", b"{", b"{}", b'{"kind":"other"}', b"\xff"):
        assert isinstance(bus.read_reply(value), Unreadable)


def test_why_a_broker_will_not_have_us_is_seen_once_and_an_outage_not_at_all() -> None:
    seen = RefusedOnce()

    def shown(text: str, by: str = "aiokafka.conn") -> bool:
        return seen.filter(logging.LogRecord(by, logging.ERROR, "", 0, "Unable: %s", (text,), None))

    password = "[Error 58] SaslAuthenticationFailed: invalid credentials"
    certificate = "[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate"
    said = [password, "Connect call failed", certificate, password, certificate]
    assert [shown(text) for text in said] == [True, False, True, False, False]
    assert shown(password, by="aiokafka") is False
    assert shown("ready", by="ingress.app") and shown("ready", by="ingress.app")
