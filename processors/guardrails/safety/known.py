"""The latest verdicts by question, as hashes: no text is kept."""

import hashlib
from collections import OrderedDict

import msgspec

from processors.guardrails.safety.base import Ask, Judgement

REMEMBERED = 4_096


class Known:
    """Verdicts that need not be asked for again. A known one has cost no tokens."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._verdicts: OrderedDict[bytes, Judgement] = OrderedDict()

    def get(self, ask: Ask) -> Judgement | None:
        """The verdict found before; None when it is not known."""
        key = _hashed(ask)
        verdict = self._verdicts.get(key)
        if verdict is not None:
            self._verdicts.move_to_end(key)
        return verdict

    def put(self, ask: Ask, verdict: Judgement) -> None:
        """Remember a verdict, and forget the one unused for longest."""
        self._verdicts[_hashed(ask)] = msgspec.structs.replace(verdict, prompt_tokens=0, total_tokens=0)
        if len(self._verdicts) > self._most:
            self._verdicts.popitem(last=False)


def _hashed(ask: Ask) -> bytes:
    return hashlib.sha256(ask.body).digest()
