"""A dead letter: what could not be read or handled, where it lay, and why it was laid aside. Pure."""

from base64 import b64decode, b64encode

import msgspec

from sinks.record import Record


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One dead letter, one line of a file.

    `topic`, `partition`, `offset`: where it lay at first (-1: not told). `key`: text, undecodable bytes as `\\xNN`.
    `value`: base64 of the original bytes. `letter_partition`, `letter_offset`: where it lies among the dead letters.
    """

    at_ms: int
    reason: str
    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None
    letter_partition: int
    letter_offset: int

    @property
    def identity(self) -> tuple[int, int, int]:
        """What tells it from all others, even after the topic has been made anew."""
        return self.letter_partition, self.letter_offset, self.at_ms

    @property
    def content(self) -> bytes:
        """The original bytes."""
        return b64decode(self.value or "")


def letter(record: Record) -> Letter:
    """A record of `gateway.dead_letters` as a letter; missing or odd headers leave `""` and -1."""
    told = {name: text(value) for name, value in record.headers}
    return Letter(
        at_ms=record.timestamp,
        reason=told.get("reason", ""),
        topic=told.get("topic", ""),
        partition=number(told.get("partition", "")),
        offset=number(told.get("offset", "")),
        key=None if record.key is None else text(record.key),
        value=None if record.value is None else b64encode(record.value).decode(),
        letter_partition=record.partition,
        letter_offset=record.offset,
    )


def text(raw: bytes | None) -> str:
    """Bytes as text, whatever they are."""
    return (raw or b"").decode(errors="backslashreplace")


def number(digits: str) -> int:
    """A decimal number; -1 for anything else.

    >>> number("42"), number(""), number("²")
    (42, -1, -1)
    """
    return int(digits) if digits.isdecimal() else -1


def printable(words: str) -> str:
    """`words` without anything a terminal would obey.

    >>> printable("ok\\x1b[2J")
    'ok\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in words)
