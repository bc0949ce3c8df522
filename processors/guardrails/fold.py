"""Fold a text to an ASCII shadow of equal length, on which entities are searched.

Look-alikes, full-width forms, exotic dashes and spaces become what they look like; letters of
scripts without spaces become a space, so that a number glued to Japanese text has a border.
Every rule looks at one character only: folding parts is folding the whole.
"""

import re
import unicodedata
from bisect import bisect_left

import msgspec

from contract.guardrails import UNSEEN

INVISIBLE = re.compile(f"[{UNSEEN}]")
_VISIBLE_RUN = re.compile(f"[^{UNSEEN}]+")

_DASHES = "‐‑‒–—―−﹘﹣－⁃"
_STOPS = "。．｡․"
_LOOK_ALIKES = dict(
    zip(
        "аеорсухіјѕһԁԛԝкмтвнοαρντικυАВЕКМНОРСТХ",
        "aeopcyxijshdqwkmtbhoapvtikuABEKMHOPCTX",
        strict=True,
    )
)
_NO_SPACES_BETWEEN_WORDS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uffdc"
    "\U00020000-\U0003ffff]"
)


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """A text without its invisible characters, and the shadow of that.

    `visible` and `shadow` have the same length; `shadow` is ASCII.
    `kept`: for each visible character its place in the original; None when all were kept.
    """

    visible: str
    shadow: str
    kept: list[int] | None = None

    def start_in_original(self, visible_index: int) -> int:
        """Where the visible character lies in the original; len(visible) is not allowed."""
        return visible_index if self.kept is None else self.kept[visible_index]

    def end_in_original(self, visible_end: int) -> int:
        """The exclusive end that belongs to an exclusive end > 0 in `visible`."""
        return visible_end if self.kept is None else self.kept[visible_end - 1] + 1

    def visible_before(self, original_index: int) -> int:
        """How many visible characters lie before that place in the original."""
        return original_index if self.kept is None else bisect_left(self.kept, original_index)


class _Shadows(dict[int, str]):
    """Code point -> shadow character, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        shadow = _shadow(character, category)
        if category not in ("Cn", "Co", "Cs"):  # a hostile text must not fill the memory
            self[code] = shadow
        return shadow


def fold(text: str) -> Folded:
    """Return the visible text and its shadow; ASCII text is its own shadow."""
    if text.isascii():
        return Folded(visible=text, shadow=text)
    if not INVISIBLE.search(text):
        return Folded(visible=text, shadow=text.translate(_SHADOWS))
    kept = [i for run in _VISIBLE_RUN.finditer(text) for i in range(*run.span())]
    visible = INVISIBLE.sub("", text)
    return Folded(visible=visible, shadow=visible.translate(_SHADOWS), kept=kept)


def is_glued_script(character: str) -> bool:
    """True for a letter of a script that puts no spaces between words."""
    return _NO_SPACES_BETWEEN_WORDS.match(character) is not None


def _shadow(character: str, category: str) -> str:
    if ord(character) < 128:
        return character
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category in ("Zs", "Zl", "Zp"):
        return " "
    compatible = unicodedata.normalize("NFKC", character)
    if len(compatible) == 1 and compatible.isascii():
        return compatible
    return _letter_shadow(character, category)


def _letter_shadow(character: str, category: str) -> str:
    if character in _LOOK_ALIKES:
        return _LOOK_ALIKES[character]
    if category[0] == "M":
        return "x"
    if category[0] != "L" or is_glued_script(character):
        return " "
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else "x"


_SHADOWS = _Shadows({ord(c): "-" for c in _DASHES} | {ord(c): "." for c in _STOPS})
