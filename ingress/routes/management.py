"""Endpoints: reads come from the view, changes are asked of the single writer."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from contract import checks, echo, refusals
from contract.endpoint import AiGatewayAsked, ConfigAsked, Endpoint, EndpointAsked
from contract.refusals import Refusal
from contract.state import Level
from ingress import scrape, sealing, wire
from ingress.commands import Commands
from ingress.edge import Call
from ingress.ports import State
from ingress.wire import Answer

T = TypeVar("T")
Metrics = Callable[[], Awaitable[str | None]]
METRICS = b"text/plain; version=0.0.4; charset=utf-8"
NAMES: tuple[Level, ...] = ("CAN_VIEW", "CAN_QUERY", "CAN_MANAGE")


def checked(kind: type[T], body: bytes, check: Callable[[T], Refusal | None]) -> T | Refusal:
    """The body as `kind`, when it passes `check`; else 400."""
    read = wire.asked(kind, body)
    if isinstance(read, Refusal):
        return read
    return check(read) or read


class Endpoints:
    """The handlers of `/api/2.0/serving-endpoints`.

    What goes into a command is the decoded body, so a credential in a field nobody knows stays out of the topic; the
    checks run here first because they turn away a key that stands where a reference to a secret belongs.
    """

    def __init__(self, *, state: State, commands: Commands, master_key: bytes, metrics: Metrics) -> None:
        self._state = state
        self._commands = commands
        self._master_key = master_key
        self._metrics = metrics

    def _sealed(self, body: EndpointAsked | ConfigAsked) -> Any:
        plain = msgspec.json.decode(msgspec.json.encode(body))
        return sealing.plaintexts_sealed(plain, lambda text: sealing.seal(text, self._master_key))

    async def create(self, call: Call) -> Answer | Refusal:
        """POST: anybody known may."""
        body = checked(EndpointAsked, call.body, checks.endpoint)
        if isinstance(body, Refusal):
            return body
        return await self._commands.ask(call, "endpoint.create", self._sealed(body))

    async def update_config(self, call: Call) -> Answer | Refusal:
        """PUT `/config`."""
        body = checked(ConfigAsked, call.body, checks.config)
        if isinstance(body, Refusal):
            return self.unseen(call) or body
        return await self._change(call, "endpoint.update_config", self._sealed(body))

    async def put_ai_gateway(self, call: Call) -> Answer | Refusal:
        """PUT `/ai-gateway`: an empty body clears it; the writer checks it against what it replaces."""
        body = checked(AiGatewayAsked, call.body or b"{}", lambda _: None)
        if isinstance(body, Refusal):
            return self.unseen(call) or body
        return await self._change(call, "endpoint.put_ai_gateway", body)

    async def delete(self, call: Call) -> Answer | Refusal:
        """DELETE."""
        return await self._change(call, "endpoint.delete", {})

    async def _change(self, call: Call, action: str, body: Any) -> Answer | Refusal:
        return await self._commands.ask(call, action, body, target=call.path["name"])

    def found(self, call: Call) -> Endpoint | Refusal:
        """The endpoint the path names, when the caller may see it."""
        name = call.path["name"]
        found = self._state.view.endpoints.get(name)
        if found is None:
            return refusals.unknown_resource(f"Endpoint with name '{name}'")
        if not self._state.view.level(found, call.requester.name):
            return refusals.forbidden(f"User does not have permission to view endpoint '{name}'.")
        return found

    async def get(self, call: Call) -> Answer | Refusal:
        """GET one."""
        found = self.found(call)
        if isinstance(found, Refusal):
            return found
        level = self._state.view.level(found, call.requester.name)
        return wire.answered(echo.detailed(found, NAMES[level - 1]))

    async def list(self, call: Call) -> Answer:
        """GET all that the caller may see."""
        view = self._state.view
        mine = [one for one in view.endpoints.values() if view.level(one, call.requester.name)]
        return wire.answered({"endpoints": [echo.summary(one) for one in mine]})

    async def metrics(self, call: Call) -> Answer | Refusal:
        """GET `/metrics`: the sinks' numbers about one endpoint, as Prometheus text."""
        refusal = self.unseen(call)
        if refusal is not None:
            return refusal
        text = await self._metrics()
        if text is None:
            return refusals.unavailable("The metrics are not there at the moment.")
        return Answer(body=scrape.of_endpoint(text, call.path["name"]).encode(), content_type=METRICS)

    def unseen(self, call: Call) -> Refusal | None:
        """Why the caller may not see the endpoint the path names; None when they may."""
        found = self.found(call)
        return found if isinstance(found, Refusal) else None
