"""Server-sent events as providers write them: bytes in, the `data` of each event out."""

DONE = b"[DONE]"
LINE_BYTES = 8 * 1024 * 1024


class TooLong(Exception):
    """A line that does not end."""


class Events:
    """Cuts a byte stream into events' data; comments and other fields are dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The `data` of every line completed by `piece`; providers write one JSON document per line.

        TooLong when a line holds more than a whole answer may.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > LINE_BYTES:
            raise TooLong
        return [data for line in lines if (data := _data(line)) is not None]

    def rest(self) -> list[bytes]:
        """What an unfinished last line holds."""
        data = _data(self._rest)
        self._rest = b""
        return [] if data is None else [data]


def _data(line: bytes) -> bytes | None:
    line = line.rstrip(b"\r")
    return line[5:].strip() if line.startswith(b"data:") and line[5:].strip() else None
