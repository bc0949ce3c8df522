"""From what an endpoint's configuration says to the secret itself."""

import re
from collections.abc import Callable

from contract import refusals
from contract.refusals import Refusal
from contract.state import View

REFERENCE = re.compile(r"^\{\{secrets/([^/{}]+)/([^/{}]+)\}\}$")
SEALED = "sealed:"


def lookup(view: View, unseal: Callable[[str], str | None]) -> Callable[[str], str | Refusal]:
    """Build the function that opens `{{secrets/scope/key}}` references and sealed values, as `view` is now."""

    def secret(said: str) -> str | Refusal:
        if said.startswith(SEALED):
            opened = unseal(said.removeprefix(SEALED))
            return (
                refusals.bad_request("The stored key cannot be opened with this master key.")
                if opened is None
                else opened
            )
        found = REFERENCE.match(said)
        if found is None:
            return refusals.bad_request("A key must be a {{secrets/scope/key}} reference.", name="no_secret_reference")
        scope, key = found.groups()
        stored = view.secrets.get((scope, key))
        opened = None if stored is None else unseal(stored.sealed)
        if opened is None:
            text = f"Secret does not exist with scope: {scope} and key: {key}"
            return refusals.bad_request(text, name="missing_secret")
        return opened

    return secret
