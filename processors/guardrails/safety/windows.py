"""A conversation cut to what a guard can read: its last turn in full, in overlapping windows, with recent history.

Nothing of the last turn is ever left out. Sizes are for a context of 8,000 tokens in the densest scripts.
"""

import re
import unicodedata
from itertools import groupby
from typing import NamedTuple

import msgspec

from processors.payload.turns import Conversation, Turn

WINDOW = 4_000  # characters of the last turn
OVERLAP = 200
HISTORY = 2_000  # characters before the last turn
MOST = 64  # windows

_CONTROL = re.compile(
    r"<\|[^|<>]{0,64}\|>|</?(?:start_of_turn|end_of_turn|bos|eos|s)>|\[/?INST\]|<(?:BEGIN|END) [A-Z ]{1,40}>"
)


class Cut(NamedTuple):
    """How texts are cut for a kind of guard: windows of `size` that share `overlap` with the next, `most` in a request.

    A text has one window at least: `most` bounds the calls that a request can cause, however it is divided.

    In characters or, `in_bytes`, in UTF-8 of the text's NFKC form, which a tokenizer makes anyway: no text has more
    tokens than that.
    """

    size: int = WINDOW
    overlap: int = OVERLAP
    most: int = MOST
    in_bytes: bool = False

    @property
    def limit(self) -> str:
        """How much can be judged, in words."""
        return f"{self.most} windows of {self.size} {'bytes' if self.in_bytes else 'characters'}"

    def pieces(self, text: str) -> list[str]:
        """The text in windows that overlap; each character is whole in one of them.

        >>> [len(piece) for piece in Cut().pieces("x" * 8_000)]
        [4000, 4000, 400]
        """
        whole = unicodedata.normalize("NFKC", text).encode(errors="replace") if self.in_bytes else text
        starts = range(0, max(1, len(whole) - self.overlap), self.size - self.overlap)
        pieces = (whole[start : start + self.size] for start in starts)
        return [piece if isinstance(piece, str) else piece.decode(errors="ignore") for piece in pieces]


WHOLE_TURN = Cut()


def cut(conversation: Conversation) -> tuple[Conversation, ...]:
    """The windows to be judged, each ending with a piece of the last turn; none without text.

    Roles alternate and begin with the user, as guards' templates want it.
    """
    turns = _tidy(conversation)
    if not turns:
        return ()
    *history, last = turns
    before = _recent(tuple(history))
    if (before or (last,))[0].role != "user":
        before = (Turn(role="user", text=""), *before)
    return tuple((*before, Turn(role=last.role, text=piece)) for piece in WHOLE_TURN.pieces(last.text))


def by_user(conversation: Conversation) -> Conversation:
    """The conversation with its end spoken by the user: a caller who writes the answer's beginning is judged by it."""
    last = len(conversation)
    while last and conversation[last - 1].role != "user":
        last -= 1
    return (*conversation[:last], *(msgspec.structs.replace(t, role="user") for t in conversation[last:]))


def clean(text: str) -> str:
    """The text without the control strings of models' templates.

    A space takes their place: without it, what stood around one could become another.
    """
    return _CONTROL.sub(" ", text).strip()


def _tidy(conversation: Conversation) -> Conversation:
    cleaned = ((turn.role, clean(turn.text)) for turn in conversation)
    told = groupby(((role, text) for role, text in cleaned if text), key=lambda turn: turn[0])
    return tuple(Turn(role=role, text="\n\n".join(text for _, text in turns)) for role, turns in told)


def _recent(history: Conversation) -> Conversation:
    kept: list[Turn] = []
    left = HISTORY
    for turn in reversed(history):
        if left <= 0:
            break
        kept.append(msgspec.structs.replace(turn, text=turn.text[-left:]))
        left -= len(turn.text)
    return tuple(reversed(kept))
