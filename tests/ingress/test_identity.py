"""Identity: a token stands for somebody until it expires, wherever it was made."""

import pytest

from contract import codec, state
from contract.records import Requester
from contract.refusals import Refusal
from contract.state import Group, Principal, Token, View
from ingress.identity import Identity, lookup, token_hash
from tests.ingress.world import Known


def written(
    view: View, *, expires_at_ms: int = -1, active: bool = True, owner: bool = True, admin: bool = True
) -> None:
    token = Token(token_id="t", hash=token_hash("dapi1"), owner="u@x", created_at_ms=0, expires_at_ms=expires_at_ms)
    view.fold(state.key("token", token.hash), codec.encode(token), 0)
    if owner:
        principal = Principal(id="1", name="u@x", display_name="U", active=active, admin=admin)
        view.fold(state.key("principal", "u@x"), codec.encode(principal), 1)


async def asked(known: Known, token: str | None = "dapi1", now_ms: int = 1000) -> Requester | Refusal:
    return await Identity(known, lambda: now_ms).requester(token)


async def test_a_known_token_stands_for_its_owner_with_groups_and_without_a_look_at_the_broker() -> None:
    known = Known()
    written(known.view)
    group = Group(id="g", name="staff", members=("u@x",))
    known.view.fold("group/staff", codec.encode(group), 2)
    assert await asked(known) == Requester(name="u@x", groups=("staff", "users"), admin=True)
    assert known.looks == 0


async def test_a_group_that_contains_ones_group_is_ones_own_too() -> None:
    known = Known()
    written(known.view)
    for name, member in (("staff", "u@x"), ("all", "group:staff")):
        group = Group(id=name, name=name, members=(member,))
        known.view.fold(f"group/{name}", codec.encode(group), 2)
    found = await asked(known)
    assert isinstance(found, Requester) and found.groups == ("staff", "all", "users")


async def test_no_token_is_401() -> None:
    found = await asked(Known(), None)
    assert isinstance(found, Refusal) and (found.status, found.error_code) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(("now_ms", "good"), [(1999, True), (2000, False), (2001, False)])
def test_a_token_is_good_until_the_millisecond_it_expires(now_ms: int, good: bool) -> None:
    view = View()
    written(view, expires_at_ms=2000)
    assert isinstance(lookup(view, token_hash("dapi1"), now_ms), Requester) is good


def test_a_token_whose_owner_is_gone_or_inactive_is_401() -> None:
    for facts in ({"active": False}, {"owner": False}):
        view = View()
        written(view, **facts)
        found = lookup(view, token_hash("dapi1"), 0)
        assert isinstance(found, Refusal) and found.status == 401


def test_a_token_whose_owner_may_not_use_tokens_is_403_and_works_again_when_they_may() -> None:
    view = View()
    written(view, admin=False)
    statuses = []
    for levels in ({}, {"u@x": "CAN_USE"}, {"group:staff": "CAN_USE"}, {"group:users": "CAN_USE"}):
        view.fold("authorization/tokens", codec.encode({"name": "tokens", "levels": levels}), 2)
        found = lookup(view, token_hash("dapi1"), 0)
        statuses.append(found.status if isinstance(found, Refusal) else 200)
    assert statuses == [403, 200, 403, 200]


async def test_a_token_unknown_here_is_looked_for_once_more_at_the_end_of_the_topic() -> None:
    known = Known()
    known.elsewhere = lambda: written(known.view)
    assert isinstance(await asked(known), Requester)
    assert known.looks == 1


async def test_a_token_that_is_not_there_either_is_401() -> None:
    found = await asked(Known())
    assert isinstance(found, Refusal) and found.status == 401


@pytest.mark.parametrize("trouble", ["reachable", "ready"])
async def test_an_unknown_token_is_503_while_nobody_can_say_whether_it_is_good(trouble: str) -> None:
    known = Known()
    setattr(known, trouble, False)
    found = await asked(known)
    assert isinstance(found, Refusal) and found.status == 503


async def test_what_is_looked_up_is_the_hash() -> None:
    known = Known()
    written(known.view)
    found = await asked(known, token_hash("dapi1"))
    assert isinstance(found, Refusal) and found.status == 401
