"""The walk's checks: each says what is wrong, and nothing when nothing is."""

from typing import Any

import pytest

from launcher import demo_steps
from launcher.demo_sql import Rows
from launcher.demo_steps import LIMIT, answers, counts, limited, lists, masked, one_text, prints, quiet
from launcher.notebook import Outcome


class RateLimitError(Exception):
    """Named as the client's own."""


def rows(*given: dict[str, Any]) -> Outcome:
    return Outcome(value=Rows(rows=given))


REFUSED = RateLimitError("Requests-per-minute (RPM) rate limit exceeded for endpoint")
TEN = "Request sent: x\n" * LIMIT
FULL = [{"status_code": 200, "request": "q"}] * 14 + [{"status_code": 400, "request": "<EMAIL_ADDRESS>"}] * 2
GOOD = [
    (quiet, Outcome(value=1)),
    (prints("b"), Outcome(printed="abc")),
    (answers(a__b=1, c=[2]), Outcome(value={"a": {"b": 1}, "c": [2], "d": 3})),
    (lists(1), rows({"n": 1}, {"n": 2})),
    (one_text, rows({"n": "text"})),
    (
        counts("n", {200: 5, 429: 1}),
        rows({"status_code": 200, "n": 2}, {"status_code": 200, "n": 3}, {"status_code": 429, "n": 1}),
    ),
    (limited, Outcome(printed=TEN, error=REFUSED)),
    (masked, rows(*FULL)),
]
BAD = [
    (quiet, Outcome(error=ValueError("why")), "it raised ValueError: why"),
    (prints("b"), Outcome(printed="x"), "wanted: the words 'b'"),
    (prints("b"), Outcome(printed="b", error=ValueError("why")), "it raised"),
    (answers(a__b=1), Outcome(value="a failure's text"), "wanted:"),
    (answers(a__b=1), Outcome(value={"a": 1}), "wanted:"),
    (lists(2), rows({"n": 1}), "wanted: 2 rows"),
    (lists(1), Outcome(value=None), "wanted: 1 rows"),
    (one_text, rows(), "wanted: one text"),
    (one_text, rows({"n": None}), "wanted: one text"),
    (counts("n", {200: 5}), rows({"status_code": 200, "n": 4}), "wanted: n by status"),
    (limited, Outcome(printed=TEN), "wanted: a RateLimitError"),
    (limited, Outcome(printed=TEN[:-16], error=REFUSED), f"wanted: {LIMIT} answers"),
    (limited, Outcome(printed=TEN, error=RateLimitError("the provider's own")), "wanted: a RateLimitError"),
    (masked, rows(*FULL[:-1]), "wanted: rows by status"),
    (masked, rows(*FULL[:-1], {"status_code": 400, "request": demo_steps.RAW_PII[0]}), "the table holds"),
]


@pytest.mark.parametrize(("check", "outcome"), GOOD)
def test_a_good_outcome_passes(check: demo_steps.Check, outcome: Outcome) -> None:
    assert check(outcome) is None


@pytest.mark.parametrize(("check", "outcome", "starts"), BAD)
def test_a_bad_outcome_is_explained(check: demo_steps.Check, outcome: Outcome, starts: str) -> None:
    wrong = check(outcome)
    assert wrong is not None and wrong.startswith(starts)
