"""Access tokens: minted and revoked. The value itself never comes here, only its SHA-256."""

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


class TokenAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A token to keep: made by the ingress, which alone knows its value."""

    token_id: Id
    hash: Hash
    comment: str | None = None
    lifetime_seconds: Annotated[int, Meta(ge=1, le=CENTURY_SECONDS)] | None = None


class TokenNamed(msgspec.Struct, frozen=True, kw_only=True):
    """A token to revoke."""

    token_id: str


def create(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `TokenAsked`. Keeps the token and deletes its owner's expired ones. Answers `{"token_info": ...}`."""
    asked = base.asked(TokenAsked, command)
    if isinstance(asked, Refusal):
        return asked
    if asked.hash in view.tokens:
        return _again(asked, command, view)
    owner = command.requester.name
    mine = [token for token in view.tokens.values() if token.owner == owner]
    gone = [token for token in mine if expired(token, facts.now_ms)]
    if len(mine) - len(gone) >= limits.TOKENS_PER_USER:
        return refusals.quota(f"The quota of {limits.TOKENS_PER_USER} tokens per user is used up; delete some first.")
    token = _token(asked, owner, facts.now_ms)
    kept = (state.key("token", token.hash), codec.encode(token))
    return base.answer(_shown(token), *map(_tombstone, gone), kept)


def _again(asked: TokenAsked, command: Command, view: View) -> Decision | Refusal:
    """The same command a second time (a worker died before it answered) is answered again; a stranger's is not."""
    known = view.tokens[asked.hash]
    if (known.owner, known.token_id) == (command.requester.name, asked.token_id):
        return base.answer(_shown(known))
    return refusals.already_exists("The token")


def expired(token: Token, now_ms: int) -> bool:
    """Whether the token's time is over."""
    return token.expires_at_ms != NEVER and token.expires_at_ms <= now_ms


def _token(asked: TokenAsked, owner: str, now_ms: int) -> Token:
    seconds = limits.TOKEN_LIFETIME_SECONDS if asked.lifetime_seconds is None else asked.lifetime_seconds
    return Token(
        token_id=asked.token_id,
        hash=asked.hash,
        owner=owner,
        created_at_ms=now_ms,
        expires_at_ms=now_ms + seconds * 1000,
        comment=asked.comment or "",
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


def delete(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """Body: `TokenNamed`. One's own token, or any for an admin; others' are as good as unknown. Answers `{}`."""
    asked = base.asked(TokenNamed, command)
    if isinstance(asked, Refusal):
        return asked
    name = command.requester.name
    any_owner = base.is_admin(view, name)
    found = [t for t in view.tokens.values() if t.token_id == asked.token_id and (any_owner or t.owner == name)]
    if not found:
        return refusals.unknown_resource(f"Token with id '{asked.token_id}'")
    return Decision(changes=tuple(map(_tombstone, found)))
