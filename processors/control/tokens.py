"""Access tokens: minted, commented, revoked. The value itself never comes here, only its SHA-256."""

from typing import Annotated

import msgspec
from msgspec import Meta

from contract import codec, limits, refusals, state
from contract.records import Command
from contract.refusals import Refusal
from contract.state import Token, View
from processors.control import base
from processors.control.base import Change, Decision, Facts

NEVER = -1
CENTURY_SECONDS = 100 * 365 * 24 * 3600
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Id = Annotated[str, Meta(min_length=1, max_length=128)]
Comment = Annotated[str, Meta(max_length=4096)]  # it is held in every view


class TokenAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A token to keep: made by the ingress, which alone knows its value."""

    token_id: Id
    hash: Hash
    comment: Comment | None = None
    lifetime_seconds: Annotated[int, Meta(ge=1, le=CENTURY_SECONDS)] | None = None


class TokenForAsked(TokenAsked, frozen=True, kw_only=True):
    """A token to keep for a service principal.

    `application_id`: also a user's e-mail, which the vendor does not take: its users log in to make their first token.
    """

    application_id: str


class TokenChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of the token whose id is the command's target."""

    comment: Comment


class TokenNamed(msgspec.Struct, frozen=True, kw_only=True):
    """A token to revoke."""

    token_id: str


def create(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `TokenAsked`. Keeps the token and deletes its owner's expired ones. Answers `{"token_info": ...}`."""
    asked = base.asked(TokenAsked, command)
    if isinstance(asked, Refusal):
        return asked
    owner = command.requester.name
    return _minted(asked, owner, command, view, facts) if view.may_use_tokens(owner) else refusals.no_tokens()


def create_for(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `TokenForAsked`. As `create`, for somebody else and by an admin, who is remembered as its maker."""
    asked = base.asked(TokenForAsked, command)
    if isinstance(asked, Refusal):
        return asked
    refusal = base.not_admin(command, view)
    if refusal is not None:
        return refusal
    owner = view.principals.get(asked.application_id)
    if owner is None:
        return refusals.unknown_resource(f"Principal '{asked.application_id}'")
    if not owner.active:
        return refusals.invalid(f"application_id: '{owner.name}' is not active")
    if not view.may_use_tokens(owner.name):
        return refusals.invalid(f"application_id: '{owner.name}' may not use tokens; they need CAN_USE on them first")
    return _minted(asked, owner.name, command, view, facts)


def _minted(asked: TokenAsked, owner: str, command: Command, view: View, facts: Facts) -> Decision | Refusal:
    if asked.hash in view.tokens:
        return _again(asked, owner, view)
    mine = [token for token in view.tokens.values() if token.owner == owner]
    gone = [token for token in mine if expired(token, facts.now_ms)]
    if len(mine) - len(gone) >= limits.TOKENS_PER_USER:
        return refusals.quota(f"The quota of {limits.TOKENS_PER_USER} tokens per user is used up; delete some first.")
    maker = command.requester.name
    token = _token(asked, owner, "" if maker == owner else maker, facts.now_ms)
    kept = (state.key("token", token.hash), codec.encode(token))
    return base.answer(_shown(token), *map(_tombstone, gone), kept)


def _again(asked: TokenAsked, owner: str, view: View) -> Decision | Refusal:
    """The same command a second time (a worker died before it answered) is answered again; a stranger's is not."""
    known = view.tokens[asked.hash]
    if (known.owner, known.token_id) == (owner, asked.token_id):
        return base.answer(_shown(known))
    return refusals.already_exists("The token")


def expired(token: Token, now_ms: int) -> bool:
    """Whether the token's time is over."""
    return token.expires_at_ms != NEVER and token.expires_at_ms <= now_ms


def _token(asked: TokenAsked, owner: str, created_by: str, now_ms: int) -> Token:
    seconds = limits.TOKEN_LIFETIME_SECONDS if asked.lifetime_seconds is None else asked.lifetime_seconds
    return Token(
        token_id=asked.token_id,
        hash=asked.hash,
        owner=owner,
        created_at_ms=now_ms,
        expires_at_ms=now_ms + seconds * 1000,
        comment=asked.comment or "",
        created_by=created_by,
    )


def _shown(token: Token) -> dict[str, dict[str, str | int]]:
    info: dict[str, str | int] = {
        "token_id": token.token_id,
        "creation_time": token.created_at_ms,
        "expiry_time": token.expires_at_ms,
        "comment": token.comment,
    }
    return {"token_info": info}


def _tombstone(token: Token) -> Change:
    return state.key("token", token.hash), None


def update(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `TokenChange`. One's own token, or any for an admin. Answers `{}`."""
    asked = base.asked(TokenChange, command)
    if isinstance(asked, Refusal):
        return asked
    found = _theirs(command.target, command, view)
    if isinstance(found, Refusal):
        return found
    changed = msgspec.structs.replace(found, comment=asked.comment)
    return Decision(changes=((state.key("token", changed.hash), codec.encode(changed)),))


def delete(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `TokenNamed`. One's own token, or any for an admin. Answers `{}`."""
    asked = base.asked(TokenNamed, command)
    if isinstance(asked, Refusal):
        return asked
    found = _theirs(asked.token_id, command, view)
    return found if isinstance(found, Refusal) else Decision(changes=(_tombstone(found),))


def _theirs(token_id: str, command: Command, view: View) -> Token | Refusal:
    """The token, where it is the requester's or they are an admin; others' are as good as unknown."""
    name = command.requester.name
    any_owner = view.is_admin(name)
    named = (token for token in view.tokens.values() if token.token_id == token_id)
    found = next((token for token in named if any_owner or token.owner == name), None)
    return found or refusals.unknown_resource(f"Token with id '{token_id}'")


def revoke(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """No body: the target is the token's id. Anybody's token, by an admin. Answers `{}`."""
    refusal = base.not_admin(command, view)
    if refusal is not None:
        return refusal
    found = [token for token in view.tokens.values() if token.token_id == command.target]
    if not found:
        return refusals.unknown_resource(f"Token with id '{command.target}'")
    return Decision(changes=tuple(map(_tombstone, found)))
