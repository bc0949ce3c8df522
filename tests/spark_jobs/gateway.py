"""A small serving endpoint for `ai_query`: answers by the endpoint's name, remembers what it was asked."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from pyspark.sql import SparkSession

TOGETHER = 50
TASKS = {"vectors": "llm/v1/embeddings", "completions": "llm/v1/completions"}
UNLUCKY = ("7", "text 150", "more 50")  # refused once by the endpoint `flaky`


class Gateway(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1; `asked` holds (endpoint, authorization, body) of each call."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.crowd = threading.Barrier(TOGETHER, timeout=60)
        self.held = threading.Barrier(1)  # a test says how many the endpoint `held` waits for, and how long
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.open, self.most_open, self._counting = 0, 0, threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def counted(self) -> Iterator[None]:
        """One more call is open."""
        with self._counting:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            yield
        finally:
            with self._counting:
                self.open -= 1

    def of(self, endpoint: str) -> list[dict[str, Any]]:
        """The bodies of one endpoint's calls."""
        return [body for name, _, body in list(self.asked) if name == endpoint]

    def answer(self, endpoint: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and body of the answer to one call."""
        times = sum(name == endpoint for name, _, _ in list(self.asked))
        if endpoint == "crowd":  # nobody is answered before enough are there
            self.crowd.wait()
        if endpoint == "held":
            with suppress(threading.BrokenBarrierError):
                self.held.wait()
        if endpoint == "vectors":
            return 200, {"data": [{"embedding": [0.5, -1.0]}]}
        if endpoint == "completions":
            return 200, {"choices": [{"text": f"{body['prompt']}!"}]}
        if endpoint == "busy" or (endpoint in ("hiccup", "patient") and times % 2):
            return 429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}
        content = body.get("messages", [{}])[-1].get("content")
        unlucky = endpoint == "flaky" and content in UNLUCKY and texts(self.of("flaky")).count(content) == 1
        if endpoint == "broken" or unlucky or content == "a wrong one":
            return 400, {"error_code": "BAD_REQUEST", "message": "no"}
        text = '{"name": "Ann", "n": 3}' if endpoint == "structured" else f"you said {body['messages'][-1]['content']}"
        return 200, {"choices": [{"message": {"role": "assistant", "content": None if endpoint == "mute" else text}}]}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Gateway
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The endpoint's description, as far as `ai_query` looks at it."""
        name = self.path.rsplit("/", 1)[-1]
        self._send(200, {"name": name, "task": TASKS.get(name, "llm/v1/chat")})

    def do_POST(self) -> None:
        """An invocation."""
        with self.server.counted():
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint = self.path.split("/")[2]
            self.server.asked.append((endpoint, self.headers["Authorization"], body))
            status, answer = self.server.answer(endpoint, body)
        self._send(status, answer, {"Retry-After": "1"} if endpoint == "patient" and status == 429 else {})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, status: int, body: Any, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def texts(bodies: Iterable[dict[str, Any]]) -> list[str]:
    """What each of the calls asked."""
    return [body["messages"][-1]["content"] for body in bodies]


@contextmanager
def setting(people: SparkSession, name: str, to: str) -> Iterator[None]:
    """One of `ai_query`'s settings, for a while."""
    people.sql(f"SET spark.headgate.aiQuery.{name}={to}")
    try:
        yield
    finally:
        people.conf.unset(f"spark.headgate.aiQuery.{name}")
