from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition

from contract.topics import CANCELS, STATE
from processors.views import Followed, Follower


@dataclass
class Record:
    offset: int
    key: bytes | None


SEEN: list[str] = []


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    SEEN.clear()
    handled: dict[Any, Followed] = {
        STATE: Followed(lambda record: SEEN.append(record.key.decode())),
        CANCELS: Followed(lambda record: None, from_start=False),
    }
    made = Follower("127.0.0.1:1", handled)
    yield made
    await made.stop()


async def test_a_record_that_cannot_be_handled_does_not_keep_the_next_ones(follower: Follower) -> None:
    records: list[Any] = [Record(0, b"a"), Record(1, None), Record(2, b"\xff"), Record(3, b"b")]
    await follower._handle({TopicPartition(STATE.name, 0): records})
    assert SEEN == ["a", "b"]


async def test_who_waits_for_a_condition_sees_it_or_is_told_that_time_is_over(follower: Follower) -> None:
    assert not await follower.reached(lambda: "a" in SEEN, 0.001)
    await follower._handle({TopicPartition(STATE.name, 0): [Record(0, b"a")]})
    assert await follower.reached(lambda: "a" in SEEN, 5)
