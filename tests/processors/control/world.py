"""A configuration that folds what is decided, as `manage` and the views do."""

import itertools
from typing import Any

import msgspec

from contract import codec
from contract.endpoint import Endpoint
from contract.records import Command, Kind, Requester
from contract.refusals import Refusal
from contract.state import Principal, View
from processors.control.base import Decision, Facts
from processors.control.decide import decide

OWNER = "taka@example.com"
ADMIN = "root@example.com"
STRANGER = "eve@example.com"
T0 = 1_742_814_914_123


def model(name: str = "gpt-4o-mini", **config: str) -> dict[str, Any]:
    openai = {"openai_api_key": "{{secrets/scope/key}}"} | config
    return {"provider": "openai", "name": name, "task": "llm/v1/chat", "openai_config": openai}


def entity(name: str, **config: str) -> dict[str, Any]:
    return {"name": name, "external_model": model(name, **config)}


def split(*shares: tuple[str, int]) -> dict[str, Any]:
    return {"routes": [{"served_model_name": name, "traffic_percentage": share} for name, share in shares]}


class World:
    """A view, a clock that stands still until it is moved, ids that count up."""

    def __init__(self) -> None:
        self.view = View()
        self.now_ms = T0
        self.judges: dict[str, bool] = {}  # which are configured: `guard`, `topics`, `injection`
        self.ids = (f"{n:032x}" for n in itertools.count(1))
        self.keep("principal/" + ADMIN, Principal(id="1", name=ADMIN, display_name="Root", admin=True))
        self.keep("principal/" + OWNER, Principal(id="2", name=OWNER, display_name="Taka"))

    def keep(self, key: str, resource: Any) -> None:
        self.view.fold(key, codec.encode(resource), self.view.offset + 1)

    def decide(
        self, action: str, body: Any = None, target: str = "", by: str = OWNER, kind: Kind = "user"
    ) -> Decision | Refusal:
        raw = body if isinstance(body, bytes) else codec.encode({} if body is None else body)
        command = Command(
            command_id="c",
            action=action,
            requester=Requester(name=by, kind=kind),
            received_at_ms=self.now_ms,
            deadline_ms=self.now_ms + 1000,
            reply_slot=0,
            boot_id="b",
            body=msgspec.Raw(raw),
            target=target,
        )
        facts = Facts(now_ms=self.now_ms, mint=lambda: next(self.ids), account_id="acc", workspace_id="1")
        facts = msgspec.structs.replace(facts, **self.judges)
        return decide(command, self.view, facts)

    def do(self, action: str, body: Any = None, target: str = "", by: str = OWNER, kind: Kind = "user") -> Any:
        """Decide, fold the changes, return the answer; a refusal fails the test."""
        decision = self.decide(action, body, target, by, kind)
        assert isinstance(decision, Decision), decision
        for key, value in decision.changes:
            self.view.fold(key, value, self.view.offset + 1)
        assert self.view.unreadable == 0
        return msgspec.json.decode(decision.body)

    def refused(self, action: str, body: Any = None, target: str = "", by: str = OWNER) -> tuple[int, str, str]:
        """Decide; the refusal's status, code and message."""
        refusal = self.decide(action, body, target, by)
        assert isinstance(refusal, Refusal), refusal
        return refusal.status, refusal.error_code, refusal.message

    def create(self, name: str = "chat", by: str = OWNER, **more: Any) -> Endpoint:
        body = {"name": name, "config": {"served_entities": [entity("gpt-4o-mini")]}} | more
        self.do("endpoint.create", body, by=by)
        return self.view.endpoints[name]

    def live_rows(self, name: str) -> dict[str, str]:
        """Served-entity id by entity name, for the entities the endpoint has now."""
        return {entity.name: entity.id for entity in self.view.endpoints[name].entities}
