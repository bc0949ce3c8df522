"""What a child says: JSON lines (contract/logs.py), or anything a crash leaves; pure."""

from collections.abc import Mapping

import msgspec

LOUD = ("WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")
KNOWN = ("at", "level", "part", "event", "logger", "exception")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line, read. `plain` when it was not JSON: then the whole line is the event."""

    event: str
    level: str = ""
    at: str = ""
    exception: str = ""
    facts: Mapping[str, object] = {}
    plain: bool = False


def read(raw: bytes) -> Line:
    """Read one line; whatever it is, there is an answer."""
    try:
        said = msgspec.json.decode(raw, type=dict[str, object])
    except msgspec.MsgspecError:
        said = {}
    if "event" not in said:
        return Line(event=raw.decode(errors="replace").rstrip(), plain=True)
    event, level, at, exception = (str(said.get(key) or "") for key in ("event", "level", "at", "exception"))
    facts = {key: value for key, value in said.items() if key not in KNOWN}
    return Line(event=event, level=level, at=at, exception=exception, facts=facts)


def shown(part: str, line: Line) -> str | None:
    """The short form for the console; None for what only the log file needs."""
    if line.plain or (line.level not in LOUD and line.event != "ready"):
        return None
    words = [line.at[11:19], part, line.level if line.level in LOUD else "", line.event]
    words += [f"{name}={value}" for name, value in line.facts.items()]
    words += line.exception.strip().splitlines()[-1:]
    return " ".join(word for word in words if word)
