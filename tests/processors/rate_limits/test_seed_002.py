"""The vendor's page on rate limits, sentence by sentence: what it says stands above the test that holds us to it.

People, groups and limits are made through the control plane, as a client makes them; who asks is counted in the
endpoint's windows, as `serve` counts them.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from contract import limits
from contract.records import Requester
from contract.refusals import Refusal
from contract.state import USERS
from processors.rate_limits.admission import EndpointWindows, Taken
from tests.ingress.world import CHAT, USER_TOKEN
from tests.ingress.world import World as Ingress
from tests.processors.control.world import ADMIN, World

ROBOT = "01234567-89ab-cdef-0123-456789abcdef"
ANN, BOB, EVE = (f"{name}@example.com" for name in ("ann", "bob", "eve"))
ENDPOINTS = "/api/2.0/serving-endpoints"
QUERY = "/serving-endpoints/chat/invocations"


def limit(key: str, principal: str | None = None, **more: Any) -> dict[str, Any]:
    """A limit as a client writes it: `calls` or `tokens` among `more`."""
    named = {} if principal is None else {"principal": principal}
    return {"key": key, "renewal_period": "minute"} | named | more


class Office:
    """Ann, Bob, Eve and a robot, an endpoint `chat`, and a clock."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.world = World()
        for name in (ANN, BOB, EVE):
            self.world.do("user.create", {"user_name": name}, by=ADMIN)
        robot = {"display_name": "Robot", "application_id": ROBOT}
        self.world.do("service_principal.create", robot, by=ADMIN)
        self.windows: dict[str, EndpointWindows] = {}
        self.offsets = itertools.count()
        self.now_ms = 0
        self.endpoint("chat", *rows)

    def endpoint(self, name: str, *rows: dict[str, Any]) -> None:
        self.world.create(name, by=ADMIN)
        self.windows[name] = EndpointWindows(name)
        if rows:
            self.put(*rows, endpoint=name)

    def put(self, *rows: dict[str, Any], endpoint: str = "chat") -> None:
        self.world.do("endpoint.put_ai_gateway", {"rate_limits": list(rows)}, target=endpoint, by=ADMIN)

    def refusal_of(self, rows: Sequence[dict[str, Any]]) -> tuple[int, str, str]:
        return self.world.refused("endpoint.put_ai_gateway", {"rate_limits": list(rows)}, target="chat", by=ADMIN)

    def group(self, name: str, *members: str) -> str:
        """A group of people; its id, by which it can be another one's member."""
        ids = [known.id if (known := self.world.view.principals.get(one)) else one for one in members]
        made: str = self.world.do("group.create", {"display_name": name, "members": ids}, by=ADMIN)["id"]
        return made

    def admit(self, name: str, tokens: int = 0, endpoint: str = "chat") -> Taken | Refusal:
        view, windows = self.world.view, self.windows[endpoint]
        groups = (*view.memberships(name), USERS)
        requester = Requester(name=name, kind=view.principals[name].kind, groups=groups)
        gateway = view.endpoints[endpoint].ai_gateway
        kept = (gateway and gateway.rate_limits) or ()
        return windows.admit(kept, requester, offset=next(self.offsets), at_ms=self.now_ms, tokens=tokens)

    def ask(self, *names: str, endpoint: str = "chat") -> list[int]:
        """Who asks, one after the other; their statuses."""
        asked = [self.admit(name, endpoint=endpoint) for name in names]
        return [one.status if isinstance(one, Refusal) else 200 for one in asked]

    def let_in(self, *names: str, upto: int = 50) -> int:
        """How often these people, taking turns, are let in of so many times."""
        return sum(self.ask(names[n % len(names)]) == [200] for n in range(upto))


# "manage and set how many queries per minute the endpoint can receive, as a whole and from each user"
def test_the_endpoint_as_a_whole_and_each_user_have_so_many_calls_a_minute() -> None:
    office = Office(limit("endpoint", calls=5), limit("user", calls=3))
    assert (office.let_in(ANN), office.let_in(BOB), office.let_in(EVE)) == (3, 2, 0)
    office.now_ms = 61_000
    assert (office.let_in(ANN), office.let_in(BOB), office.let_in(EVE)) == (3, 2, 0)


# "limits apply only to users who may query the endpoint"
async def test_who_may_not_query_is_refused_before_anything_is_counted() -> None:
    ingress = Ingress()
    await ingress.post(ENDPOINTS, CHAT)
    closed = {"rate_limits": [limit("user", calls=0)]}
    assert (await ingress.call("PUT", f"{ENDPOINTS}/chat/ai-gateway", json=closed)).status_code == 200
    assert (await ingress.post(QUERY, {"messages": []}, USER_TOKEN)).status_code == 403
    assert ingress.queries() == []
    assert (await ingress.post(QUERY, {"messages": []})).status_code == 200 and len(ingress.queries()) == 1


# "Endpoint: the most queries per minute that the whole endpoint handles, for all traffic whoever the user is"
def test_the_endpoints_limit_counts_everybody() -> None:
    office = Office(limit("endpoint", calls=4))
    assert office.ask(ANN, BOB, ROBOT, ADMIN, EVE) == [200, 200, 200, 200, 429]


def test_a_limit_without_a_key_is_the_endpoints() -> None:
    office = Office({"calls": 1, "renewal_period": "minute"})
    assert office.ask(ANN, BOB) == [200, 429]


# "User (default): for all users of the endpoint, unless there is a more specific one"
def test_the_default_gives_every_user_a_minute_of_their_own() -> None:
    office = Office(limit("user", calls=2))
    assert [office.let_in(name) for name in (ANN, BOB, ROBOT)] == [2, 2, 2]


# "individual users or service principals: they take priority over limits for user groups"
@pytest.mark.parametrize(("key", "name"), [("user", ANN), ("service_principal", ROBOT)])
@pytest.mark.parametrize("own", [1, 9])
def test_ones_own_limit_beats_ones_groups_be_it_lower_or_higher(key: str, name: str, own: int) -> None:
    office = Office(limit("user_group", "team", calls=4), limit(key, name, calls=own))
    office.group("team", name, BOB)
    assert (office.let_in(name), office.let_in(BOB)) == (own, 4)


def test_a_service_principals_limit_is_not_a_users_of_the_same_name() -> None:
    office = Office(limit("user", ROBOT, calls=1), limit("service_principal", ANN, calls=1))
    assert (office.let_in(ROBOT), office.let_in(ANN)) == (50, 50)


# "user groups: this is one limit, shared by all members of the group"
def test_the_members_of_a_group_share_its_minute_and_nobody_else_is_bound_by_it() -> None:
    office = Office(limit("user_group", "team", calls=5))
    office.group("team", ANN, BOB)
    assert (office.let_in(ANN, BOB), office.let_in(EVE)) == (5, 50)


def test_members_of_a_group_within_the_group_share_it_too() -> None:
    office = Office(limit("user_group", "company", calls=5))
    office.group("company", ANN, office.group("team", BOB))
    assert (office.let_in(ANN, BOB), office.let_in(EVE)) == (5, 50)


def test_a_group_keeps_its_limit_under_a_new_name() -> None:
    office = Office(limit("user_group", "team", calls=5))
    group_id = office.group("team", ANN, BOB)
    office.world.do("group.change", {"display_name": "crew"}, target=group_id, by=ADMIN)
    assert (office.let_in(ANN, BOB), office.let_in(EVE)) == (5, 50)


def test_a_limit_that_named_a_group_or_user_binds_nobody_who_gets_the_name_later() -> None:
    office = Office(limit("user_group", "team", calls=1), limit("user", BOB, calls=1), limit("user", calls=7))
    group_id = office.group("team", ANN)
    assert (office.let_in(ANN), office.let_in(BOB)) == (1, 1)
    office.world.do("group.delete", target=group_id, by=ADMIN)
    bob = office.world.view.principals[BOB]
    office.world.do("principal.delete", {"kind": "user"}, target=bob.id, by=ADMIN)
    office.group("team", ANN)
    office.world.do("user.create", {"user_name": BOB}, by=ADMIN)
    office.now_ms = 61_000
    assert (office.let_in(ANN), office.let_in(BOB)) == (7, 7)


# "by default no limits are configured for users or for the endpoint"
def test_an_endpoint_starts_without_limits() -> None:
    office = Office()
    assert office.world.view.endpoints["chat"].ai_gateway is None
    assert office.let_in(ANN, upto=500) == 500


# "no more than 20 limits on an endpoint, and up to 5 of them for groups"
@pytest.mark.parametrize(("key", "most"), [("user", limits.RATE_LIMITS), ("user_group", limits.GROUP_RATE_LIMITS)])
def test_an_endpoint_takes_so_many_limits_and_not_one_more(key: str, most: int) -> None:
    office = Office()
    rows = [limit(key, f"n{n}@example.com", calls=1) for n in range(most + 1)]
    office.put(*rows[:most])
    status, code, message = office.refusal_of(rows)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE") and f"at most {most}" in message
    assert len(office.world.view.endpoints["chat"].ai_gateway.rate_limits) == most  # type: ignore[union-attr, arg-type]
    assert (limits.RATE_LIMITS, limits.GROUP_RATE_LIMITS) == (20, 5)


# "the endpoint's limit is a global maximum: beyond it all are blocked, whatever the user's or group's limit"
def test_beyond_the_endpoints_maximum_nobody_is_let_in_whatever_they_have_left() -> None:
    office = Office(
        limit("endpoint", calls=3),
        limit("user", ANN, calls=10),
        limit("user_group", "team", calls=10),
        limit("service_principal", ROBOT, calls=10),
    )
    office.group("team", BOB)
    assert office.let_in(EVE) == 3
    assert office.ask(ANN, BOB, ROBOT, EVE) == [429] * 4


# "custom limits override the user's default"
def test_a_limit_for_a_user_or_their_group_stands_in_place_of_the_default() -> None:
    office = Office(limit("user", calls=2), limit("user", ANN, calls=6), limit("user_group", "team", calls=4))
    office.group("team", BOB)
    assert [office.let_in(name) for name in (ANN, BOB, EVE)] == [6, 4, 2]


# "who is under a limit for users and one for groups is held to the one for users"
def test_what_a_user_with_their_own_limit_asks_does_not_count_for_their_group() -> None:
    office = Office(limit("user_group", "team", calls=2), limit("user", ANN, calls=5))
    office.group("team", ANN, BOB)
    assert (office.let_in(ANN), office.let_in(BOB)) == (5, 2)


# "who is in several groups with limits is held to the least restrictive, the highest"
@pytest.mark.parametrize("order", [("small", "large"), ("large", "small")])
def test_of_several_groups_the_highest_limit_counts(order: tuple[str, str]) -> None:
    ceilings = {"small": 2, "large": 6}
    office = Office(*(limit("user_group", name, calls=ceilings[name]) for name in order))
    office.group("small", ANN, BOB)
    office.group("large", ANN)
    assert (office.let_in(ANN), office.let_in(BOB)) == (6, 2)


# "updates to rate limits may take up to 60 seconds": here the next call is held to them
def test_changed_and_removed_limits_hold_for_the_next_call_and_so_does_a_changed_membership() -> None:
    office = Office(limit("user", calls=2))
    assert office.let_in(ANN) == 2
    office.put(limit("user", calls=5))
    assert office.let_in(ANN) == 3
    office.put(limit("user", calls=1), limit("user_group", "team", calls=4))
    assert office.let_in(ANN) == 0
    group_id = office.group("team", ANN)
    assert office.let_in(ANN) == 4
    office.world.do("group.change", {"steps": [{"op": "replace", "ids": []}]}, target=group_id, by=ADMIN)
    assert office.let_in(ANN) == 0
    office.put()
    assert office.let_in(ANN) == 50


def test_each_endpoint_counts_for_itself() -> None:
    office = Office(limit("user", calls=1))
    office.endpoint("other", limit("user", calls=1))
    assert office.ask(ANN, ANN) == [200, 429]
    assert office.ask(ANN, ANN, endpoint="other") == [200, 429]


@pytest.mark.parametrize("ceilings", [{}, {"calls": 1, "tokens": 1}])
def test_a_limit_is_of_calls_or_of_tokens_and_not_of_both(ceilings: dict[str, int]) -> None:
    status, code, message = Office().refusal_of([limit("endpoint") | ceilings])
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE") and message.startswith("rate_limits[0]")


def test_two_limits_make_calls_and_tokens_whichever_is_full_first() -> None:
    office = Office(limit("user", calls=2), limit("user", tokens=100))
    kinds = [type(office.admit(ANN, tokens)) for tokens in (10, 10, 10)]
    assert kinds == [Taken, Taken, Refusal]
    assert [type(office.admit(BOB, tokens)) for tokens in (90, 20, 10)] == [Taken, Refusal, Taken]


@pytest.mark.parametrize("period", ["hour", "day", "second", "MINUTE", None])
def test_a_limit_is_renewed_by_the_minute_and_by_nothing_else(period: str | None) -> None:
    row = {"calls": 1} if period is None else {"calls": 1, "renewal_period": period}
    status, _, message = Office().refusal_of([row])
    assert status == 400 and "renewal_period" in message


def test_tokens_are_reserved_when_a_call_begins_and_corrected_when_it_ends() -> None:
    office = Office(limit("user_group", "team", tokens=100))
    office.group("team", ANN, BOB)
    first = office.admit(ANN, tokens=80)
    assert isinstance(first, Taken) and isinstance(office.admit(BOB, tokens=30), Refusal)
    office.windows["chat"].settle(first.bookings, 40)
    assert isinstance(office.admit(BOB, tokens=60), Taken) and isinstance(office.admit(BOB, tokens=1), Refusal)


@pytest.mark.parametrize(
    ("row", "name", "unit", "subject"),
    [
        (limit("endpoint", calls=0), ANN, "Requests-per-minute (RPM)", "endpoint"),
        (limit("user", calls=0), ANN, "Requests-per-minute (RPM)", "user"),
        (limit("user", ANN, tokens=0), ANN, "Tokens-per-minute (TPM)", "user"),
        (limit("user_group", "team", tokens=0), ANN, "Tokens-per-minute (TPM)", "user group"),
        (limit("service_principal", ROBOT, calls=0), ROBOT, "Requests-per-minute (RPM)", "service principal"),
    ],
)
def test_the_refusal_has_the_vendors_words(row: dict[str, Any], name: str, unit: str, subject: str) -> None:
    office = Office(row)
    office.group("team", ANN)
    refused = office.admit(name, tokens=1)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.error_code) == (429, "REQUEST_LIMIT_EXCEEDED")
    text = f"User defined rate limit(s) exceeded for 'chat'. {unit} rate limit exceeded for {subject}"
    assert refused.message == text
