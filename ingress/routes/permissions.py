"""Who may do what with an endpoint: shown to who may see it, changed by who manages it; and who may use tokens."""

from typing import Any

import msgspec

from contract import grants, refusals
from contract.endpoint import Endpoint
from contract.refusals import Refusal
from contract.state import TOKENS, Level, TokenLevel
from ingress import wire
from ingress.commands import Commands
from ingress.edge import Call
from ingress.ports import State
from ingress.wire import Answer


class Named(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom a row of the list is about; the writer checks the names."""

    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None


class Grant(Named, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the list."""

    permission_level: Level


class GrantsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PUT and PATCH."""

    access_control_list: tuple[Grant, ...] = ()


class TokenGrant(Named, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the list for tokens."""

    permission_level: TokenLevel


class TokenGrantsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PUT and PATCH for tokens."""

    access_control_list: tuple[TokenGrant, ...] = ()


class Permissions:
    """The handlers of `/api/2.0/permissions/serving-endpoints/{id}`; the id is the endpoint's, not its name."""

    def __init__(self, *, state: State, commands: Commands) -> None:
        self._state = state
        self._commands = commands

    async def get(self, call: Call) -> Answer | Refusal:
        """What is granted."""
        found = self._found(call)
        if isinstance(found, Refusal):
            return found
        view = self._state.view
        return wire.answered(grants.permissions(view, found, view.permissions.get(found.id)))

    async def levels(self, call: Call) -> Answer | Refusal:
        """What can be granted."""
        found = self._found(call)
        return found if isinstance(found, Refusal) else wire.answered(grants.levels())

    async def put(self, call: Call) -> Answer | Refusal:
        """Grant exactly this."""
        return await self._change(call, "permission.put")

    async def patch(self, call: Call) -> Answer | Refusal:
        """Grant this, too."""
        return await self._change(call, "permission.patch")

    async def _change(self, call: Call, action: str) -> Answer | Refusal:
        body: Any = wire.asked(GrantsAsked, call.body or b"{}")
        if isinstance(body, Refusal):
            found = self._found(call)
            return found if isinstance(found, Refusal) else body
        return await self._commands.ask(call, action, body, target=call.path["id"])

    def _found(self, call: Call) -> Endpoint | Refusal:
        found = self._state.view.endpoint_by_id(call.path["id"])
        if found is None:
            return refusals.unknown_resource(f"Endpoint with id '{call.path['id']}'")
        if not self._state.view.level(found, call.requester.name):
            return refusals.forbidden(f"User does not have permission to view endpoint '{found.name}'.")
        return found


class TokenPermissions:
    """The handlers of `/api/2.0/permissions/authorization/tokens`: for admins alone."""

    def __init__(self, *, state: State, commands: Commands) -> None:
        self._state = state
        self._commands = commands

    async def get(self, call: Call) -> Answer | Refusal:
        """Who may use tokens."""
        if not call.requester.admin:
            return refusals.admins_only()
        view = self._state.view
        return wire.answered(grants.token_permissions(view, view.authorizations.get(TOKENS)))

    async def levels(self, call: Call) -> Answer | Refusal:
        """What can be granted."""
        return wire.answered(grants.token_levels()) if call.requester.admin else refusals.admins_only()

    async def put(self, call: Call) -> Answer | Refusal:
        """These and the admins."""
        return await self._change(call, "token_permission.put")

    async def patch(self, call: Call) -> Answer | Refusal:
        """These, too."""
        return await self._change(call, "token_permission.patch")

    async def _change(self, call: Call, action: str) -> Answer | Refusal:
        if not call.requester.admin:
            return refusals.admins_only()
        body = wire.asked(TokenGrantsAsked, call.body or b"{}")
        return body if isinstance(body, Refusal) else await self._commands.ask(call, action, body)
