"""Names that become directories: which are legal, and where a table lies."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from contract import limits

LEGAL = re.compile(limits.TABLE_PART_PATTERN)
SYSTEM = "system"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A three-level name. ValueError for a part that could leave its directory."""

    catalog: str
    schema: str
    name: str

    def __post_init__(self) -> None:
        for part in (self.catalog, self.schema, self.name.removesuffix("_payload")):
            if not LEGAL.fullmatch(part):
                raise ValueError(f"not a legal part of a table's name: {part!r}")

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.name}"

    def path(self, lake: Path) -> Path:
        """The table's directory."""
        return lake / self.catalog / self.schema / self.name


ENDPOINT_USAGE = Table(catalog=SYSTEM, schema="serving", name="endpoint_usage")
SERVED_ENTITIES = Table(catalog=SYSTEM, schema="serving", name="served_entities")
QUARANTINE = Table(catalog=SYSTEM, schema="serving_internal", name="quarantine")


def payload(catalog: str, schema: str, prefix: str) -> Table:
    """An endpoint's payload table.

    >>> str(payload("users", "me", "my-endpoint"))
    'users.me.my-endpoint_payload'
    """
    return Table(catalog=catalog, schema=schema, name=f"{prefix}_payload")


def catalogs(lake: Path) -> list[str]:
    """The catalogs of a lake: its directories with a legal name, and `system` in any case."""
    found = (path.name for path in lake.iterdir() if path.is_dir()) if lake.is_dir() else ()
    return sorted({SYSTEM, *(name for name in found if LEGAL.fullmatch(name))})


def tables(lake: Path) -> Iterator[Table]:
    """Every table of a lake, in the order of names."""
    for log in sorted(lake.glob("*/*/*/_delta_log")):
        catalog, schema, name = log.parent.relative_to(lake).parts
        if all(LEGAL.fullmatch(part.removesuffix("_payload")) for part in (catalog, schema, name)):
            yield Table(catalog=catalog, schema=schema, name=name)
