"""Groups: made, changed member by member, renamed, gone. For admins."""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from contract import codec, refusals, scim, state
from contract.records import Command
from contract.refusals import Refusal
from contract.state import ADMINS, USERS, Group, View
from processors.control import base
from processors.control.base import Change, Decision, Facts
from processors.control.departures import everything_moved

NAME = re.compile(r"[^\s/\x00-\x1f](?:[^/\x00-\x1f]{0,253}[^\s/\x00-\x1f])?")
BUILT_IN = (ADMINS, USERS)


class MemberStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step on the members, people and groups, who are given by their ids."""

    op: Literal["add", "remove", "replace"]
    ids: tuple[str, ...] = ()


class GroupAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A group to make; members by id."""

    display_name: str
    members: tuple[str, ...] = ()


class GroupChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of the group whose id is the command's target: its name unless None, its members step by step."""

    display_name: str | None = None
    steps: tuple[MemberStep, ...] = ()


def create(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `GroupAsked`. Answers the group over SCIM, 201."""
    asked = base.asked(GroupAsked, command)
    if isinstance(asked, Refusal):
        return asked
    refusal = base.not_admin(command, view) or _bad_name(asked.display_name, view)
    if refusal is not None:
        return refusal
    members = _members((), (MemberStep(op="add", ids=asked.members),), view)
    if isinstance(members, Refusal):
        return members
    made = Group(id=base.number(facts), name=asked.display_name, members=members)
    answer = base.answer(scim.group(view, made), (state.key("group", made.name), codec.encode(made)))
    return msgspec.structs.replace(answer, status=201)


def _bad_name(name: str, view: View, own_id: str = "") -> Refusal | None:
    if not NAME.fullmatch(name):
        return refusals.invalid("displayName: must have 1 to 255 characters, no '/', no space at its ends")
    folded = name.casefold()
    # one's own id under the new name: a worker that died in the middle of a renaming left it there
    taken = any(known.casefold() == folded and one.id != own_id for known, one in view.groups.items())
    if folded in BUILT_IN or taken:
        return refusals.already_exists(f"Group {name}")
    return None


def _members(before: Sequence[str], steps: Sequence[MemberStep], view: View) -> tuple[str, ...] | Refusal:
    """The members after `steps`, by name; 400 names an id that nobody has. Removing who is no member is fine."""
    names = {one.id: one.name for one in view.principals.values()}
    names |= {one.id: state.group(one.name) for one in view.groups.values()}
    members = dict.fromkeys(before)
    for step in steps:
        unknown = None if step.op == "remove" else next((one for one in step.ids if one not in names), None)
        if unknown is not None:
            return refusals.invalid(f"members: no user, service principal or group has the id '{unknown}'")
        touched = dict.fromkeys(names[one] for one in step.ids if one in names)
        match step.op:
            case "add":
                members |= touched
            case "replace":
                members = touched
            case "remove":
                members = {name: None for name in members if name not in touched}
    if state.group(USERS) in members:
        return refusals.invalid(f"members: '{USERS}' is everybody and cannot be in a group")
    return tuple(members)


def _found(command: Command, view: View) -> Group | Refusal:
    refusal = base.not_admin(command, view)
    if refusal is not None:
        return refusal
    found = next((one for one in view.groups.values() if one.id == command.target), None)
    return found or refusals.unknown_resource(f"Group with id {command.target}")


def change(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `GroupChange`. Answers the group over SCIM."""
    asked = base.asked(GroupChange, command)
    if isinstance(asked, Refusal):
        return asked
    found = _found(command, view)
    if isinstance(found, Refusal):
        return found
    name = found.name if asked.display_name is None else asked.display_name
    members = _members(found.members, asked.steps, view)
    if isinstance(members, Refusal):
        return members
    changed = msgspec.structs.replace(found, name=name, members=members)
    return _not_so(found, changed, view) or _changed(found, changed, view, facts)


def _not_so(found: Group, changed: Group, view: View) -> Refusal | None:
    if found.name in BUILT_IN and changed.name != found.name:
        return refusals.invalid(f"displayName: the group '{found.name}' keeps its name")
    if found.name == USERS and changed.members:
        return refusals.invalid(f"members: everybody is in '{USERS}' already")
    refusal = _in_itself(found, changed, view) or _ungoverned(found, changed.members, view)
    if refusal is not None:
        return refusal
    if changed.name.casefold() != found.name.casefold():
        return _bad_name(changed.name, view, found.id)
    return None if NAME.fullmatch(changed.name) else _bad_name(changed.name, view)


def _in_itself(found: Group, changed: Group, view: View) -> Refusal | None:
    """400 when a group that `found` lists from now on contains `found`, or is it."""
    above = {state.group(name) for name in (found.name, *view.memberships(state.group(found.name)))}
    inside = next((state.group_named(member) for member in changed.members if member in above), None)
    if inside is None:
        return None
    how = "a group cannot be in itself" if inside == found.name else f"'{found.name}' is in '{inside}' already"
    return refusals.invalid(f"members: the group '{inside}' cannot be in '{found.name}': {how}")


def _ungoverned(found: Group, members: Sequence[str], view: View) -> Refusal | None:
    """400 when no active admin would be left once `found` has these members."""
    if ADMINS not in (found.name, *view.memberships(state.group(found.name))):
        return None
    listed = {name: one.members for name, one in view.groups.items()} | {found.name: members}
    # whoever is in it, by whatever way
    inside = state.reached(listed.get(ADMINS, ()), lambda member: listed.get(state.group_named(member) or "", ()))
    if any(one.active and (one.admin or one.name in inside) for one in view.principals.values()):
        return None
    return refusals.invalid(f"members: '{ADMINS}' must keep an active member")


def _changed(found: Group, changed: Group, view: View, facts: Facts) -> Decision:
    """The new name comes first and the old one goes last: nobody is without their groups in between."""
    kept, gone = (state.key("group", changed.name), codec.encode(changed)), (state.key("group", found.name), None)
    changes: tuple[Change, ...] = (kept,)
    if changed.name != found.name:
        subjects = state.group(found.name), state.group(changed.name)
        changes = (kept, *everything_moved(view, *subjects, facts.now_ms), gone)
    return base.answer(scim.group(view, changed, found.name), *changes)


def delete(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """No body. Its memberships, grants and limits go, too. Answers `{}`."""
    found = _found(command, view)
    if isinstance(found, Refusal):
        return found
    if found.name in BUILT_IN:
        return refusals.invalid(f"id: the group '{found.name}' cannot be deleted")
    moved = everything_moved(view, state.group(found.name), None, facts.now_ms)
    # the group comes last: a worker that dies on the way leaves it there, and the same command again completes it
    changes = (*moved, (state.key("group", found.name), None))
    return _ungoverned(found, (), view) or Decision(changes=changes)
