"""Users, groups and service principals over SCIM: anybody known may read, admins write.

What goes into a command is what was understood, so that a password that some client sends stays out of the topic.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from contract import refusals
from contract import scim as shapes
from contract.records import Kind
from contract.refusals import Refusal
from contract.state import Group, Principal, View
from ingress import scim, wire
from ingress.commands import Commands
from ingress.edge import Call, Handler
from ingress.ports import State
from ingress.scim import Resource, Step
from ingress.wire import Answer

K = TypeVar("K", bound=Principal | Group)
IGNORED = frozenset({"userName", "emails", "name", "entitlements", "roles", "groups", "externalId", "schemas", "id"})
TRUTHS: Mapping[Any, bool] = {True: True, False: False, "true": True, "false": False, "True": True, "False": False}


class PersonName(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A user's name in its parts."""

    given_name: str | None = None
    family_name: str | None = None


class PrincipalAsked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of POST and PUT for a user or service principal; what else there may be is not kept."""

    user_name: str | None = None
    application_id: str | None = None
    display_name: str | None = None
    name: PersonName | None = None
    active: bool | None = None

    @property
    def shown_as(self) -> str | None:
        """The display name, or the name's parts."""
        parts = (self.name.given_name, self.name.family_name) if self.name else ()
        return self.display_name or " ".join(part for part in parts if part) or None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member by its id."""

    value: str


class GroupAsked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of POST and PUT for a group."""

    display_name: str | None = None
    members: tuple[Member, ...] = ()


def spoken(handler: Handler) -> Handler:
    """The handler, whose refusals are said as SCIM says them."""

    async def answered(call: Call) -> Answer | Refusal:
        answer = await handler(call)
        return scim.refused(answer, call.request_id) if isinstance(answer, Refusal) else scim.translated(answer)

    return answered


def for_admins(handler: Handler) -> Handler:
    """The handler, for admins: the writer checks again, but what others send is not even read."""

    async def answered(call: Call) -> Answer | Refusal:
        return await handler(call) if call.requester.admin else refusals.admins_only()

    return spoken(answered)


class Resources(Generic[K]):
    """What reading is alike for all kinds. Of thousands, only those on the page are put in full.

    `every`: what is kept; `brief`: what filters and sorting look at; `show`: one in full; `noun`: what one is called.
    """

    def __init__(
        self,
        state: State,
        noun: str,
        every: Callable[[View], Iterable[K]],
        brief: Callable[[K], Resource],
        show: Callable[[View, K], Resource],
    ) -> None:
        self._state = state
        self._noun = noun
        self._every = every
        self._brief = brief
        self._show = show

    async def get(self, call: Call) -> Answer | Refusal:
        """One, by id."""
        wanted, view = call.path["id"], self._state.view
        found = next((one for one in self._every(view) if one.id == wanted), None)
        if found is None:
            return refusals.unknown_resource(f"{self._noun} with id {wanted}")
        return wire.answered(self._show(view, found))

    async def list(self, call: Call) -> Answer | Refusal:
        """A page of those that the filter lets through, in the order asked for, by name without."""
        view, query = self._state.view, call.query
        test = scim.matching(query["filter"]) if query.get("filter") else None
        if isinstance(test, Refusal):
            return test
        found = [(brief, one) for one in self._every(view) if (brief := self._brief(one)) and (not test or test(brief))]
        by = query.get("sortBy") or ("userName" if self._noun == "User" else "displayName")
        down = query.get("sortOrder", "").lower() == "descending"
        found.sort(key=lambda pair: (scim.values(pair[0], by), pair[1].id), reverse=down)
        return scim.page(found, query, lambda pair: self._show(view, pair[1]))


def brief_principal(one: Principal) -> Resource:
    """What filters look at."""
    known = {"id": one.id, "userName": one.name, "displayName": one.display_name, "active": one.active}
    return known | ({"emails": [{"value": one.name}]} if one.kind == "user" else {"applicationId": one.name})


def brief_group(one: Group) -> Resource:
    """What filters look at."""
    return {"id": one.id, "displayName": one.name}


class Principals(Resources[Principal]):
    """The handlers of `/Users` or `/ServicePrincipals`."""

    def __init__(self, *, state: State, commands: Commands, kind: Kind) -> None:
        noun = "User" if kind == "user" else "ServicePrincipal"
        super().__init__(state, noun, self._of_kind, brief_principal, shapes.principal)
        self._kind = kind
        self._commands = commands

    def _of_kind(self, view: View) -> Iterable[Principal]:
        return (one for one in view.principals.values() if one.kind == self._kind)

    async def create(self, call: Call) -> Answer | Refusal:
        """POST."""
        body = wire.asked(PrincipalAsked, call.body)
        if isinstance(body, Refusal):
            return body
        wanted: dict[str, Any] = {"display_name": body.shown_as, "active": body.active is not False}
        needed = body.user_name if self._kind == "user" else body.shown_as
        if not needed:
            return refusals.invalid(f"{'userName' if self._kind == 'user' else 'displayName'}: is required")
        named = {"user_name": body.user_name} if self._kind == "user" else {"application_id": body.application_id}
        return await self._commands.ask(call, f"{self._kind}.create", wanted | named)

    async def put(self, call: Call) -> Answer | Refusal:
        """PUT: a user's name stays what it is; without `active`, so does that."""
        body = wire.asked(PrincipalAsked, call.body)
        if isinstance(body, Refusal):
            return body
        known = next((one for one in self._state.view.principals.values() if one.id == call.path["id"]), None)
        field, name = ("userName", body.user_name) if self._kind == "user" else ("applicationId", body.application_id)
        if known is not None and name not in (None, known.name):
            return refusals.invalid(f"{field}: cannot be changed")
        return await self._change(call, {"display_name": body.shown_as, "active": body.active})

    async def patch(self, call: Call) -> Answer | Refusal:
        """PATCH: `displayName` and `active`; what is not kept, or cannot change, is passed over, as the vendor does."""
        body = wire.asked(scim.Patch, call.body)
        taken = body if isinstance(body, Refusal) else scim.steps(body)
        if isinstance(taken, Refusal):
            return taken
        wanted: dict[str, Any] = {}
        for step in taken:
            change = _principal_change(step)
            if isinstance(change, Refusal):
                return change
            wanted |= change
        return await self._change(call, wanted)

    async def delete(self, call: Call) -> Answer | Refusal:
        """DELETE."""
        wanted = {"kind": self._kind}
        return await self._commands.ask(call, "principal.delete", wanted, target=call.path["id"])

    async def _change(self, call: Call, wanted: dict[str, Any]) -> Answer | Refusal:
        body = wanted | {"kind": self._kind}
        return await self._commands.ask(call, "principal.change", body, target=call.path["id"])


def _principal_change(step: Step) -> dict[str, Any] | Refusal:
    if step.attribute.partition(".")[0].partition("[")[0] in IGNORED:
        return {}
    match step:
        case Step(op="add" | "replace", attribute="displayName", value=str() as text):
            return {"display_name": text}
        case Step(op="add" | "replace", attribute="active", value=(bool() | str()) as said) if said in TRUTHS:
            return {"active": TRUTHS[said]}
    return refusals.invalid(f"{step.attribute}: cannot be patched like that")


class Groups(Resources[Group]):
    """The handlers of `/Groups`."""

    def __init__(self, *, state: State, commands: Commands) -> None:
        super().__init__(state, "Group", lambda view: view.groups.values(), brief_group, shapes.group)
        self._commands = commands

    async def create(self, call: Call) -> Answer | Refusal:
        """POST."""
        body = wire.asked(GroupAsked, call.body)
        if isinstance(body, Refusal):
            return body
        if not body.display_name:
            return refusals.invalid("displayName: is required")
        wanted = {"display_name": body.display_name, "members": [one.value for one in body.members]}
        return await self._commands.ask(call, "group.create", wanted)

    async def put(self, call: Call) -> Answer | Refusal:
        """PUT: these members and no others."""
        body = wire.asked(GroupAsked, call.body)
        if isinstance(body, Refusal):
            return body
        steps = [{"op": "replace", "ids": [one.value for one in body.members]}]
        return await self._change(call, {"display_name": body.display_name, "steps": steps})

    async def patch(self, call: Call) -> Answer | Refusal:
        """PATCH: members come and go, the name may change."""
        body = wire.asked(scim.Patch, call.body)
        taken = body if isinstance(body, Refusal) else scim.steps(body)
        if isinstance(taken, Refusal):
            return taken
        wanted: dict[str, Any] = {"steps": []}
        for step in taken:
            refusal = _take_group_step(step, wanted)
            if refusal is not None:
                return refusal
        return await self._change(call, wanted)

    async def delete(self, call: Call) -> Answer | Refusal:
        """DELETE."""
        return await self._commands.ask(call, "group.delete", {}, target=call.path["id"])

    async def _change(self, call: Call, wanted: dict[str, Any]) -> Answer | Refusal:
        return await self._commands.ask(call, "group.change", wanted, target=call.path["id"])


def _take_group_step(step: Step, wanted: dict[str, Any]) -> Refusal | None:
    if step.attribute in IGNORED:
        return None
    if step.attribute == "displayName" and step.op != "remove" and isinstance(step.value, str):
        wanted["display_name"] = step.value
        return None
    if step.attribute != "members":
        return refusals.invalid(f"{step.attribute}: cannot be patched like that")
    if step.op == "remove" and step.chosen is None and step.value is None:
        wanted["steps"].append({"op": "replace", "ids": []})
        return None
    ids = [step.chosen] if step.chosen is not None else scim.ids(step.value)
    if ids is None:
        return refusals.invalid("members: must be a list of objects with a value")
    wanted["steps"].append({"op": step.op, "ids": ids})
    return None


def rows(root: str, handlers: Principals | Groups) -> Iterator[tuple[str, str, Handler]]:
    """The routes of one kind of resource under `root`."""
    yield "GET", root, spoken(handlers.list)
    yield "POST", root, for_admins(handlers.create)
    yield "GET", f"{root}/{{id}}", spoken(handlers.get)
    yield "PUT", f"{root}/{{id}}", for_admins(handlers.put)
    yield "PATCH", f"{root}/{{id}}", for_admins(handlers.patch)
    yield "DELETE", f"{root}/{{id}}", for_admins(handlers.delete)
