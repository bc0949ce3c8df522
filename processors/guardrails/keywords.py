"""Forbidden words: substrings of the folded text, found in one pass however long the list.

Folding drops case, width, invisible characters and the length of blanks. A plain NFKC of the
whole text is avoided: it sorts runs of combining marks in quadratic time.
"""

import re
import unicodedata
from functools import lru_cache

import ahocorasick

from processors.guardrails.fold import INVISIBLE, is_glued_script

_MARKS = "\u0300-\u036f\u3099\u309a"
_LOOK_BACK = 64  # for a blank at a text's end: behind more invisible characters than that it is not seen
_BASE_AND_MARKS = re.compile(f"[^{_MARKS}][{_MARKS}]{{1,4}}")


class _Letters(dict[int, str]):
    """Code point -> its compatible, case-folded form; invisible ones -> nothing."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
        folded = INVISIBLE.sub("", folded)
        if unicodedata.category(character) not in ("Cn", "Co", "Cs"):
            self[code] = folded
        return folded


_LETTERS = _Letters()


class Matcher:
    """The automaton of one list of keywords; `longest` counts folded characters.

    `whole_words`: a keyword counts only where neither end goes on as a word.
    """

    def __init__(self, words: tuple[str, ...], whole_words: bool = False) -> None:
        self._automaton = ahocorasick.Automaton()
        folded = [fold_words(word) for word in words]
        for index, word in enumerate(folded):
            if word and not self._automaton.exists(word):
                self._automaton.add_word(word, (index, len(word)))
        self._automaton.make_automaton()
        self.longest = max(map(len, folded), default=0)
        self._whole_words = whole_words
        # Whether the character after a keyword decides about it: also a mark may still make its last letter another.
        self._waits = whole_words or not all(map(str.isascii, folded))

    def hit(self, text: str, *, before: str = "", more: bool = False) -> int | None:
        """Return the index of the first keyword that ends in the text; None without one.

        `before`: the visible character that precedes the text, if any. `more`: the text goes on, so that a keyword
        at its very end is not decided where the next character decides.
        """
        if not self.longest:
            return None
        taken = len(fold_words(before))
        folded = fold_words(before + text)
        undecided = more and self._waits and not INVISIBLE.sub("", text[-_LOOK_BACK:])[-1:].isspace()
        for last, (index, length) in self._automaton.iter(folded):
            start, end = last + 1 - length, last + 1
            if start < taken or (undecided and end == len(folded)):
                continue
            if not self._whole_words or _stands_alone(folded, start, end):
                return int(index)
        return None

    def held(self, text: str) -> int:
        """How many characters at the text's end may be the beginning of a keyword."""
        wanted = self.longest if self._waits else self.longest - 1
        at = len(text)
        while at and wanted > 0:
            at -= 1
            wanted -= _counts(text, at)
        return len(text) - at


@lru_cache(maxsize=256)
def matcher(words: tuple[str, ...], whole_words: bool = False) -> Matcher:
    """Build the matcher of a list once for each value of it."""
    return Matcher(words, whole_words)


def fold_words(text: str) -> str:
    """Fold for comparison; blanks at both ends go, blanks inside become one space.

    >>> fold_words("  Ｓuper\\u200b  SECRET ")
    'super secret'
    """
    if text.isascii():
        return " ".join(text.lower().split())
    composed = _BASE_AND_MARKS.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    return " ".join(composed.translate(_LETTERS).split())


def _stands_alone(text: str, start: int, end: int) -> bool:
    """True when no word goes on over the edges of `text[start:end]`."""
    return not (
        (start > 0 and _in_word(text[start - 1]) and _in_word(text[start]))
        or (end < len(text) and _in_word(text[end - 1]) and _in_word(text[end]))
    )


def _in_word(character: str) -> bool:
    """A letter, a digit or a mark, but of no script without spaces: there every character is an edge."""
    if character.isascii():
        return character.isalnum()
    return (character.isalnum() or unicodedata.category(character)[0] == "M") and not is_glued_script(character)


def _counts(text: str, at: int) -> int:
    """1 when the character is sure to be one of the folded text, so that we hold enough."""
    character = text[at]
    if character.isspace():
        return 0 if at and text[at - 1].isspace() else 1
    folded = _LETTERS[ord(character)]
    return 1 if folded.strip() and not unicodedata.combining(folded[0]) else 0
