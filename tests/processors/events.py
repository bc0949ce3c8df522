"""Events as the gate and the agents see them, without Faust."""

from dataclasses import dataclass, field

TOPIC = "gateway.requests"


@dataclass
class Message:
    offset: int
    value: bytes = b""
    key: bytes | None = b"k"
    topic: str = TOPIC
    partition: int = 0
    generation_id: int = 1


@dataclass
class Event:
    """An event that writes down its acknowledgement in a list shared by its lane."""

    message: Message
    acks: list[int] = field(default_factory=list)

    def ack(self) -> bool:
        self.acks.append(self.message.offset)
        return True


def lane(count: int, acks: list[int], partition: int = 0) -> list[Event]:
    return [Event(Message(offset=offset, partition=partition), acks) for offset in range(count)]
