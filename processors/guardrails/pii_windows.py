"""Which parts of a shadow can hold an entity at all: the cheap gates before the detector."""

import re
from bisect import bisect_right

import msgspec
import re2

from processors.guardrails.pii_numbers import LIKE_DIGIT

SEPARATOR = "\n\x00\n"  # no pattern contains NUL: nothing matches across two windows

# Left: the longest way from a candidate back to its match's start, plus the context (120).
_BEFORE_DIGITS, _AFTER_DIGITS = 132, 40
_BEFORE_SIGN, _AFTER_SIGN = 200, 262

_WORTH_FOLDING = re2.compile(r"[\p{Nd}\p{No}]|[@＠﹫]|%40")
# The last one is an SSN in which letters stand for digits, from its first delimiter on.
_CANDIDATE = re.compile(
    r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){6,}|@|%40"
    rf"|[\-.](?<=[{LIKE_DIGIT}]{{3}}[\-.])[{LIKE_DIGIT}]{{2}}[\-.][{LIKE_DIGIT}]{{4}}"
)


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """Windows of a shadow, joined; `joined_at[i]` and `shadow_at[i]` are where window i starts."""

    joined: str
    joined_at: list[int]
    shadow_at: list[int]

    def in_shadow(self, joined_index: int) -> int:
        """The place in the shadow of a place in `joined`."""
        window = bisect_right(self.joined_at, joined_index) - 1
        return joined_index - self.joined_at[window] + self.shadow_at[window]


def worth_folding(text: str) -> bool:
    """False when the text holds no digit and no at sign of any script: nothing to find."""
    try:
        return _WORTH_FOLDING.search(text) is not None
    except UnicodeEncodeError:  # a lone surrogate, which only Python strings can hold
        return True


def cut_windows(shadow: str) -> Windows | None:
    """Cut the surroundings of all candidates out of the shadow; None without a candidate."""
    bounds = _merged(shadow)
    if not bounds:
        return None
    joined_at, at = [], 0
    for start, end in bounds:
        joined_at.append(at)
        at += end - start + len(SEPARATOR)
    return Windows(
        joined=SEPARATOR.join(shadow[start:end] for start, end in bounds),
        joined_at=joined_at,
        shadow_at=[start for start, _ in bounds],
    )


def _merged(shadow: str) -> list[tuple[int, int]]:
    bounds: list[tuple[int, int]] = []
    for match in _CANDIDATE.finditer(shadow):
        sign = match[0][0] in "@%"
        start = max(0, match.start() - (_BEFORE_SIGN if sign else _BEFORE_DIGITS))
        end = min(len(shadow), match.end() + (_AFTER_SIGN if sign else _AFTER_DIGITS))
        while bounds and start <= bounds[-1][1]:
            earlier = bounds.pop()
            start, end = min(start, earlier[0]), max(end, earlier[1])
        bounds.append((start, end))
    return bounds
