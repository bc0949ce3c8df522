"""Whoever configures an endpoint must be able to read the secrets it refers to.

Without this anybody could have a stranger's key sent to a server of their own, as a provider's.
"""

import re
from collections.abc import Iterator

from contract import codec, endpoint, refusals
from contract.codec import Unreadable
from contract.endpoint import Endpoint
from contract.records import Command
from contract.refusals import Refusal
from contract.state import SCOPE_LEVELS, View
from processors.control.base import Action, Decision, Facts

REFERENCE = re.compile(r"\{\{secrets/([^/{}]+)/[^/{}]+\}\}")


def readable(action: Action) -> Action:
    """`action`, refused with 403 when what it keeps refers to a scope that the requester may not read.

    A scope that is not there yet is no reason to refuse: a query will say so.
    """

    def checked(command: Command, view: View, facts: Facts) -> Decision | Refusal:
        decision = action(command, view, facts)
        if isinstance(decision, Refusal):
            return decision
        return _unreadable(decision, command.requester.name, view) or decision

    return checked


def _unreadable(decision: Decision, name: str, view: View) -> Refusal | None:
    for key, value in decision.changes:
        if value is None or not key.startswith("endpoint/"):
            continue
        kept = codec.read(Endpoint, value)
        for scope in () if isinstance(kept, Unreadable) else scopes(kept):
            known = view.scopes.get(scope)
            if known is not None and view.scope_level(known, name) < SCOPE_LEVELS["READ"]:
                return refusals.forbidden(f"User does not have READ permission on scope {scope}.")
    return None


def scopes(kept: Endpoint) -> Iterator[str]:
    """The scopes that an endpoint's models refer to."""
    for entity in kept.entities:
        for value in endpoint.provider_config(entity.external_model).values():
            for text in value.values() if isinstance(value, dict) else (value,):
                yield from REFERENCE.findall(text)
