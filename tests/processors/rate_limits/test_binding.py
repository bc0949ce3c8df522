import pytest

from contract.endpoint import RateLimit
from contract.records import Kind, Requester
from processors.rate_limits.binding import bounds


def calls(key: str, ceiling: int, principal: str | None = None) -> RateLimit:
    return RateLimit(calls=ceiling, key=key, principal=principal, renewal_period="minute")  # type: ignore[arg-type]


def tokens(key: str, ceiling: int, principal: str | None = None) -> RateLimit:
    return RateLimit(tokens=ceiling, key=key, principal=principal, renewal_period="minute")  # type: ignore[arg-type]


ANN = Requester(name="ann", groups=("red", "blue"))
BOB = Requester(name="bob")
BOT = Requester(name="bot", kind="service_principal", groups=("red",))

DEFAULT = calls("user", 10)
FOR_ANN = calls("user", 3, "ann")
RED, BLUE = calls("user_group", 20, "red"), calls("user_group", 40, "blue")
FOR_BOT = calls("service_principal", 7, "bot")
CAP = calls("endpoint", 100)


@pytest.mark.parametrize(
    ("limits", "who", "expected"),
    [
        ([DEFAULT], ANN, [("user:ann|calls", 10)]),
        ([DEFAULT], BOT, [("user:bot|calls", 10)]),
        ([DEFAULT, FOR_ANN], ANN, [("user:ann|calls", 3)]),
        ([FOR_ANN, DEFAULT], BOB, [("user:bob|calls", 10)]),
        ([DEFAULT, RED], ANN, [("group:red|calls", 20)]),
        ([RED, BLUE], ANN, [("group:blue|calls", 40)]),
        ([BLUE, RED], ANN, [("group:blue|calls", 40)]),
        ([RED, BLUE, FOR_ANN, DEFAULT], ANN, [("user:ann|calls", 3)]),
        ([RED], BOB, []),
        ([FOR_BOT, RED, DEFAULT], BOT, [("user:bot|calls", 7)]),
        ([FOR_BOT], Requester(name="bot", kind="user"), []),
        ([calls("user", 1, "bot")], BOT, []),
        ([CAP], BOB, [("endpoint|calls", 100)]),
        ([CAP, FOR_ANN], ANN, [("endpoint|calls", 100), ("user:ann|calls", 3)]),
        ([], ANN, []),
        ([calls("user", 0)], ANN, [("user:ann|calls", 0)]),
    ],
)
def test_the_endpoints_cap_holds_for_all_and_the_nearest_other_limit_wins(
    limits: list[RateLimit], who: Requester, expected: list[tuple[str, int]]
) -> None:
    assert [(bound.window, bound.ceiling) for bound in bounds(limits, who)] == expected


def test_calls_and_tokens_are_bound_apart() -> None:
    found = bounds([CAP, FOR_ANN, tokens("endpoint", 900), tokens("user_group", 500, "red")], ANN)
    assert [(bound.window, bound.unit, bound.ceiling) for bound in found] == [
        ("endpoint|calls", "calls", 100),
        ("user:ann|calls", "calls", 3),
        ("endpoint|tokens", "tokens", 900),
        ("group:red|tokens", "tokens", 500),
    ]


@pytest.mark.parametrize(("kind", "subject"), [("user", "user"), ("service_principal", "service principal")])
def test_a_refusal_can_name_whom_the_limit_speaks_of(kind: Kind, subject: str) -> None:
    limit = calls(kind, 1, "x")
    assert [bound.subject for bound in bounds([limit], Requester(name="x", kind=kind))] == [subject]
