"""Tokens, and who one is."""

from typing import Any

import msgspec

from contract import refusals, scim
from contract.refusals import Refusal
from contract.state import Token
from ingress import wire
from ingress.commands import Commands
from ingress.edge import Call
from ingress.identity import token_hash
from ingress.ports import NewId, State
from ingress.wire import Answer


class TokenAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `token/create`; the writer checks the numbers."""

    comment: str | None = None
    lifetime_seconds: int | None = None


class TokenForAsked(TokenAsked, frozen=True, kw_only=True):
    """The body of `on-behalf-of/tokens`."""

    application_id: str


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
    """The handlers of `/api/2.0/token`, and of tokens on behalf of somebody.

    `mint`: 32 fresh hex digits, from a source nobody can guess.
    """

    def __init__(self, *, state: State, commands: Commands, mint: NewId) -> None:
        self._state = state
        self._commands = commands
        self._mint = mint

    async def create(self, call: Call) -> Answer | Refusal:
        """The token's value goes to the caller alone, its hash to everybody else."""
        body = wire.asked(TokenAsked, call.body or b"{}")
        return body if isinstance(body, Refusal) else await self._minted(call, "token.create", body)

    async def create_for(self, call: Call) -> Answer | Refusal:
        """A token for a service principal, or a user, made by an admin: how a second identity gets one."""
        body = wire.asked(TokenForAsked, call.body or b"{}")
        return body if isinstance(body, Refusal) else await self._minted(call, "token.create_for", body)

    async def _minted(self, call: Call, action: str, body: TokenAsked) -> Answer | Refusal:
        value = f"dapi{self._mint()}"
        wanted = msgspec.structs.asdict(body) | {"token_id": self._mint(), "hash": token_hash(value)}
        answer = await self._commands.ask(call, action, wanted)
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
        return await self._commands.ask(call, "token.delete", body)


class TokenManagement:
    """The handlers of `/api/2.0/token-management/tokens`: everybody's tokens, for admins."""

    def __init__(self, *, state: State, commands: Commands) -> None:
        self._state = state
        self._commands = commands

    def _shown(self, token: Token) -> dict[str, Any]:
        maker = token.created_by or token.owner
        ids = {"created_by_id": self._id(maker), "owner_id": self._id(token.owner)}
        known = {field: number for field, number in ids.items() if number is not None}
        return shown(token) | {"created_by_username": maker} | known

    def _id(self, name: str) -> int | None:
        principal = self._state.view.principals.get(name)
        return int(principal.id) if principal is not None and principal.id.isdecimal() else None

    async def list(self, call: Call) -> Answer | Refusal:
        """All tokens, or those made by the one that `created_by_id` or `created_by_username` names."""
        if not call.requester.admin:
            return refusals.admins_only()
        infos = map(self._shown, self._state.view.tokens.values())
        wanted = {field: call.query[field] for field in ("created_by_id", "created_by_username") if field in call.query}
        mine = [info for info in infos if all(str(info.get(field)) == value for field, value in wanted.items())]
        return wire.answered({"token_infos": mine})

    async def get(self, call: Call) -> Answer | Refusal:
        """One token."""
        if not call.requester.admin:
            return refusals.admins_only()
        wanted = call.path["id"]
        found = next((one for one in self._state.view.tokens.values() if one.token_id == wanted), None)
        if found is None:
            return refusals.unknown_resource(f"Token with id '{wanted}'")
        return wire.answered({"token_info": self._shown(found)})

    async def delete(self, call: Call) -> Answer | Refusal:
        """Revoke a token, whoever's it is."""
        return await self._commands.ask(call, "token.revoke", {}, target=call.path["id"])


class People:
    """The handler of `/api/2.0/preview/scim/v2/Me`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def me(self, call: Call) -> Answer | Refusal:
        """Who calls."""
        view = self._state.view
        principal = view.principals.get(call.requester.name)
        if principal is None:
            return refusals.unknown_resource(f"User {call.requester.name}")
        return wire.answered(scim.principal(view, principal))
