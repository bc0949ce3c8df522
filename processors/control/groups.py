"""Groups: made, changed member by member, renamed, gone. For admins."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from contract import codec, refusals, scim, state
from contract.records import Command
from contract.refusals import Refusal
from contract.state import ADMINS, USERS, Group, View
from processors.control import base
from processors.control.base import Change, Decision, Facts
from processors.control.departures import grants_moved

NAME = re.compile(r"[^\s/\x00-\x1f](?:[^/\x00-\x1f]{0,253}[^\s/\x00-\x1f])?")
BUILT_IN = (ADMINS, USERS)


class MemberStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step on the members, who are given by their ids."""

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
    return msgspec.structs.replace(_written(made, view), status=201)


def _bad_name(name: str, view: View) -> Refusal | None:
    if not NAME.fullmatch(name):
        return refusals.invalid("displayName: must have 1 to 255 characters, no '/', no space at its ends")
    folded = name.casefold()
    if folded in BUILT_IN or any(known.casefold() == folded for known in view.groups):
        return refusals.already_exists(f"Group {name}")
    return None


def _members(before: Sequence[str], steps: Sequence[MemberStep], view: View) -> tuple[str, ...] | Refusal:
    """The members after `steps`, by name; 400 names an id that nobody has. Removing who is no member is fine."""
    names = {one.id: one.name for one in view.principals.values()}
    members = dict.fromkeys(before)
    for step in steps:
        unknown = None if step.op == "remove" else next((one for one in step.ids if one not in names), None)
        if unknown is not None:
            return refusals.invalid(f"members: no user or service principal has the id '{unknown}'")
        touched = dict.fromkeys(names[one] for one in step.ids if one in names)
        match step.op:
            case "add":
                members |= touched
            case "replace":
                members = touched
            case "remove":
                members = {name: None for name in members if name not in touched}
    return tuple(members)


def _written(one: Group, view: View, *before: Change) -> Decision:
    return base.answer(scim.group(view, one), *before, (state.key("group", one.name), codec.encode(one)))


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
    return _not_so(found, changed, view) or _written(changed, view, *_renaming(found, name, view))


def _not_so(found: Group, changed: Group, view: View) -> Refusal | None:
    if found.name in BUILT_IN and changed.name != found.name:
        return refusals.invalid(f"displayName: the group '{found.name}' keeps its name")
    if found.name == USERS and changed.members:
        return refusals.invalid(f"members: everybody is in '{USERS}' already")
    if found.name == ADMINS and not _governed(changed, view):
        return refusals.invalid(f"members: '{ADMINS}' must keep an active member")
    if changed.name.casefold() != found.name.casefold():
        return _bad_name(changed.name, view)
    return None if NAME.fullmatch(changed.name) else _bad_name(changed.name, view)


def _governed(admins: Group, view: View) -> bool:
    return any(one.active and (one.admin or one.name in admins.members) for one in view.principals.values())


def _renaming(found: Group, name: str, view: View) -> Iterator[Change]:
    if name != found.name:
        yield state.key("group", found.name), None
        yield from grants_moved(view, state.group(found.name), state.group(name))


def delete(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """No body. Its grants go, too. Answers `{}`."""
    found = _found(command, view)
    if isinstance(found, Refusal):
        return found
    if found.name in BUILT_IN:
        return refusals.invalid(f"id: the group '{found.name}' cannot be deleted")
    gone = (state.key("group", found.name), None)
    return Decision(changes=(gone, *grants_moved(view, state.group(found.name), None)))
