"""What follows a new name, and what goes with its owner: memberships, grants, rate limits, on every endpoint."""

from typing import Any

import pytest

from contract.endpoint import AiGateway
from contract.state import group
from tests.processors.control.world import ADMIN, OWNER, World

ROBOT = "01234567-89ab-cdef-0123-456789abcdef"


def limit(key: str, principal: str | None = None, **ceiling: int) -> dict[str, Any]:
    row: dict[str, Any] = {"key": key, "renewal_period": "minute"} | (ceiling or {"calls": 3})
    return row if principal is None else row | {"principal": principal}


def with_group(*limits: dict[str, Any]) -> tuple[World, str]:
    """A group `staff` of the owner's, and an endpoint with these limits."""
    world = World()
    group_id = world.do("group.create", {"display_name": "staff", "members": ["2"]}, by=ADMIN)["id"]
    world.create(ai_gateway={"rate_limits": list(limits)} if limits else None)
    return world, group_id


def rename(world: World, group_id: str, name: str = "crew") -> Any:
    return world.do("group.change", {"display_name": name}, target=group_id, by=ADMIN)


def named(world: World) -> list[tuple[str, str | None, int | None, int | None]]:
    gateway = world.view.endpoints["chat"].ai_gateway
    limits = (gateway and gateway.rate_limits) or ()
    return [(one.key, one.principal, one.calls, one.tokens) for one in limits]


def test_limits_follow_a_groups_new_name_in_their_places_and_no_others_change() -> None:
    others = [limit("user", "staff@example.com"), limit("endpoint")]
    world, group_id = with_group(limit("user_group", "staff"), *others, limit("user_group", "staff", tokens=9))
    world.now_ms += 60_000
    before = world.view.endpoints["chat"]
    rename(world, group_id)
    assert named(world) == [
        ("user_group", "crew", 3, None),
        ("user", "staff@example.com", 3, None),
        ("endpoint", None, 3, None),
        ("user_group", "crew", None, 9),
    ]
    assert world.view.endpoints["chat"].updated_at_ms > before.updated_at_ms


def test_a_limit_that_waited_for_the_new_name_gives_way_to_the_one_that_held() -> None:
    world, group_id = with_group(limit("user_group", "crew", calls=1), limit("user_group", "staff", calls=7))
    rename(world, group_id)
    assert named(world) == [("user_group", "crew", 7, None)]


def test_only_endpoints_that_name_the_group_are_written() -> None:
    world, group_id = with_group(limit("user_group", "others"))
    before = world.view.endpoints["chat"]
    rename(world, group_id)
    assert world.view.endpoints["chat"] is before


def test_a_group_within_groups_keeps_its_place_in_them_under_its_new_name() -> None:
    world, group_id = with_group()
    outer = world.do("group.create", {"display_name": "all", "members": ["1", group_id]}, by=ADMIN)
    shown = rename(world, group_id)
    assert [one["display"] for one in shown["groups"]] == ["all"]
    assert standing(world) == ((ADMIN, "group:crew"), ("crew", "all"))
    world.do("group.delete", target=group_id, by=ADMIN)
    assert standing(world) == ((ADMIN,), ())
    assert world.view.groups["all"].id == outer["id"]


def standing(world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who is in `all`, and what the owner is in."""
    return world.view.groups["all"].members, world.view.memberships(OWNER)


def test_at_no_moment_of_a_renaming_is_a_member_without_the_groups_rights() -> None:
    world, group_id = with_group()
    world.do("group.create", {"display_name": "all", "members": [group_id]}, by=ADMIN)
    world.do("scope.create", {"scope": "s"}, by=ADMIN)
    for principal in ("staff", "all"):
        world.do("scope.put_acl", {"scope": "s", "principal": principal, "permission": "READ"}, by=ADMIN)
    decision: Any = world.decide("group.change", {"display_name": "crew"}, target=group_id, by=ADMIN)
    for key, value in decision.changes:
        world.view.fold(key, value, world.view.offset + 1)
        assert world.view.scope_level(world.view.scopes["s"], OWNER) > 0, key
        assert "all" in world.view.memberships(OWNER), key


@pytest.mark.parametrize("written", range(5))
def test_a_renaming_that_broke_off_is_completed_by_the_same_command_again(written: int) -> None:
    world, group_id = with_group(limit("user_group", "staff"))
    world.do("group.create", {"display_name": "all", "members": [group_id]}, by=ADMIN)
    decision: Any = world.decide("group.change", {"display_name": "crew"}, target=group_id, by=ADMIN)
    for key, value in decision.changes[:written]:
        world.view.fold(key, value, world.view.offset + 1)
    rename(world, group_id)
    assert sorted(world.view.groups) == ["all", "crew"] and named(world) == [("user_group", "crew", 3, None)]
    assert world.view.memberships(OWNER) == ("crew", "all")


@pytest.mark.parametrize("written", range(5))
@pytest.mark.parametrize("leaves", ["group", "principal"])
def test_a_departure_that_broke_off_is_completed_by_the_same_command_again(leaves: str, written: int) -> None:
    world, group_id = with_group(limit("user_group", "staff"), limit("user", OWNER))
    world.do("scope.create", {"scope": "s"}, by=ADMIN)
    for principal in ("staff", OWNER):
        world.do("scope.put_acl", {"scope": "s", "principal": principal, "permission": "READ"}, by=ADMIN)
    world.do("token.create", {"token_id": "t", "hash": "a" * 64})
    target, subject = (group_id, "group:staff") if leaves == "group" else ("2", OWNER)
    decision: Any = world.decide(f"{leaves}.delete", {"kind": "user"}, target=target, by=ADMIN)
    for key, value in decision.changes[:written]:
        world.view.fold(key, value, world.view.offset + 1)
    if written < len(decision.changes):
        world.do(f"{leaves}.delete", {"kind": "user"}, target=target, by=ADMIN)
    assert subject not in world.view.scopes["s"].grants and len(named(world)) == 1
    assert subject not in world.view.principals and subject not in map(group, world.view.groups)


def test_limits_go_with_the_group_they_name_and_bind_no_later_one() -> None:
    world, group_id = with_group(limit("user_group", "staff"), limit("endpoint"))
    world.do("group.delete", target=group_id, by=ADMIN)
    assert named(world) == [("endpoint", None, 3, None)]


def test_a_gateway_that_held_nothing_but_such_a_limit_is_gone_with_it_and_one_with_more_stays() -> None:
    world, group_id = with_group(limit("user_group", "staff"))
    tracking = {"usage_tracking_config": {"enabled": True}, "rate_limits": [limit("user_group", "staff")]}
    world.create("other", ai_gateway=tracking)
    world.do("group.delete", target=group_id, by=ADMIN)
    assert world.view.endpoints["chat"].ai_gateway is None
    kept = world.view.endpoints["other"].ai_gateway
    assert isinstance(kept, AiGateway) and kept.rate_limits is None and kept.usage_tracking_config is not None


@pytest.mark.parametrize(("kind", "name"), [("user", OWNER), ("service_principal", ROBOT)])
def test_limits_go_with_the_user_or_service_principal_they_name(kind: str, name: str) -> None:
    world = World()
    world.do("service_principal.create", {"display_name": "Robot", "application_id": ROBOT}, by=ADMIN)
    world.create(by=ADMIN, ai_gateway={"rate_limits": [limit(kind, name), limit("user")]})
    one = world.view.principals[name]
    world.do("principal.delete", {"kind": kind}, target=one.id, by=ADMIN)
    assert named(world) == [("user", None, 3, None)]
