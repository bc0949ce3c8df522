"""curl as a client: what a shell script sends and what it gets to see."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from launcher.broker import Broker
from tests.support import errors
from tests.support.compatibility import speaks
from tests.support.provider import Reply, ScriptedProvider, Stream
from tests.support.services import Services

CURL = shutil.which("curl") or ""
pytestmark = pytest.mark.skipif(not CURL, reason="there is no curl on this machine's PATH")
MANAGE = "/api/2.0/serving-endpoints"
ASK = "/serving-endpoints"
CHAT = {"messages": [{"role": "user", "content": "hello"}]}
FAILED = 22  # curl's own exit code under --fail


class Got(NamedTuple):
    """What curl has printed under `-i`."""

    status_code: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Shell:
    """Writes curl's command line for a gateway; neither the user's settings nor a proxy have a say."""

    def __init__(self, gateway: Services) -> None:
        self.url = gateway.url
        self.token = gateway.token

    def line(self, path: str, body: Any = None, *options: str, token: str | None = None) -> list[str]:
        """The arguments: the token in a header, the body as JSON."""
        known = ["-H", f"Authorization: Bearer {self.token if token is None else token}"] if token != "" else []
        sent = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        return [CURL, "-q", "-sS", "--noproxy", "*", "-m", "60", *known, *sent, *options, self.url + path]

    def run(self, path: str, body: Any = None, *options: str, token: str | None = None) -> Got:
        """One request to its end."""
        command = self.line(path, body, "-i", *options, token=token)
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        head, _, text = printed.replace("\r\n", "\n").partition("\n\n")
        status, *lines = head.splitlines()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Got(int(status.split()[1]), headers, text)


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """One worker is enough."""
    with Services(broker.address, tmp_path_factory.mktemp("curl")) as running:
        yield running


@pytest.fixture
def shell(gateway: Services) -> Shell:
    return Shell(gateway)


@speaks("curl", f"POST {ASK}/{{name}}/invocations", f"POST {ASK}/chat/completions")
def test_curl_chats_by_either_path(shell: Shell, gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("curl-chat", provider.url, "curl-chat-model")
    for path, body in (
        (f"{ASK}/curl-chat/invocations", CHAT),
        (f"{ASK}/chat/completions", CHAT | {"model": "curl-chat"}),
    ):
        answer = shell.run(path, body)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json()["choices"][0]["message"]["content"] == "The answer."


@speaks("curl", f"POST {ASK}/{{name}}/invocations (stream)", f"POST {ASK}/chat/completions (stream)")
def test_curl_streams_whole(shell: Shell, gateway: Services, provider: ScriptedProvider) -> None:
    gateway.endpoint("curl-stream", provider.url, "curl-stream-model")
    provider.script("curl-stream-model", Stream(texts=("one ", "two")))
    for path, more in ((f"{ASK}/curl-stream/invocations", {}), (f"{ASK}/chat/completions", {"model": "curl-stream"})):
        answer = shell.run(path, CHAT | {"stream": True} | more, "-N")
        events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
        assert answer.headers["content-type"].startswith("text/event-stream") and events.pop() == "[DONE]"
        chunks = [chunk for chunk in map(json.loads, events) if chunk["choices"]]
        assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "one two"


@speaks("curl", f"POST {ASK}/{{name}}/invocations (stream)")
def test_curl_prints_a_piece_before_the_stream_has_ended(
    shell: Shell, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("curl-live", provider.url, "curl-live-model")
    provider.script("curl-live-model", Stream(texts=("early ",), ending="hang"))
    command = shell.line(f"{ASK}/curl-live/invocations", CHAT | {"stream": True}, "-N")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert any("early " in line for line in running.stdout)
        assert running.poll() is None
        running.terminate()


@speaks("curl", f"POST {ASK}/{{name}}/invocations")
def test_curl_sees_the_status_the_reason_and_the_requests_id(
    shell: Shell, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("curl-error", provider.url, "curl-error-model")
    provider.script("curl-error-model", Reply(status=503))
    path = f"{ASK}/curl-error/invocations"
    for status, code, answer in (
        (401, "UNAUTHENTICATED", shell.run(path, CHAT, token="")),
        (401, "UNAUTHENTICATED", shell.run(path, CHAT, token="dapi-nobody")),
        (404, "ENDPOINT_NOT_FOUND", shell.run(f"{ASK}/curl-nowhere/invocations", CHAT)),
        (400, "BAD_REQUEST", shell.run(path, {"prompt": "hello"})),
        (400, "MALFORMED_REQUEST", shell.run(path, None, "-d", "no json")),
        (503, "TEMPORARILY_UNAVAILABLE", shell.run(path, CHAT)),
        (404, "RESOURCE_DOES_NOT_EXIST", shell.run(f"{MANAGE}/curl-nowhere", None, "-X", "DELETE")),
    ):
        assert (answer.status_code, errors.of(answer)["error_code"]) == (status, code)


@speaks("curl", f"GET {MANAGE}/{{name}}")
def test_a_script_that_asks_curl_to_fail_learns_of_an_error(shell: Shell) -> None:
    command = shell.line(f"{MANAGE}/curl-nowhere", None, "--fail")
    assert subprocess.run(command, capture_output=True).returncode == FAILED


@speaks("curl", f"POST {MANAGE}", f"GET {MANAGE}", f"GET {MANAGE}/{{name}}", f"DELETE {MANAGE}/{{name}}")
def test_curl_creates_gets_and_deletes_an_endpoint(shell: Shell, provider: ScriptedProvider) -> None:
    config = {"openai_api_key_plaintext": "sk-test", "openai_api_base": provider.url}
    model = {"name": "m", "provider": "openai", "task": "llm/v1/chat", "openai_config": config}
    created = shell.run(MANAGE, {"name": "curl-life", "config": {"served_entities": [{"external_model": model}]}})
    assert (created.status_code, created.json()["name"]) == (200, "curl-life")
    got = shell.run(f"{MANAGE}/curl-life")
    assert got.json()["state"]["ready"] == "READY" and "sk-test" not in got.text
    assert "curl-life" in {one["name"] for one in shell.run(MANAGE).json()["endpoints"]}
    assert shell.run(f"{MANAGE}/curl-life", None, "-X", "DELETE").status_code == 200
    assert shell.run(f"{MANAGE}/curl-life").status_code == 404
