"""What the demo's own provider says: the same answer to the same question, in the question's language. Pure."""

import hashlib
import math
import re
from collections.abc import Iterator

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
COUNTED = re.compile(r"(\d+)\s*番目")
CHARACTERS_PER_TOKEN = 4
# a word in the question -> the answer in Japanese, in English
KNOWN = (
    (
        ("専門家の混合", "mixture of experts"),
        "専門家の混合モデルは、入力ごとに一部の専門家ネットワークだけを動かす仕組みです。"
        "ゲートがどの専門家を使うかを選ぶので、計算量を増やさずに大きなモデルを作れます。",
        "A mixture of experts sends each input through a few specialised networks, which a gate picks, "
        "so a model can be large without every part of it running every time.",
    ),
    (
        ("ゲートウェイ", "gateway"),
        "AI ゲートウェイは、モデルへの入口を一つにまとめ、記録・制限・検査を同じ場所で行います。",
        "An AI gateway puts one door in front of all models, and logs, limits and checks what passes it.",
    ),
    (
        ("電話番号", "メールアドレス", "phone number", "e-mail"),
        "個人情報はお答えできません。",
        "I cannot share personal data.",
    ),
)


def answer(question: str) -> str:
    """The answer to a question.

    >>> answer("What does a gateway do?").split(",")[0]
    'An AI gateway puts one door in front of all models'
    >>> answer("これは 3 番目のリクエストです。")
    '3 番目のリクエストを受け取りました。'
    """
    japanese = JAPANESE.search(question) is not None
    counted = COUNTED.search(question)
    if counted:
        return f"{counted[1]} 番目のリクエストを受け取りました。"
    lowered = question.lower()
    for words, in_japanese, in_english in KNOWN:
        if any(word in lowered for word in words):
            return in_japanese if japanese else in_english
    if japanese:
        return f"ご質問は {len(question)} 文字でした。これはデモ用モデルの回答です。"
    return f"Your question has {len(question.split())} words; this is a demo model's answer."


def tokens(text: str) -> int:
    """How many tokens a text counts as: a quarter of its characters, at least one.

    >>> tokens("12345678"), tokens("")
    (2, 1)
    """
    return max(1, len(text) // CHARACTERS_PER_TOKEN)


def cut(text: str, max_tokens: int | None) -> tuple[str, str]:
    """The text within `max_tokens`, and why it ends there: `stop` or `length`.

    >>> cut("abcdefghij", 2), cut("abc", None)
    (('abcdefgh', 'length'), ('abc', 'stop'))
    """
    room = len(text) if max_tokens is None else max_tokens * CHARACTERS_PER_TOKEN
    return text[:room], "length" if len(text) > room else "stop"


def pieces(text: str, size: int = 6) -> Iterator[str]:
    """The text as a stream brings it.

    >>> list(pieces("abcdefgh"))
    ['abcdef', 'gh']
    """
    for start in range(0, len(text), size):
        yield text[start : start + size]


def embedding(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on the text alone.

    >>> round(sum(x * x for x in embedding("a", 8)), 6)
    1.0
    """
    raw = hashlib.shake_256(text.encode()).digest(2 * dimensions)
    numbers = [int.from_bytes(raw[n : n + 2]) - 32767.5 for n in range(0, len(raw), 2)]
    length = math.sqrt(sum(x * x for x in numbers))
    return [x / length for x in numbers]
