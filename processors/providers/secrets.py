"""From what an endpoint's configuration says to the secret itself."""

import re
from collections.abc import Callable

from contract import refusals
from contract.refusals import Refusal
from contract.state import SCOPE_LEVELS, View
from processors.providers.base import Secret

REFERENCE = re.compile(r"^\{\{secrets/([^/{}]+)/([^/{}]+)\}\}$")
SEALED = "sealed:"


def lookup(view: View, unseal: Callable[[str], str | None]) -> Callable[[str], Secret]:
    """Build, per creator, the function that opens `{{secrets/scope/key}}` references and sealed values.

    All is as `view` is now. A creator who may not read the scope does not get its secrets: it may be younger than
    the endpoint that refers to it, and somebody else's.
    """

    def of(creator: str) -> Secret:
        def secret(said: str) -> str | Refusal:
            if said.startswith(SEALED):
                return _opened(unseal(said.removeprefix(SEALED)))
            found = REFERENCE.match(said)
            if found is None:
                text = "A key must be a {{secrets/scope/key}} reference."
                return refusals.bad_request(text, name="no_secret_reference")
            scope, key = found.groups()
            return _stored(scope, key, creator)

        return secret

    def _stored(scope: str, key: str, creator: str) -> str | Refusal:
        known, stored = view.scopes.get(scope), view.secrets.get((scope, key))
        if known is not None and view.scope_level(known, creator) < SCOPE_LEVELS["READ"]:
            text = f"The endpoint's creator does not have READ permission on scope {scope}."
            return refusals.bad_request(text, name="unreadable_secret")
        opened = None if stored is None else unseal(stored.sealed)
        if opened is None:
            text = f"Secret does not exist with scope: {scope} and key: {key}"
            return refusals.bad_request(text, name="missing_secret")
        return opened

    return of


def _opened(secret: str | None) -> str | Refusal:
    if secret is None:
        return refusals.bad_request("The stored key cannot be opened with this master key.")
    return secret
