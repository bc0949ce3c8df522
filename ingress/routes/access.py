"""Tokens, and who one is."""

from typing import Any

import msgspec

from contract import refusals
from contract.refusals import Refusal
from contract.state import Principal, Token, View
from ingress import wire
from ingress.commands import Commands
from ingress.edge import Call
from ingress.identity import token_hash
from ingress.ports import NewId, State
from ingress.wire import Answer

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"


class TokenAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `token/create`; the writer checks the numbers."""

    comment: str | None = None
    lifetime_seconds: int | None = None


class TokenNamed(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `token/delete`."""

    token_id: str


def shown(token: Token) -> dict[str, Any]:
    """A token as the vendor lists it."""
    return {
        "token_id": token.token_id,
        "creation_time": token.created_at_ms,
        "expiry_time": token.expires_at_ms,
        "comment": token.comment,
    }


class Tokens:
    """The handlers of `/api/2.0/token`. `mint`: 32 fresh hex digits, from a source nobody can guess."""

    def __init__(self, *, state: State, commands: Commands, mint: NewId) -> None:
        self._state = state
        self._commands = commands
        self._mint = mint

    async def create(self, call: Call) -> Answer | Refusal:
        """The token's value goes to the caller alone, its hash to everybody else."""
        body = wire.asked(TokenAsked, call.body or b"{}")
        if isinstance(body, Refusal):
            return body
        value = f"dapi{self._mint()}"
        wanted = {
            "token_id": self._mint(),
            "hash": token_hash(value),
            "comment": body.comment,
            "lifetime_seconds": body.lifetime_seconds,
        }
        answer = await self._commands.ask(call.requester, "token.create", wanted)
        if isinstance(answer, Refusal) or answer.status != 200:
            return answer
        return wire.answered({"token_value": value} | msgspec.json.decode(answer.body))

    async def list(self, call: Call) -> Answer:
        """One's own tokens."""
        mine = [shown(one) for one in self._state.view.tokens.values() if one.owner == call.requester.name]
        return wire.answered({"token_infos": mine})

    async def delete(self, call: Call) -> Answer | Refusal:
        """One's own token, or any for an admin."""
        body = wire.asked(TokenNamed, call.body)
        if isinstance(body, Refusal):
            return body
        return await self._commands.ask(call.requester, "token.delete", body)


def scim(view: View, principal: Principal) -> dict[str, Any]:
    """A principal as SCIM shows it; admins are shown in the vendor's group `admins`."""
    names = (*view.groups_of.get(principal.name, ()), *(("admins",) if principal.admin else ()))
    ids = {name: group.id for name, group in view.groups.items()}
    groups = [
        {"display": name, "type": "direct", "value": ids.get(name, name), "$ref": f"Groups/{ids.get(name, name)}"}
        for name in dict.fromkeys(names)
    ]
    return {
        "schemas": [USER_SCHEMA],
        "id": principal.id,
        "userName": principal.name,
        "displayName": principal.display_name,
        "active": principal.active,
        "emails": [{"type": "work", "value": principal.name, "primary": True}] if principal.kind == "user" else [],
        "groups": groups,
    }


class People:
    """The handlers of `/api/2.0/preview/scim/v2`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def me(self, call: Call) -> Answer | Refusal:
        """Who calls."""
        view = self._state.view
        principal = view.principals.get(call.requester.name)
        if principal is None:
            return refusals.unknown_resource(f"User {call.requester.name}")
        return wire.answered(scim(view, principal))
