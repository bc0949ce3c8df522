"""The rest of an endpoint's routes: labels, the deprecated limits, its document, and what is not offered."""

from contract import checks, refusals
from contract.endpoint import NotificationsAsked, RateLimitsAsked, TagsAsked
from contract.refusals import Refusal
from ingress import openapi, wire
from ingress.commands import Commands
from ingress.edge import Call
from ingress.routes.management import Endpoints, checked
from ingress.wire import Answer


class Extras:
    """Handlers under `/api/2.0/serving-endpoints/{name}` beside the main ones."""

    def __init__(self, endpoints: Endpoints, commands: Commands) -> None:
        self._endpoints = endpoints
        self._commands = commands

    async def put_rate_limits(self, call: Call) -> Answer | Refusal:
        """PUT `/rate-limits`, deprecated: calls for `user` and `endpoint` alone."""
        body = checked(RateLimitsAsked, call.body, checks.old_limits)
        return await self._change(call, "put_rate_limits", body)

    async def patch_tags(self, call: Call) -> Answer | Refusal:
        """PATCH `/tags`."""
        body = checked(TagsAsked, call.body, checks.tags)
        return await self._change(call, "patch_tags", body)

    async def patch_notifications(self, call: Call) -> Answer | Refusal:
        """PATCH `/notifications`."""
        return await self._change(call, "patch_notifications", wire.asked(NotificationsAsked, call.body))

    async def _change(self, call: Call, action: str, body: object) -> Answer | Refusal:
        if isinstance(body, Refusal):
            return self._endpoints.unseen(call) or body
        return await self._commands.ask(call, f"endpoint.{action}", body, target=call.path["name"])

    async def no_telemetry(self, call: Call) -> Refusal:
        """PATCH `/telemetry-config`: the vendor refuses it for external models, and there are no others here."""
        refusal = refusals.invalid("telemetry_config: is not supported for endpoints with external models")
        return self._endpoints.unseen(call) or refusal

    async def openapi(self, call: Call) -> Answer | Refusal:
        """GET `/openapi`."""
        found = self._endpoints.found(call)
        if isinstance(found, Refusal):
            return found
        if not found.task:
            return refusals.invalid(f"Endpoint '{found.name}' serves no model yet.")
        return wire.answered(openapi.document(found))

    async def logs(self, call: Call) -> Answer | Refusal:
        """GET `/logs`, `/build-logs`: an external model has neither a container nor a build, so they are empty."""
        found = self._endpoints.found(call)
        if isinstance(found, Refusal):
            return found
        name = call.path["entity"]
        if all(entity.name != name for entity in found.entities):
            return refusals.unknown_resource(f"Served entity '{name}' of endpoint '{found.name}'")
        return wire.answered({"logs": ""})


async def no_throughput(call: Call) -> Refusal:
    """Provisioned throughput belongs to models that Databricks hosts itself."""
    return refusals.not_supported("Provisioned throughput is not offered: only external models can be served here.")


async def no_responses(call: Call) -> Refusal:
    """The Responses API keeps conversations, which nobody here does."""
    return refusals.not_supported("The responses API is not offered: use /serving-endpoints/chat/completions.")
