"""Whatever admins do to groups, one after the other: nothing contains itself, nothing names what is gone."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contract import state
from contract.state import View
from processors.control.base import Decision
from tests.processors.control.world import ADMIN, OWNER, World

NAMES = ("a", "b", "c", "d")
Names = st.sampled_from(NAMES)
Members = st.lists(st.sampled_from((*NAMES, OWNER, ADMIN, "admins")), max_size=3)
Steps = st.one_of(
    st.tuples(st.just("create"), Names, Members),
    st.tuples(st.just("add"), st.sampled_from((*NAMES, "admins")), Members),
    st.tuples(st.just("remove"), st.sampled_from((*NAMES, "admins")), Members),
    st.tuples(st.just("rename"), Names, Names),
    st.tuples(st.just("delete"), Names, st.none()),
    st.just(("grant", "", None)),
)


class Office:
    """A world whose records are kept as the compacted topic keeps them."""

    def __init__(self) -> None:
        self.world = World()
        self.records: dict[str, bytes] = {}
        self.world.do("scope.create", {"scope": "s"}, by=ADMIN)
        self.world.create(by=ADMIN)
        self.try_("bootstrap.admin", {"name": ADMIN, "hash": "c" * 64})
        for name, members in (("a", [OWNER]), ("b", ["a"])):
            self.take(("create", name, members))

    @property
    def view(self) -> View:
        return self.world.view

    def ids(self, names: list[str]) -> list[str]:
        known: dict[str, Any] = {**self.view.groups, **self.view.principals}
        return [known[name].id for name in names if name in known]

    def try_(self, action: str, body: Any = None, target: str = "") -> None:
        decision = self.world.decide(action, body, target=target, by=ADMIN)
        for key, value in decision.changes if isinstance(decision, Decision) else ():
            self.view.fold(key, value, self.view.offset + 1)
            self.records.pop(key, None)
            if value is not None:
                self.records[key] = value

    def take(self, step: tuple[str, str, Any]) -> None:
        op, name, more = step
        target = (self.ids([name]) or ["none"])[0]
        match op:
            case "create":
                self.try_("group.create", {"display_name": name, "members": self.ids(more)})
            case "add" | "remove":
                self.try_("group.change", {"steps": [{"op": op, "ids": self.ids(more)}]}, target)
            case "rename":
                self.try_("group.change", {"display_name": more}, target)
            case "delete":
                self.try_("group.delete", target=target)
            case "grant":
                self.grant([name for name in self.view.groups if name in NAMES])

    def grant(self, names: list[str]) -> None:
        """Name these groups wherever a group can be named."""
        for name in names:
            self.try_("scope.put_acl", {"scope": "s", "principal": name, "permission": "READ"})
        limits = [
            {"calls": 1, "key": "user_group", "principal": name, "renewal_period": "minute"} for name in sorted(names)
        ]
        self.try_("endpoint.put_ai_gateway", {"rate_limits": limits}, "chat")
        rows = [{"group_name": name, "permission_level": "CAN_USE"} for name in names]
        self.try_("token_permission.patch", {"access_control_list": rows})
        rows = [{"group_name": name, "permission_level": "CAN_QUERY"} for name in names]
        self.try_("permission.put", {"access_control_list": rows}, self.view.endpoints["chat"].id)


def named_groups(view: View) -> set[str]:
    """Every group that something names."""
    subjects = [member for one in view.groups.values() for member in one.members]
    subjects += [subject for scope in view.scopes.values() for subject in scope.grants]
    subjects += [subject for said in view.authorizations.values() for subject in said.levels]
    subjects += [subject for permission in view.permissions.values() for subject in permission.levels]
    gateway = view.endpoints["chat"].ai_gateway
    limited = {limit.principal or "" for limit in (gateway and gateway.rate_limits) or ()}
    return limited | {name for subject in subjects if (name := state.group_named(subject)) is not None}


@settings(max_examples=200)
@given(steps=st.lists(Steps, max_size=14))
def test_nothing_contains_itself_or_names_what_is_gone_and_an_admin_is_left(steps: list[tuple[str, str, Any]]) -> None:
    office = Office()
    for step in steps:
        office.take(step)
    view = office.view
    assert all(name not in view.memberships(state.group(name)) for name in view.groups)
    assert named_groups(view) <= {*view.groups, "users"}
    assert len({one.id for one in view.groups.values()}) == len(view.groups)
    assert view.is_admin(ADMIN)


@settings(max_examples=100)
@given(steps=st.lists(Steps, max_size=14))
def test_a_view_made_from_what_the_topic_keeps_says_the_same(steps: list[tuple[str, str, Any]]) -> None:
    office = Office()
    for step in steps:
        office.take(step)
    again = View()
    for offset, (key, value) in enumerate(office.records.items()):
        again.fold(key, value, offset)
    for member in (OWNER, ADMIN, *map(state.group, NAMES)):
        assert set(again.memberships(member)) == set(office.view.memberships(member))
