"""Print the detector's figures: `python -m tests.processors.guardrails.figures`.

Times are milliseconds, the best tenth of many runs; on a busy machine read them as ratios.
"""

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

from contract.guardrails import Category
from processors.guardrails.base import Rules
from processors.guardrails.check import apply
from processors.guardrails.keywords import matcher
from processors.guardrails.pii import build_detector, warm_up
from processors.guardrails.stream import StreamGuard
from tests.processors.guardrails import corpora
from tests.processors.guardrails.corpora import Labelled, Score
from tests.processors.guardrails.test_hostile import (
    HOSTILE,
    HOSTILE_TO_CATEGORIES,
    SIZE,
    cpu_seconds,
    many_words,
    text_of,
)

MASK = Rules(pii="MASK")
CATEGORIES = get_args(Category)
EVERYTHING = Rules(pii="MASK", categories=CATEGORIES)
PROSE = "The committee met again on Thursday to talk about the roof of the library, and nobody could say why. " * 11
JAPANESE = "従業員データを使用して、次の質問に答えてください。電話番号とメールアドレスは何ですか?" * 25
NUMBERS = "In 2024 there were 35 people and 1200 dollars, on 12 May. " * 18


def main() -> None:
    """Print all tables."""
    warm_up()
    sets = {
        "shipped": corpora.shipped(),
        "presidio-research v2": corpora.presidio_research(),
        "pii-anon adversarial": corpora.pii_anon_adversarial(),
    }
    for name, texts in sets.items():
        print(f"\n{name}" if texts else f"\n{name}: not at {corpora.PUBLIC}")
        _accuracy(texts or [])
        if name != "shipped":  # it has labels of the five alone
            _categories(texts or [])
    _times()
    for rules in (MASK, EVERYTHING):
        _streams(sets["presidio-research v2"] or sets["shipped"] or [], rules)


def _accuracy(texts: Sequence[Labelled]) -> None:
    for category, score in corpora.scores(texts, build_detector().find).items():
        if score.labels or score.findings:
            print(f"  {category:17} {_row(score, category == corpora.US_PHONES)}")


def _categories(texts: Sequence[Labelled]) -> None:
    scores = corpora.scores(texts, build_detector(CATEGORIES).find, CATEGORIES)
    for category in CATEGORIES:
        score = scores[category]
        if score.labels or score.findings:
            print(f"  {category:17} asked for: {_row(score, False)}, false alarms {score.findings - score.right}")


def _row(score: Score, recall_only: bool) -> str:
    p, r = score.precision, score.recall
    if recall_only:
        return f"labels {score.labels:5}            recall {r:.3f}"
    f2 = 5 * p * r / (4 * p + r) if p + r else 0.0
    return f"labels {score.labels:5}  precision {p:.3f}  recall {r:.3f}  F2 {f2:.3f}"


def _times() -> None:
    two = (PROSE[:400] + " Write to joe.miller@example.com or call (212) 555-0142. " + PROSE)[:1000]
    print("\ntimes")
    for name, text, runs in (
        ("prose without digits, 1 KB", PROSE[:1000], 400),
        ("Japanese without digits, 1,000 characters", JAPANESE[:1000], 400),
        ("prose with years and amounts, 1 KB", NUMBERS[:1000], 400),
        ("prose with two entities, 1 KB", two, 400),
        ("ten of those, 10 KB", two * 10, 50),
        ("a hundred, 100 KB", two * 100, 10),
    ):
        five, everything = (_best_tenth(partial(apply, [text], rules), runs) for rules in (MASK, EVERYTHING))
        print(f"  {name:42} {five:8.3f} ms, all categories {everything:8.3f} ms")
    for count in (10, 10_000):
        spent = _best_tenth(partial(matcher(many_words(count)).hit, (PROSE * 100)[:SIZE]), 10)
        print(f"  {f'{count:,} keywords, 100 KB':42} {spent:8.3f} ms")
    for title, rules in (("five", MASK), ("all", EVERYTHING)):
        names = [*HOSTILE, *(HOSTILE_TO_CATEGORIES if rules.categories else ())]
        worst = {name: cpu_seconds(partial(apply, [text_of(name, SIZE)], rules)) * 1e3 for name in names}
        slowest = max(worst, key=worst.__getitem__)
        print(f"  {f'hostile, 100 KB, {title}: {slowest}':42} {worst[slowest]:8.0f} ms")


def _streams(texts: Sequence[Labelled], rules: Rules) -> None:
    draw = random.Random(7)
    held, deltas, differing = [], 0, 0
    start = time.perf_counter()
    for one in texts:
        guard, out, at = StreamGuard(rules), [], 0
        while at < len(one.text):
            size = draw.randint(1, 6)
            out.append(guard.feed(one.text[at : at + size]).text)
            at, deltas = at + size, deltas + 1
            held.append(guard.held)
        out.append(guard.finish().text)
        differing += "".join(out) != apply([one.text], rules).masked[0]
    spent = (time.perf_counter() - start) / max(1, deltas) * 1e3
    held.sort()
    print(f"\nstreams of 1 to 6 characters, {len(rules.categories)} categories besides the five")
    print(f"  {len(texts)} texts, {differing} differ from the whole text's mask")
    p50, p95, p99 = (held[len(held) * p // 100] for p in (50, 95, 99))
    print(f"  characters held back: p50 {p50}, p95 {p95}, p99 {p99}, most {held[-1]}; {spent:.3f} ms per delta")


def _best_tenth(work: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[runs // 10] * 1e3


if __name__ == "__main__":
    main()
