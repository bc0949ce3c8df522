"""From a known requester's body to the record that workers get; the same for HTTP and for Kafka's producers."""

import msgspec

from contract import refusals, sealed
from contract.endpoint import Endpoint
from contract.records import Requester, RequestReceived
from contract.refusals import Refusal
from contract.state import LEVELS
from ingress import sealing, wire
from ingress.ports import Boot, State

LOOK_SECONDS = 1.0
CAN_QUERY = LEVELS["CAN_QUERY"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What comes in. `task`: what the way in is for; empty where the endpoint decides.

    `endpoint`: empty where the body's `model` names it. `served_entity`: empty where the split decides.
    """

    request_id: str
    requester: Requester
    received_at_ms: int
    body: bytes
    endpoint: str = ""
    served_entity: str = ""
    task: str = ""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A checked query. `keyed`: its endpoint is limited, so its key decides the partition."""

    record: RequestReceived
    keyed: bool

    @property
    def key(self) -> str:
        """The record's key on `gateway.requests`."""
        return self.record.endpoint if self.keyed else self.record.request_id


class Intake:
    """Checks queries against the configuration as this process knows it."""

    def __init__(self, *, state: State, boot: Boot, request_ms: int, master_key: bytes) -> None:
        self._state = state
        self._boot = boot
        self._request_ms = request_ms
        self._master_key = master_key

    async def query(self, asked: Asked) -> Query | Refusal:
        """The query, when the requester may send it; such a "no" leaves no row on the event log."""
        envelope = wire.envelope(asked.body)
        if isinstance(envelope, Refusal):
            return envelope
        name = asked.endpoint or envelope.model
        if not name:
            return refusals.invalid("model: is required; it names the endpoint")
        endpoint = await self._endpoint(name, asked)
        if isinstance(endpoint, Refusal):
            return endpoint
        record = RequestReceived(
            request_id=asked.request_id,
            endpoint=name,
            requester=asked.requester,
            received_at_ms=asked.received_at_ms,
            deadline_ms=asked.received_at_ms + self._request_ms,
            reply_slot=self._boot.slot,
            boot_id=self._boot.boot_id,
            body=msgspec.Raw(asked.body),
            config_version=self._state.view.config_offset,
            task=asked.task,
            stream=envelope.stream or False,
            client_request_id=envelope.client_request_id,
            usage_context=envelope.usage_context,
            served_entity=asked.served_entity,
        )
        if sealed.is_reversible(endpoint):
            record = sealing.request_sealed(record, self._master_key)
        return Query(record=record, keyed=bool(endpoint.ai_gateway and endpoint.ai_gateway.rate_limits))

    async def _endpoint(self, name: str, asked: Asked) -> Endpoint | Refusal:
        """The endpoint, when the requester may query it, it does the task and has the entity."""
        view = self._state.view
        if name not in view.endpoints:
            await self._state.caught_up(LOOK_SECONDS)  # another ingress may have just answered its creation
        endpoint = view.endpoints.get(name)
        if endpoint is None:
            return refusals.unknown_endpoint()
        if view.level(endpoint, asked.requester.name) < CAN_QUERY:
            return refusals.forbidden(f"User does not have permission to query endpoint '{name}'.")
        if asked.task and asked.task != endpoint.task:
            return refusals.wrong_task(name, endpoint.task, asked.task)
        if asked.served_entity and all(entity.name != asked.served_entity for entity in endpoint.entities):
            return refusals.unknown_resource(f"Served entity '{asked.served_entity}' of endpoint '{name}'")
        return endpoint
