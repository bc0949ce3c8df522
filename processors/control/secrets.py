"""Secret scopes and secrets. Values arrive sealed by the ingress and stay so."""

import re
from typing import Annotated, Protocol, TypeVar

import msgspec
from msgspec import Meta

from contract import codec, limits, refusals, state
from contract.records import Command
from contract.refusals import Refusal
from contract.state import SCOPE_LEVELS, USERS, ScopeLevel, Secret, SecretScope, View
from processors.control import base
from processors.control.base import Decision, Facts

SCOPE_PATTERN = rf"[A-Za-z0-9_.@-]{{1,{limits.SECRET_SCOPE_NAME}}}"
SEALED_CHARACTERS = 2 * limits.SECRET_VALUE_BYTES  # base64 of the largest value, nonce and tag is below that


class ScopeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A scope to make."""

    scope: str
    initial_manage_principal: str | None = None


class ScopeNamed(msgspec.Struct, frozen=True, kw_only=True):
    """A scope to delete."""

    scope: str


class SecretAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A secret to keep."""

    scope: str
    key: str
    sealed: Annotated[str, Meta(min_length=1, max_length=SEALED_CHARACTERS)]


class SecretNamed(msgspec.Struct, frozen=True, kw_only=True):
    """A secret to delete."""

    scope: str
    key: str


def create_scope(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `ScopeAsked`. Whoever makes a scope manages it, or all users do. Answers `{}`."""
    asked = base.asked(ScopeAsked, command)
    if isinstance(asked, Refusal):
        return asked
    if not re.fullmatch(SCOPE_PATTERN, asked.scope):
        size = limits.SECRET_SCOPE_NAME
        return refusals.invalid(f"scope: must have 1 to {size} letters, digits, '-', '_', '.' or '@'")
    # the only other manager the vendor lets a scope start with
    if asked.initial_manage_principal not in (None, "", USERS):
        return refusals.invalid(f"initial_manage_principal: must be '{USERS}' or absent")
    if asked.scope in view.scopes:
        return refusals.already_exists(f"Scope {asked.scope}", status=400)
    manager = asked.initial_manage_principal or command.requester.name
    scope = SecretScope(name=asked.scope, manager=manager, created_at_ms=facts.now_ms)
    return Decision(changes=((state.key("scope", scope.name), codec.encode(scope)),))


class InScope(Protocol):
    """A body that names the scope it is about."""

    @property
    def scope(self) -> str:
        """The scope's name."""
        ...


T = TypeVar("T", bound=InScope)


def asked_within(kind: type[T], needed: ScopeLevel, command: Command, view: View) -> T | Refusal:
    """The command's body; 404 without its scope, 403 when the requester holds less than `needed` on it."""
    asked = base.asked(kind, command)
    if isinstance(asked, Refusal):
        return asked
    known = view.scopes.get(asked.scope)
    if known is None:
        return refusals.unknown_resource(f"Scope {asked.scope}")
    if view.scope_level(known, command.requester.name) >= SCOPE_LEVELS[needed]:
        return asked
    return refusals.forbidden(f"User does not have {needed} permission on scope {asked.scope}.")


def delete_scope(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `ScopeNamed`. The scope goes with all its secrets. Answers `{}`."""
    asked = asked_within(ScopeNamed, "MANAGE", command, view)
    if isinstance(asked, Refusal):
        return asked
    inside = [state.key("secret", *at) for at in view.secrets if at[0] == asked.scope]
    return Decision(changes=tuple((key, None) for key in (*inside, state.key("scope", asked.scope))))


def put(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `SecretAsked`. Makes or replaces a secret. Answers `{}`."""
    asked = asked_within(SecretAsked, "WRITE", command, view)
    if isinstance(asked, Refusal):
        return asked
    refusal = _no_room(asked, view)
    if refusal is not None:
        return refusal
    secret = Secret(scope=asked.scope, key=asked.key, sealed=asked.sealed, updated_at_ms=facts.now_ms)
    return Decision(changes=((state.key("secret", secret.scope, secret.key), codec.encode(secret)),))


def _no_room(asked: SecretAsked, view: View) -> Refusal | None:
    if not re.fullmatch(limits.SECRET_KEY_PATTERN, asked.key):
        return refusals.invalid("key: must have 1 to 128 letters, digits, '-', '_' or '.'")
    is_new = (asked.scope, asked.key) not in view.secrets
    if is_new and sum(scope == asked.scope for scope, _ in view.secrets) >= limits.SECRETS_PER_SCOPE:
        return refusals.quota(f"Scope {asked.scope} holds {limits.SECRETS_PER_SCOPE} secrets already.")
    return None


def delete(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `SecretNamed`. Answers `{}`."""
    asked = asked_within(SecretNamed, "WRITE", command, view)
    if isinstance(asked, Refusal):
        return asked
    if (asked.scope, asked.key) not in view.secrets:
        return refusals.unknown_resource(f"Secret with scope: {asked.scope} and key: {asked.key}")
    return Decision(changes=((state.key("secret", asked.scope, asked.key), None),))
