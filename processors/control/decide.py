"""From a command to a decision: one row per action."""

from collections.abc import Mapping

from contract import refusals
from contract.records import Command
from contract.refusals import Refusal
from contract.state import View
from processors.control import (
    acls,
    bootstrap,
    endpoints,
    groups,
    labels,
    permissions,
    principals,
    secrets,
    token_permissions,
    tokens,
)
from processors.control.base import Action, Decision, Facts
from processors.control.references import readable

ACTIONS: Mapping[str, Action] = {
    "endpoint.create": readable(endpoints.create),
    "endpoint.update_config": readable(endpoints.update_config),
    "endpoint.put_ai_gateway": endpoints.put_ai_gateway,
    "endpoint.put_rate_limits": labels.put_rate_limits,
    "endpoint.patch_tags": labels.patch_tags,
    "endpoint.patch_notifications": labels.patch_notifications,
    "endpoint.delete": endpoints.delete,
    "token.create": tokens.create,
    "token.create_for": tokens.create_for,
    "token.update": tokens.update,
    "token.delete": tokens.delete,
    "token.revoke": tokens.revoke,
    "user.create": principals.create_user,
    "service_principal.create": principals.create_service_principal,
    "principal.change": principals.change,
    "principal.delete": principals.delete,
    "group.create": groups.create,
    "group.change": groups.change,
    "group.delete": groups.delete,
    "permission.put": permissions.put,
    "permission.patch": permissions.patch,
    "token_permission.put": token_permissions.put,
    "token_permission.patch": token_permissions.patch,
    "scope.create": secrets.create_scope,
    "scope.delete": secrets.delete_scope,
    "scope.put_acl": acls.put,
    "scope.delete_acl": acls.delete,
    "secret.put": secrets.put,
    "secret.delete": secrets.delete,
    "bootstrap.admin": bootstrap.admin,
}


def decide(command: Command, view: View, facts: Facts) -> Decision | Refusal:
    """What `command` changes in the configuration `view`, and its answer; or why not. Changes nothing itself."""
    action = ACTIONS.get(command.action)
    if action is None:
        return refusals.bad_request(f"action: '{command.action}' is not known")
    return action(command, view, facts)
