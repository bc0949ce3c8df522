"""The view: who is in which group follows every change, and grants are looked up through it."""

from hypothesis import given
from hypothesis import strategies as st

from contract import codec
from contract.state import Group, Principal, SecretScope, View, group

NAMES = st.sampled_from("abcd")
CHANGES = st.lists(st.tuples(NAMES, st.none() | st.lists(NAMES, max_size=4)), max_size=12)


def folded(changes: list[tuple[str, list[str] | None]]) -> View:
    view = View()
    for offset, (name, members) in enumerate(changes):
        one = None if members is None else Group(id=name, name=name, members=tuple(members))
        view.fold(f"group/{name}", None if one is None else codec.encode(one), offset)
    return view


@given(changes=CHANGES)
def test_groups_of_is_what_the_groups_say_whatever_came_before(changes: list[tuple[str, list[str] | None]]) -> None:
    view = folded(changes)
    said: dict[str, set[str]] = {}
    for one in view.groups.values():
        for member in one.members:
            said.setdefault(member, set()).add(one.name)
    assert {name: set(groups) for name, groups in view.groups_of.items()} == said
    assert all(len(groups) == len(set(groups)) for groups in view.groups_of.values())


@given(changes=st.lists(st.tuples(NAMES, st.none() | st.lists(NAMES | NAMES.map(group), max_size=4)), max_size=12))
def test_memberships_are_all_that_can_be_reached_whatever_came_before(
    changes: list[tuple[str, list[str] | None]],
) -> None:
    view = View()
    for offset, (name, members) in enumerate(changes):
        one = None if members is None else Group(id=name, name=name, members=tuple(members))
        view.fold(f"group/{name}", None if one is None else codec.encode(one), offset)
        view.memberships("a")  # what was worked out before a change must not stand after it
    for member in (*"abcd", *map(group, "abcd")):
        reached: set[str] = set()
        while (
            more := {g.name for g in view.groups.values() if {member, *map(group, reached)} & set(g.members)} - reached
        ):
            reached |= more
        assert set(view.memberships(member)) == reached
        assert len(view.memberships(member)) == len(reached)


def test_memberships_name_the_nearest_groups_first() -> None:
    view = folded([("top", ["group:mid"]), ("mid", ["group:low", "x"]), ("low", ["x"]), ("other", ["y"])])
    assert view.memberships("x") == ("mid", "low", "top")
    assert view.subjects("x") == ("x", "group:mid", "group:low", "group:top", "group:users")


def test_a_member_of_a_group_in_admins_is_an_admin() -> None:
    view = folded([("admins", ["group:operators"]), ("operators", ["x"])])
    view.fold("principal/x", codec.encode(Principal(id="1", name="x", display_name="x")), 9)
    assert view.is_admin("x")


def test_an_unreadable_group_changes_nothing() -> None:
    view = folded([("a", ["x"])])
    view.fold("group/a", b"{", 1)
    assert view.unreadable == 1 and view.groups_of == {"x": ("a",)}


def test_no_request_waits_for_a_token_or_a_decision() -> None:
    view = folded([("a", ["x"])])
    view.fold("token/x", None, 1)
    view.fold("decision/last", None, 2)
    assert (view.config_offset, view.offset, view.unreadable) == (0, 2, 0)


def test_an_admin_is_active_and_flagged_or_in_the_group() -> None:
    view = folded([("admins", ["member", "idle"])])
    for name, active, flag in (("member", True, False), ("idle", False, True), ("flagged", True, True)):
        one = Principal(id=name, name=name, display_name=name, active=active, admin=flag)
        view.fold(f"principal/{name}", codec.encode(one), 1)
    assert [view.is_admin(name) for name in ("member", "idle", "flagged", "nobody")] == [True, False, True, False]


def test_a_scope_written_before_there_were_lists_is_its_managers() -> None:
    old = codec.read(SecretScope, b'{"name":"s","manager":"m","created_at_ms":1,"v":1}')
    assert isinstance(old, SecretScope) and old.grants == {"m": "MANAGE"}
    everyones = SecretScope(name="s", manager="users", created_at_ms=1)
    assert View().scope_level(everyones, "anybody") == 3
