"""What anybody may ask without a token: where one is, and whether all is well. Needs no broker."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from starlette.types import Receive, Scope, Send

from contract.refusals import Refusal
from ingress import wire
from ingress.edge import Edge
from ingress.wire import Answer

READY = "ready"
STARTING = "starting"

Own = Callable[[], Mapping[str, bool]]


class Open:
    """A route without authentication."""

    def __init__(self, edge: Edge, answer: Callable[[], Answer | Refusal]) -> None:
        self._edge = edge
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await self._edge.send(send, self._edge.begin(scope), self._answer())


def discovery(workspace_id: str, account_id: str) -> Callable[[], Answer]:
    """Build the answer of `/.well-known/databricks-config` (api-contract 5.1, item 3): `cloud` must say aws."""
    fixed = wire.answered({"workspace_id": workspace_id, "account_id": account_id, "cloud": "aws"})
    return lambda: fixed


def health(own: Own, status_file: Path | None) -> Callable[[], Answer]:
    """Build the answer of `/healthz`: 200 when every part is ready, else 503; the body names each part's state."""

    def answer() -> Answer:
        mine = own()
        parts = _others(status_file)
        parts["ingress"] = READY if all(mine.values()) else STARTING
        ready = all(state == READY for state in parts.values())
        body = {
            "status": READY if ready else STARTING,
            "parts": parts,
            "ingress": {name: READY if up else STARTING for name, up in mine.items()},
        }
        return Answer(status=200 if ready else 503, body=msgspec.json.encode(body))

    return answer


def _others(status_file: Path | None) -> dict[str, str]:
    if status_file is None:
        return {}
    try:
        return msgspec.json.decode(status_file.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {"launcher": "unknown"}
