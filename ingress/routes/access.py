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
    scopes: tuple[str, ...] | None = None


class TokenForAsked(TokenAsked, frozen=True, kw_only=True):
    """The body of `on-behalf-of/tokens`."""

    application_id: str


class TokenChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A token as a client would have it; what the mask does not name is not looked at."""

    comment: str | None = None
    scopes: tuple[str, ...] | None = None


class UpdateAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PATCH. `update_mask`: what is to change, separated by commas, or `*`."""

    token: TokenChanges = TokenChanges()
    update_mask: str = ""


class TokenNamed(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `token/delete`."""

    token_id: str


def no_scopes(at: str) -> Refusal:
    """A token that were to do less than its owner may: it would do all of it, so it is not made."""
    return refusals.not_supported(f"{at}: a token may do whatever its owner may; scopes are not supported")


def comment_of(body: UpdateAsked) -> str | Refusal:
    """The new comment; a refusal that names what the mask asks for besides."""
    for field in body.update_mask.split(","):
        if field == "scopes" or (field == "*" and body.token.scopes):
            return no_scopes("token.scopes")
        if field not in ("comment", "*"):
            return refusals.invalid(f"update_mask: must name fields that can change, which is comment, got '{field}'")
    return body.token.comment or ""


async def updated(call: Call, commands: Commands) -> Answer | Refusal:
    """What PATCH does to a token, by whichever route."""
    body = wire.asked(UpdateAsked, call.body)
    comment = body if isinstance(body, Refusal) else comment_of(body)
    if isinstance(comment, Refusal):
        return comment
    return await commands.ask(call, "token.update", {"comment": comment}, target=call.path["id"])


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
        if body.scopes:
            return no_scopes("scopes")
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

    async def update(self, call: Call) -> Answer | Refusal:
        """The comment of one's own token, or of any for an admin."""
        return await updated(call, self._commands)

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
        found = self._found(call.path["id"])
        return found if isinstance(found, Refusal) else wire.answered({"token_info": self._shown(found)})

    def _found(self, wanted: str) -> Token | Refusal:
        found = next((one for one in self._state.view.tokens.values() if one.token_id == wanted), None)
        return found or refusals.unknown_resource(f"Token with id '{wanted}'")

    async def update(self, call: Call) -> Answer | Refusal:
        """A token's comment, whoever's it is; answers the token."""
        if not call.requester.admin:
            return refusals.admins_only()
        answer = await updated(call, self._commands)
        if isinstance(answer, Refusal) or answer.status != 200:
            return answer
        found = self._found(call.path["id"])
        return found if isinstance(found, Refusal) else wire.answered(self._shown(found))

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
