"""Whatever anybody sends, to whichever route: an answer or a refusal with its reason, and a state that can be read.

A sample that is the same each time; `HEADGATE_FUZZ=2000 pytest tests/ingress/test_fuzz.py` takes so many per route.
"""

import asyncio
import copy
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote, urlencode

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from contract import codec, state, topics
from contract.records import Command, RequestReceived
from contract.state import KINDS, Group, Permission, Principal, SecretScope, Token, View
from ingress import sealing
from ingress.settings import Settings
from tests.ingress import bodies, fuzz
from tests.ingress.world import ADMIN, ADMIN_TOKEN, MASTER_KEY, USER, USER_TOKEN, World
from tests.support import errors

LONG = os.environ.get("HEADGATE_FUZZ")
REPEATABLE: dict[str, Any] = {
    "derandomize": LONG is None,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}
MANY = settings(max_examples=int(LONG or 40), **REPEATABLE)
FEW = settings(max_examples=int(LONG or 20), **REPEATABLE)
Called = tuple[str, str]
ENTITY = {"id": "f" * 32, "name": "small", "external_model": bodies.MODEL, "creator": ADMIN, "created_at_ms": 0}
ENDPOINT = {
    "id": "e1",
    "name": "chat",
    "creator": ADMIN,
    "creator_display_name": "Ada",
    "created_at_ms": 0,
    "updated_at_ms": 0,
    "entities": [ENTITY],
    "routes": [{"served_entity_name": "small", "traffic_percentage": 100}],
    "tags": [{"key": "old"}],
}


def furnished() -> World:
    """A world with something of every kind."""
    world = World(Settings(command_seconds=0))
    robot = Principal(id="9", name=bodies.ROBOT, display_name="robot", kind="service_principal")
    world.write(state.key("principal", bodies.ROBOT), robot)
    world.write("group/staff", Group(id="7", name="staff", members=(USER,)))
    world.write("token/mine", Token(token_id="mine", hash="mine", owner=ADMIN, created_at_ms=0, expires_at_ms=-1))
    world.write("scope/s", SecretScope(name="s", manager=ADMIN, created_at_ms=0, acls={"group:staff": "READ"}))
    sealed = {"scope": "s", "key": "k", "sealed": sealing.seal("hush", MASTER_KEY), "updated_at_ms": 0}
    world.write("secret/s/k", sealed)
    world.write("endpoint/chat", ENDPOINT)
    world.write("permission/e1", Permission(endpoint_id="e1", levels={USER: "CAN_MANAGE"}))
    return world


WORLD = furnished()
ROUTES = sorted(
    (method, route.path)
    for route in WORLD.app.routes
    if isinstance(route, Route) and not route.path.endswith("/")
    for method in (route.methods or set()) - {"HEAD"}
)
BODIED = [called for called in ROUTES if called[0] in ("POST", "PUT", "PATCH")]
OTHERS = [called for called in ROUTES if called not in BODIED]
LISTS = [path for method, path in OTHERS if method == "GET" and "{" not in path and path not in bodies.ASKED]
FRESH = copy.deepcopy(WORLD.view)
METRICS = f"{bodies.ONE}/metrics"  # text; and 503 here, where nobody has any
SCIM = tuple(f"{bodies.SCIM}/{kind}" for kind in ("Users", "ServicePrincipals", "Groups"))


async def ask(
    method: str, path: str, query: bytes = b"", body: bytes = b"", token: str = ADMIN_TOKEN
) -> httpx.Response:
    """One HTTP call as a server would hand it on: `path` unquoted, `query` as it came."""
    incoming, sent = [{"type": "http.request", "body": body, "more_body": False}], []

    async def receive() -> Any:
        return incoming.pop() if incoming else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query,
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"content-length", b"%d" % len(body))],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    await WORLD.app(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in sent)
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=content)


def check(answer: httpx.Response, route: str) -> None:
    """It is no defect, and a refusal says what and why in the vendor's words, over SCIM in SCIM's as well."""
    if answer.status_code < 400:
        assert route == METRICS or answer.json() is not None
        return
    assert answer.status_code < 500 or (route, answer.status_code) == (METRICS, 503), answer.text
    said = errors.of(answer)
    assert isinstance(said["error_code"], str) and said["error_code"]
    assert isinstance(said["message"], str) and said["message"]
    assert "schemas" in said or answer.status_code not in (400, 403, 409) or not route.startswith(SCIM)


def start_afresh() -> None:
    WORLD.state.view = copy.deepcopy(FRESH)
    WORLD.published.clear()


def check_records() -> None:
    """Everything that went to a topic can be read there, and everything kept written and read back."""
    view = WORLD.view
    assert view.unreadable == 0
    for topic, key, value in WORLD.published:
        record = codec.read(Command if topic == topics.COMMANDS.name else RequestReceived, value)
        assert key.encode() is not None and not isinstance(record, codec.Unreadable), record
    for kind, kept in view._maps.items():
        for resource in kept.values():
            assert codec.read(KINDS[kind], codec.encode(resource)) == resource


async def check_state() -> None:
    """The records are sound, and whatever was changed can be shown."""
    check_records()
    if WORLD.view.offset == FRESH.offset:
        return
    for path, query in reads(WORLD.view):
        answer = await ask("GET", path, urlencode(query).encode())
        assert answer.status_code == 200 and answer.json(), (path, query, answer.text)


def reads(view: View) -> Iterator[tuple[str, dict[str, str]]]:
    """Whatever shows something, for everything there is: its path and query."""
    yield from ((path, {}) for path in LISTS)
    yield from ((bodies.path_of(bodies.ONE, name=quote(name)), {}) for name in view.endpoints)
    documented = [name for name, endpoint in view.endpoints.items() if endpoint.entities]
    yield from ((bodies.path_of(f"{bodies.ONE}/openapi", name=quote(name)), {}) for name in documented)
    yield from ((bodies.path_of(bodies.GRANTS, id=endpoint.id), {}) for endpoint in view.endpoints.values())
    yield from ((f"{bodies.SCIM}/Groups/{quote(group.id)}", {}) for group in view.groups.values())
    kinds = {"user": "Users", "service_principal": "ServicePrincipals"}
    yield from ((f"{bodies.SCIM}/{kinds[one.kind]}/{quote(one.id)}", {}) for one in view.principals.values())
    yield from ((f"{bodies.TOKENS}/tokens/{quote(token.token_id)}", {}) for token in view.tokens.values())
    yield from (
        (f"{bodies.SECRETS}/{what}", {"scope": scope}) for scope in view.scopes for what in ("list", "acls/list")
    )
    yield from ((f"{bodies.SECRETS}/get", {"scope": scope, "key": key}) for scope, key in view.secrets)


def test_every_route_that_takes_a_body_has_a_good_one_here() -> None:
    assert set(BODIED) == bodies.BODIES.keys()


@pytest.mark.parametrize("called", BODIED, ids=" ".join)
async def test_the_good_body_is_taken_or_refused_for_what_it_asks(called: Called) -> None:
    start_afresh()
    method, route = called
    answer = await ask(method, bodies.path_of(route), body=msgspec.json.encode(bodies.BODIES[called]))
    assert (answer.status_code < 300) is (called not in bodies.REFUSED), answer.text
    await check_state()


@pytest.mark.parametrize("called", BODIED, ids=" ".join)
async def test_no_odd_value_in_any_place_of_a_body_is_a_defect(called: Called) -> None:
    method, route = called
    for body in fuzz.singles(bodies.BODIES[called]):
        start_afresh()
        check(await ask(method, bodies.path_of(route), body=body), route)
        check_records()


@pytest.mark.parametrize("called", BODIED, ids=" ".join)
@MANY
@given(data=st.data())
async def test_no_body_is_a_defect(called: Called, data: st.DataObject) -> None:
    start_afresh()
    method, route = called
    body = data.draw(fuzz.bodies(bodies.BODIES[called]), "body")
    path = data.draw(fuzz.paths(route), "path")
    token = data.draw(st.sampled_from([ADMIN_TOKEN, ADMIN_TOKEN, ADMIN_TOKEN, USER_TOKEN]), "token")
    check(await ask(method, path, body=body, token=token), route)
    await check_state()


@pytest.mark.parametrize("called", OTHERS, ids=" ".join)
@FEW
@given(data=st.data())
async def test_no_path_and_no_query_is_a_defect(called: Called, data: st.DataObject) -> None:
    start_afresh()
    method, route = called
    path, query = data.draw(fuzz.paths(route), "path"), data.draw(fuzz.queries(bodies.ASKED.get(route, {})), "query")
    check(await ask(method, path, query), route)
    await check_state()
