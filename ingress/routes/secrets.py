"""Secret scopes and secrets: sealed before they leave this process, opened only for who may read their scope."""

import base64
import binascii

import msgspec

from contract import limits, refusals
from contract.records import Requester
from contract.refusals import Refusal
from contract.state import GROUP_MARK, SCOPE_LEVELS, ScopeLevel, SecretScope
from ingress import sealing, wire
from ingress.commands import Commands
from ingress.edge import Call
from ingress.ports import State
from ingress.wire import Answer

BACKEND = "DATABRICKS"


class ScopeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `scopes/create`."""

    scope: str
    initial_manage_principal: str | None = None
    scope_backend_type: str | None = None


class ScopeNamed(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `scopes/delete`."""

    scope: str


class SecretAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `put`: exactly one of the values."""

    scope: str
    key: str
    string_value: str | None = None
    bytes_value: str | None = None

    def __repr__(self) -> str:
        return f"SecretAsked(scope={self.scope!r}, key={self.key!r})"


class SecretNamed(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `delete`."""

    scope: str
    key: str


class AclAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `acls/put`."""

    scope: str
    principal: str
    permission: ScopeLevel


class AclNamed(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `acls/delete`."""

    scope: str
    principal: str


def acls(scope: SecretScope) -> list[dict[str, str]]:
    """A scope's list as shown: groups by their bare names, as they were given."""
    return [
        {"principal": one.removeprefix(GROUP_MARK), "permission": level} for one, level in sorted(scope.grants.items())
    ]


def value_of(body: SecretAsked) -> bytes | Refusal:
    """The secret's bytes; 400 that names the field and never the value."""
    if (body.string_value is None) == (body.bytes_value is None):
        return refusals.invalid("string_value: give exactly one of string_value and bytes_value")
    try:
        value = (
            base64.b64decode(body.bytes_value, validate=True)
            if body.bytes_value is not None
            else (body.string_value or "").encode()
        )
    except (binascii.Error, ValueError):
        return refusals.invalid("bytes_value: is no base64")
    if len(value) > limits.SECRET_VALUE_BYTES:
        return refusals.invalid(f"string_value: must not exceed {limits.SECRET_VALUE_BYTES} bytes")
    return value


class Secrets:
    """The handlers of `/api/2.0/secrets`."""

    def __init__(self, *, state: State, commands: Commands, master_key: bytes) -> None:
        self._state = state
        self._commands = commands
        self._master_key = master_key

    async def create_scope(self, call: Call) -> Answer | Refusal:
        """Make a scope; its maker manages it."""
        body = wire.asked(ScopeAsked, call.body)
        if isinstance(body, Refusal):
            return body
        if body.scope_backend_type not in (None, BACKEND):
            return refusals.not_supported(f"scope_backend_type: only {BACKEND} is supported")
        wanted = {"scope": body.scope, "initial_manage_principal": body.initial_manage_principal}
        return await self._commands.ask(call, "scope.create", wanted)

    async def delete_scope(self, call: Call) -> Answer | Refusal:
        """Delete a scope with its secrets."""
        body = wire.asked(ScopeNamed, call.body)
        return body if isinstance(body, Refusal) else await self._commands.ask(call, "scope.delete", body)

    async def list_scopes(self, call: Call) -> Answer:
        """The scopes the caller may read."""
        scopes = [name for name in self._state.view.scopes if self._refusal(name, call.requester) is None]
        return wire.answered({"scopes": [{"name": name, "backend_type": BACKEND} for name in scopes]})

    async def put(self, call: Call) -> Answer | Refusal:
        """Keep a secret: what leaves here is sealed."""
        body = wire.asked(SecretAsked, call.body)
        if isinstance(body, Refusal):
            return body
        value = value_of(body)
        if isinstance(value, Refusal):
            return value
        sealed = sealing.seal(value, self._master_key)
        wanted = {"scope": body.scope, "key": body.key, "sealed": sealed}
        return await self._commands.ask(call, "secret.put", wanted)

    async def delete(self, call: Call) -> Answer | Refusal:
        """Delete a secret."""
        body = wire.asked(SecretNamed, call.body)
        return body if isinstance(body, Refusal) else await self._commands.ask(call, "secret.delete", body)

    async def get(self, call: Call) -> Answer | Refusal:
        """A secret's value, base64."""
        scope, key = call.query.get("scope", ""), call.query.get("key", "")
        refusal = self._refusal(scope, call.requester)
        if refusal is not None:
            return refusal
        secret = self._state.view.secrets.get((scope, key))
        if secret is None:
            return refusals.unknown_resource(f"Secret with scope: {scope} and key: {key}")
        value = sealing.opened(secret.sealed, self._master_key)
        return wire.answered({"key": key, "value": base64.b64encode(value).decode()})

    async def list(self, call: Call) -> Answer | Refusal:
        """A scope's keys, without their values."""
        scope = call.query.get("scope", "")
        refusal = self._refusal(scope, call.requester)
        if refusal is not None:
            return refusal
        kept = self._state.view.secrets.values()
        shown = [{"key": one.key, "last_updated_timestamp": one.updated_at_ms} for one in kept if one.scope == scope]
        return wire.answered({"secrets": shown})

    async def put_acl(self, call: Call) -> Answer | Refusal:
        """Say what somebody may do with a scope."""
        body = wire.asked(AclAsked, call.body)
        return body if isinstance(body, Refusal) else await self._commands.ask(call, "scope.put_acl", body)

    async def delete_acl(self, call: Call) -> Answer | Refusal:
        """Take somebody off a scope's list."""
        body = wire.asked(AclNamed, call.body)
        return body if isinstance(body, Refusal) else await self._commands.ask(call, "scope.delete_acl", body)

    async def list_acls(self, call: Call) -> Answer | Refusal:
        """Who may do what with a scope, for who manages it."""
        scope = call.query.get("scope", "")
        refusal = self._refusal(scope, call.requester, "MANAGE")
        return refusal or wire.answered({"items": acls(self._state.view.scopes[scope])})

    async def get_acl(self, call: Call) -> Answer | Refusal:
        """What one of them may do, for who manages the scope."""
        scope, principal = call.query.get("scope", ""), call.query.get("principal", "")
        refusal = self._refusal(scope, call.requester, "MANAGE")
        if refusal is not None:
            return refusal
        found = [row for row in acls(self._state.view.scopes[scope]) if row["principal"] == principal]
        if not found:
            return refusals.unknown_resource(f"ACL of principal '{principal}' on scope {scope}")
        return wire.answered(found[0])

    def _refusal(self, scope: str, requester: Requester, needed: ScopeLevel = "READ") -> Refusal | None:
        known = self._state.view.scopes.get(scope)
        if known is None:
            return refusals.unknown_resource(f"Scope {scope}")
        if self._state.view.scope_level(known, requester.name) >= SCOPE_LEVELS[needed]:
            return None
        return refusals.forbidden(f"User does not have {needed} permission on scope {scope}.")
