"""Writes the grid of guardrails into docs/guardrails.md: `python -m tests.support.grid`."""

from tests.support.conformance import PAGE, page, written
from tests.support.surfaces import SURFACES


def main() -> None:
    """Write it."""
    PAGE.write_text(written(PAGE.read_text(), page(SURFACES)))


if __name__ == "__main__":
    main()
