"""The ingress with its broker taken away: an in-memory bus at the seam, the real control decisions behind it."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import msgspec

from contract import codec, refusals, state, topics
from contract.codec import Unreadable
from contract.records import Command, Reply, ReplyFinished, RequestReceived
from contract.refusals import Refusal
from contract.state import Principal, Token, View
from ingress import sealing
from ingress.identity import token_hash
from ingress.ports import Boot
from ingress.settings import Settings
from ingress.waiting import Waiters
from ingress.web import Outside, application
from processors.control.base import Facts
from processors.control.decide import decide

BOOT_ID = "boot"
ADMIN, ADMIN_TOKEN = "ada@example.com", "dapi-ada"
USER, USER_TOKEN = "bob@example.com", "dapi-bob"
MASTER_KEY = b"m" * 32
CHAT = {
    "name": "chat",
    "config": {
        "served_entities": [
            {
                "name": "small",
                "external_model": {
                    "provider": "openai",
                    "name": "gpt-4o-mini",
                    "task": "llm/v1/chat",
                    "openai_config": {"openai_api_key": "{{secrets/s/k}}"},
                },
            }
        ]
    },
}
Worker = Callable[[RequestReceived], Sequence[Reply]]


def finished(request: RequestReceived, body: Any = None, **more: Any) -> ReplyFinished:
    """An answer to `request`."""
    raw = msgspec.Raw(msgspec.json.encode({"ok": True} if body is None else body))
    answer = ReplyFinished(request_id=request.request_id, boot_id=request.boot_id, status=200, body=raw)
    return msgspec.structs.replace(answer, **more)


class Known:
    """The state as a test has it; `caught_up` may find what `elsewhere` has written."""

    def __init__(self) -> None:
        self.view = View()
        self.ready = True
        self.reachable = True
        self.looks = 0
        self.elsewhere: Callable[[], None] = lambda: None

    async def reached(self, offset: int, seconds: float) -> bool:
        return self.view.offset >= offset

    async def caught_up(self, seconds: float) -> bool:
        self.looks += 1
        if self.reachable:
            self.elsewhere()
        return self.reachable


class World:
    """An application and everything around it. `worker` says what becomes of a query; by default it is answered."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.now_ms = 1_700_000_000_000
        self.up = True
        self.published: list[tuple[str, str, bytes]] = []
        self.spread: list[bool] = []
        self.cancelled: list[str] = []
        self.worker: Worker = lambda request: [finished(request)]
        self.state = Known()
        self.settings = settings or Settings()
        self.waiters = Waiters(
            boot_id=BOOT_ID,
            limit=self.settings.waiting,
            stream_bytes=self.settings.stream_bytes,
            cancel=self.cancelled.append,
            opened=lambda reply: sealing.reply_opened(reply, MASTER_KEY),
        )
        self.own = {"bus": True, "state": True}
        self.know(Principal(id="1", name=ADMIN, display_name="Ada", admin=True), ADMIN_TOKEN)
        self.know(Principal(id="2", name=USER, display_name="Bob"), USER_TOKEN)
        self.app, self.commands = application(
            Outside(
                settings=self.settings,
                master_key=MASTER_KEY,
                boot=Boot(boot_id=BOOT_ID, slot=3, now=lambda: self.now_ms, new_id=lambda: str(uuid.uuid4())),
                state=self.state,
                waiters=self.waiters,
                publish=self.publish,
                cancel=self.cancelled.append,
                own=lambda: self.own,
            )
        )

    @property
    def view(self) -> View:
        return self.state.view

    def write(self, key: str, resource: Any) -> int:
        """Put a resource on the state; its offset."""
        offset = self.view.offset + 1
        self.view.fold(key, None if resource is None else codec.encode(resource), offset)
        return offset

    def know(self, principal: Principal, token: str, expires_at_ms: int = -1) -> None:
        """Make somebody known, by their token."""
        self.write(state.key("principal", principal.name), principal)
        known_by = token_hash(token)
        kept = Token(token_id=token, hash=known_by, owner=principal.name, created_at_ms=0, expires_at_ms=expires_at_ms)
        self.write(state.key("token", known_by), kept)

    async def publish(self, topic: str, key: str, value: bytes, *, spread: bool = False) -> bool:
        """The bus: what the workers would do with a record happens on the loop's next turn."""
        if not self.up:
            return False
        self.published.append((topic, key, value))
        self.spread.append(spread)
        happens = self._command if topic == topics.COMMANDS.name else self._query
        asyncio.get_running_loop().call_soon(happens, value)
        return True

    def _query(self, value: bytes) -> None:
        request = codec.read(RequestReceived, value)
        assert not isinstance(request, Unreadable)
        for reply in self.worker(request):
            self.waiters.deliver(reply)

    def _command(self, value: bytes) -> None:
        command = codec.read(Command, value)
        assert not isinstance(command, Unreadable)
        facts = Facts(now_ms=self.now_ms, mint=lambda: uuid.uuid4().hex, account_id="a", workspace_id="1")
        decided = decide(command, self.view, facts)
        offset = -1
        if not isinstance(decided, Refusal):
            for key, change in decided.changes:
                offset = self.view.offset + 1
                self.view.fold(key, change, offset)
        body = refusals.body(decided, command.command_id) if isinstance(decided, Refusal) else decided.body
        reply = ReplyFinished(
            request_id=command.command_id,
            boot_id=command.boot_id,
            status=decided.status,
            body=msgspec.Raw(body),
            state_offset=offset,
        )
        self.waiters.deliver(reply)

    def queries(self) -> list[RequestReceived]:
        """What went to `gateway.requests`."""
        values = [value for topic, _, value in self.published if topic == topics.REQUESTS.name]
        return [msgspec.json.decode(value, type=RequestReceived) for value in values]

    async def call(self, method: str, path: str, token: str | None = ADMIN_TOKEN, **more: Any) -> httpx.Response:
        """One HTTP call."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
            return await client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    async def post(self, path: str, body: Any, token: str | None = ADMIN_TOKEN) -> httpx.Response:
        """POST JSON."""
        return await self.call("POST", path, token, json=body)


class Line:
    """A caller at the other end of a raw ASGI call: sends a body, reads when it is let to, may hang up."""

    def __init__(self, body: bytes = b"", token: str = ADMIN_TOKEN) -> None:
        self.sent: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.gone = asyncio.Event()
        self._body = [body]
        self._token = token

    async def receive(self) -> dict[str, Any]:
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message)

    async def ask(self, app: Any, path: str) -> None:
        """Run one request to its end."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {self._token}".encode())],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        await app(scope, self.receive, self.send)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for `condition` to hold."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
