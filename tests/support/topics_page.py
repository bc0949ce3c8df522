"""Writes docs/topics.md from the contract: `python -m tests.support.topics_page`."""

import re
import sys
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from contract import records, state, topics
from contract.topics import Topic

PAGE = Path(__file__).resolve().parents[2] / "docs" / "topics.md"
COMMAND = "python -m tests.support.topics_page"
PARTS = (
    records.Requester,
    records.Submitted,
    records.SubmissionAnswered,
    records.Attempt,
    records.Finding,
    records.PayloadTable,
)
UNITS = ((topics.DAY_MS, "day"), (topics.HOUR_MS, "hour"), (topics.MINUTE_MS, "minute"))
HEAD = f"""# Topics

Made by `{COMMAND}` from `contract/topics.py`, `records.py` and `state.py`: change those, not this page.

Values are JSON. Readers ignore fields they do not know and fill in the defaults of fields that are not there, so a
record once written can be read for ever. Times are epoch milliseconds. `headgate topics` creates the topics; no other
part does.
"""


def page() -> str:
    """The whole page."""
    blocks = [HEAD, _table(("topic", "what", "key", "partitions", "kept"), map(_row, topics.ALL))]
    blocks += [block for topic in topics.ALL for block in _topic(topic)]
    blocks += ["## Parts of records", *(block for part in PARTS for block in _record(part))]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def kept(topic: Topic) -> str:
    """How long a topic keeps its records, in words.

    >>> kept(topics.LOG), kept(topics.CANCELS), kept(topics.STATE)
    ('7 days', '10 minutes', 'the newest per key')
    """
    if topic.retention_ms is None:
        return "the newest per key"
    length, name = next((length, name) for length, name in UNITS if topic.retention_ms % length == 0)
    count = topic.retention_ms // length
    return f"{count} {name}" + ("s" if count != 1 else "")


def type_name(hint: Any) -> str:
    """A field's type as the page shows it.

    >>> type_name(tuple[records.Attempt, ...]), type_name(msgspec.Raw), type_name(str | None)
    ('list of Attempt', 'JSON', 'str or null')
    """
    text = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    text = re.sub(r"\b(?:contract\.\w+|typing|msgspec)\.", "", text)
    text = re.sub(r"(?:tuple|list)\[([\w ]+)(?:, \.\.\.)?\]", r"list of \1", text)
    return text.replace(" | None", " or null").replace("Raw", "JSON")


def _row(topic: Topic) -> tuple[str, ...]:
    return (
        f"[`{topic.name}`](#{topic.name.replace('.', '')})",
        topic.about,
        topic.key,
        str(topic.partitions),
        kept(topic),
    )


def _topic(topic: Topic) -> Iterator[str]:
    yield f"## {topic.name}"
    yield f"{topic.about[:1].upper()}{topic.about[1:]}. Value: {topic.value}."
    if topic is topics.STATE:
        yield "Keys, one kind of resource each; a null value deletes:"
        rows = ((f"`{kind}/…`", f"`{record.__name__}`") for kind, record in state.KINDS.items())
        yield _table(("key", "value"), rows)
        kinds: Iterable[Any] = state.KINDS.values()
    else:
        kinds = [kind for name in re.findall(r"\w+", topic.value) if (kind := getattr(records, name, None))]
    for kind in kinds:
        yield from _record(kind)


def _record(kind: Any) -> Iterator[str]:
    yield f"### {kind.__name__}"
    yield "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines())
    hints = typing.get_type_hints(kind)
    config = kind.__struct_config__
    rows = [(f"`{field.encode_name}`", type_name(hints[field.name]), _default(field)) for field in fields(kind)]
    if config.tag_field:
        rows.insert(0, (f"`{config.tag_field}`", f'"{config.tag}"', ""))
    yield _table(("field", "type", "default"), rows)


def _default(field: FieldInfo) -> str:
    if field.required:
        return ""
    if isinstance(field.default, msgspec.Raw):
        return "`null`"
    return f"`{msgspec.json.encode(field.default).decode()}`" if field.default is not msgspec.NODEFAULT else "empty"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main() -> int:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
