"""A log line: one JSON object per event, on stderr, the same in every service."""

import logging
import sys
from typing import Any

import msgspec

FACTS = "headgate_facts"


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: at, level, part, event, then the event's own facts."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname,
            "part": self.part,
            "event": record.getMessage(),
        }
        line.update(getattr(record, FACTS, {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure(level: str, part: str) -> None:
    """Send every logger's lines through `JsonLines`; chatty libraries start at WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(part))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("aiokafka", "faust", "mode", "kafka", "py4j", "presidio-analyzer", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def event(logger: logging.Logger, level: int, name: str, **facts: Any) -> None:
    """Log one event, named in words, with its facts; costs nothing when the level is off."""
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={FACTS: facts})
