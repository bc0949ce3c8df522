"""From a bearer token to who asks: the view holds SHA-256 sums only, and expiry counts from the second it is due."""

import hashlib

from contract import refusals
from contract.records import Requester
from contract.refusals import Refusal
from contract.state import USERS, View
from ingress.ports import Now, State

LOOK_SECONDS = 1.0


def token_hash(token: str) -> str:
    """What a token is known by."""
    return hashlib.sha256(token.encode()).hexdigest()


def lookup(view: View, known_by: str, now_ms: int) -> Requester | Refusal:
    """Whom a token stands for at `now_ms`; 401 when it is unknown, expired, or its owner is no more.

    403 when the owner may not use tokens (any more): it is kept, and works again when they may.
    """
    token = view.tokens.get(known_by)
    if token is None or 0 <= token.expires_at_ms <= now_ms:
        return refusals.bad_token()
    owner = view.principals.get(token.owner)
    if owner is None or not owner.active:
        return refusals.bad_token()
    if not view.may_use_tokens(owner.name):
        return refusals.no_tokens()
    groups = (*view.memberships(owner.name), USERS)
    return Requester(name=owner.name, kind=owner.kind, groups=groups, admin=view.is_admin(owner.name))


class Identity:
    """Answers who asks."""

    def __init__(self, state: State, now: Now) -> None:
        self._state = state
        self._now = now

    async def requester(self, token: str | None) -> Requester | Refusal:
        """Whom `token` stands for. An unknown one is looked for once more when the view holds the newest state.

        So a token works on every ingress as soon as it was answered on one; 503 when the newest state cannot be had.
        """
        if token is None:
            return refusals.no_credential()
        known_by = token_hash(token)
        if known_by not in self._state.view.tokens:
            if not self._state.ready:
                return refusals.unavailable("The gateway is starting.")
            if not await self._state.caught_up(LOOK_SECONDS):
                return refusals.unavailable("The gateway cannot reach its broker.")
        return lookup(self._state.view, known_by, self._now())
