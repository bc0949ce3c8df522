"""Shapes of written identifiers: one source for what one looks like and for what may still become one.

A shape is a regular expression that is a plain sequence: characters and classes, each followed by `{n}` or `?` or
nothing. So it matches in time bounded by its length, and every beginning of it can be told.
"""

import re

_ATOM = re.compile(r"(\[[^\]]*\]|\\.|[^\[\]\\{}?])(?:\{(\d+)\}|(\?))?")
BORDER_BEFORE = r"(?<![A-Za-z0-9_])(?<![0-9][.\-])"
_BORDER_AFTER = r"(?![A-Za-z0-9_])(?![.\-][0-9])"
_UNDECIDED_BORDER = r"[.\-]?"


def whole(shape: str) -> str:
    """The pattern of a complete identifier; it begins where the match is begun.

    >>> bool(re.match(whole("[A-Z]{2} ?[0-9]"), "AB 1"))
    True
    """
    return shape + _BORDER_AFTER


def beginning(shape: str) -> str:
    """The pattern of all beginnings of an identifier, the complete one too, up to the end of the text.

    >>> [bool(re.match(beginning("[A-Z]{2} ?[0-9]"), text)) for text in ("A", "AB ", "AB 1", "1")]
    [True, True, True, False]
    """
    nested = ""
    for atom in reversed(_atoms(shape)):
        nested = f"(?:{atom}{nested})?"
    return nested + _UNDECIDED_BORDER + r"\Z"


def _atoms(shape: str) -> list[str]:
    atoms: list[str] = []
    for match in _ATOM.finditer(shape):
        one, times, optional = match.groups()
        atoms += [one + (optional or "")] * int(times or 1)
    return atoms
