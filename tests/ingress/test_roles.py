"""Who may do what: every route of the application against every role. A route without a row fails here."""

from typing import Any, NamedTuple

import pytest
from starlette.routing import Route

from contract import codec, state
from contract.state import Permission, Principal, SecretScope
from ingress import sealing
from tests.ingress.world import CHAT, MASTER_KEY, USER_TOKEN, World

ROLES = ("anonymous", "expired", "inactive", "stranger", "viewer", "querier", "manager", "admin")
"""From least to most: who may do something, everybody to the right of them may. On the scope: READ, WRITE, MANAGE."""
KNOWN = "stranger"
LEVELS = {"viewer": "CAN_VIEW", "querier": "CAN_QUERY", "manager": "CAN_MANAGE"}
SCOPE_LEVELS = {"viewer": "READ", "querier": "WRITE", "manager": "MANAGE"}
API, QUERIES = "/api/2.0", "/serving-endpoints"
ENDPOINTS, ONE = f"{API}/serving-endpoints", f"{API}/serving-endpoints/{{name}}"
TOKEN_GRANTS = f"{API}/permissions/authorization/tokens"
GRANTS = f"{API}/permissions/serving-endpoints/{{id}}"
SECRETS, TOKENS, SCIM = f"{API}/secrets", f"{API}/token-management", f"{API}/preview/scim/v2"
CONFIG: Any = CHAT["config"]
ASKED: Any = {"messages": [{"role": "user", "content": "x"}]}
LIMITS: Any = {"rate_limits": [{"calls": 1, "renewal_period": "minute"}]}
SCOPE: Any = {"scope": "s"}
COMMENT: Any = {"token": {"comment": "c"}, "update_mask": "comment"}
ROBOT = "01234567-89ab-cdef-0123-456789abcdef"


class Row(NamedTuple):
    """A route, the least role that may, and what it then gets. `path`: the route's parameters."""

    method: str
    route: str
    least: str
    body: Any = None
    status: int = 200
    path: dict[str, str] = {}  # noqa: RUF012
    query: dict[str, str] = {}  # noqa: RUF012


def chat(**more: Any) -> Any:
    return ASKED | {"model": "chat"} | more


SECRET = {"scope": "s", "key": "k"}
ACL = {"scope": "s", "principal": "viewer@x.com"}
ROWS = [
    Row("GET", "/healthz", "anonymous"),
    Row("GET", "/.well-known/databricks-config", "anonymous"),
    Row("POST", f"{QUERIES}/chat/completions", "querier", chat()),
    Row("POST", f"{QUERIES}/{{name}}/invocations", "querier", ASKED),
    Row("POST", f"{QUERIES}/{{name}}/served-models/{{entity}}/invocations", "querier", ASKED, path={"entity": "small"}),
    Row("POST", f"{QUERIES}/completions", "querier", chat(), 400),
    Row("POST", f"{QUERIES}/embeddings", "querier", chat(), 400),
    Row("POST", f"{QUERIES}/responses", KNOWN, chat(), 400),
    Row("GET", f"{QUERIES}/models", KNOWN),
    Row("POST", ENDPOINTS, KNOWN, {"name": "new"}),
    Row("GET", ENDPOINTS, KNOWN),
    Row("GET", ONE, "viewer"),
    Row("DELETE", ONE, "manager"),
    Row("PUT", f"{ONE}/config", "manager", CONFIG),
    Row("PUT", f"{ONE}/ai-gateway", "manager", {}),
    Row("GET", f"{ONE}/metrics", "viewer", status=503),
    Row("PUT", f"{ONE}/rate-limits", "manager", LIMITS),
    Row("PATCH", f"{ONE}/tags", "manager", {"add_tags": [{"key": "k"}]}),
    Row("PATCH", f"{ONE}/notifications", "manager", {"email_notifications": {"on_update_success": ["a@b.c"]}}),
    Row("PATCH", f"{ONE}/telemetry-config", "viewer", {}, 400),
    Row("GET", f"{ONE}/openapi", "viewer"),
    Row("GET", f"{ONE}/served-models/{{entity}}/logs", "viewer", path={"entity": "small"}),
    Row("GET", f"{ONE}/served-models/{{entity}}/build-logs", "viewer", path={"entity": "small"}),
    Row("POST", f"{ENDPOINTS}/pt", KNOWN, {}, 400),
    Row("PUT", f"{ENDPOINTS}/pt/{{name}}/config", KNOWN, {}, 400),
    Row("GET", GRANTS, "viewer"),
    Row("GET", f"{GRANTS}/permissionLevels", "viewer"),
    Row("PUT", GRANTS, "manager", {}),
    Row("PATCH", GRANTS, "manager", {}),
    Row("POST", f"{SECRETS}/scopes/create", KNOWN, {"scope": "new"}),
    Row("GET", f"{SECRETS}/scopes/list", KNOWN),
    Row("POST", f"{SECRETS}/scopes/delete", "manager", SCOPE),
    Row("POST", f"{SECRETS}/put", "querier", SECRET | {"string_value": "x"}),
    Row("GET", f"{SECRETS}/get", "viewer", query=SECRET),
    Row("GET", f"{SECRETS}/list", "viewer", query=SCOPE),
    Row("POST", f"{SECRETS}/delete", "querier", SECRET),
    Row("POST", f"{SECRETS}/acls/put", "manager", ACL | {"permission": "READ"}),
    Row("GET", f"{SECRETS}/acls/get", "manager", query=ACL),
    Row("GET", f"{SECRETS}/acls/list", "manager", query=SCOPE),
    Row("POST", f"{SECRETS}/acls/delete", "manager", ACL),
    Row("POST", f"{API}/token/create", KNOWN, {}),
    Row("GET", f"{API}/token/list", KNOWN),
    Row("POST", f"{API}/token/delete", "admin", {"token_id": USER_TOKEN}),
    Row("PATCH", f"{API}/token/{{id}}", "admin", COMMENT, path={"id": USER_TOKEN}),
    Row("POST", f"{TOKENS}/on-behalf-of/tokens", "admin", {"application_id": ROBOT}),
    Row("GET", f"{TOKENS}/tokens", "admin"),
    Row("GET", f"{TOKENS}/tokens/{{id}}", "admin", path={"id": "dapi-stranger"}),
    Row("PATCH", f"{TOKENS}/tokens/{{id}}", "admin", COMMENT, path={"id": "dapi-querier"}),
    Row("DELETE", f"{TOKENS}/tokens/{{id}}", "admin", path={"id": "dapi-querier"}),
    Row("GET", TOKEN_GRANTS, "admin"),
    Row("GET", f"{TOKEN_GRANTS}/permissionLevels", "admin"),
    Row("PUT", TOKEN_GRANTS, "admin", {}),
    Row("PATCH", TOKEN_GRANTS, "admin", {}),
    Row("GET", f"{SCIM}/Me", KNOWN),
]
for _place, _id, _body in (
    ("Users", "8", {"userName": "new@x.com"}),
    ("ServicePrincipals", "9", {"displayName": "new"}),
    ("Groups", "7", {"displayName": "new"}),
):
    _one = {"id": _id}
    ROWS += [
        Row("GET", f"{SCIM}/{_place}", KNOWN),
        Row("GET", f"{SCIM}/{_place}/{{id}}", KNOWN, path=_one),
        Row("POST", f"{SCIM}/{_place}", "admin", _body, 201),
        Row("PUT", f"{SCIM}/{_place}/{{id}}", "admin", {"displayName": "d"}, path=_one),
        Row("PATCH", f"{SCIM}/{_place}/{{id}}", "admin", {"Operations": []}, path=_one),
        Row("DELETE", f"{SCIM}/{_place}/{{id}}", "admin", path=_one),
    ]


async def peopled() -> tuple[World, str]:
    """A world with one of each role, an endpoint and a scope that they hold their levels on; the endpoint's id."""
    world = World()
    for number, role in enumerate(ROLES[1:], 10):
        active, admin = role != "inactive", role == "admin"
        one = Principal(id=str(number), name=f"{role}@x.com", display_name=role, active=active, admin=admin)
        world.know(one, f"dapi-{role}", world.now_ms if role == "expired" else -1)
    world.write("principal/other@x.com", Principal(id="8", name="other@x.com", display_name="other"))
    robot = Principal(id="9", name=ROBOT, display_name="robot", kind="service_principal")
    world.write(state.key("principal", ROBOT), robot)
    world.write("group/staff", {"id": "7", "name": "staff"})
    endpoint_id: str = (await world.post(ENDPOINTS, CHAT)).json()["id"]
    levels: Any = {f"{role}@x.com": level for role, level in LEVELS.items()}
    world.write(state.key("permission", endpoint_id), Permission(endpoint_id=endpoint_id, levels=levels))
    acls: Any = {f"{role}@x.com": level for role, level in SCOPE_LEVELS.items()}
    world.write("scope/s", SecretScope(name="s", manager="", created_at_ms=0, acls=acls))
    sealed = {"scope": "s", "key": "k", "sealed": sealing.seal("hush", MASTER_KEY), "updated_at_ms": 0}
    world.write("secret/s/k", sealed)
    return world, endpoint_id


def expected(row: Row, role: str) -> int:
    """Somebody else's token is as good as unknown; whatever else somebody may not do is 403."""
    if ROLES.index(role) >= ROLES.index(row.least):
        return row.status
    if ROLES.index(role) < ROLES.index(KNOWN):
        return 401
    return 404 if row.route in (f"{API}/token/delete", f"{API}/token/{{id}}") else 403


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.route}")
async def test_every_role_may_what_it_may_and_no_more(row: Row) -> None:
    got, wanted = {}, {}
    for role in ROLES:
        world, endpoint_id = await peopled()
        before = codec.encode(dict(world.view.endpoints)), world.view.offset
        path = row.route.format(**{"name": "chat", "id": endpoint_id} | row.path)
        token = None if role == "anonymous" else f"dapi-{role}"
        answer = await world.call(row.method, path, token, json=row.body, params=row.query)
        got[role], wanted[role] = answer.status_code, expected(row, role)
        if answer.status_code in (401, 403):
            assert answer.json()["message"] and "hush" not in answer.text
            assert (codec.encode(dict(world.view.endpoints)), world.view.offset) == before, role
    assert got == wanted


async def test_every_route_has_a_row() -> None:
    routes = [route for route in World().app.routes if isinstance(route, Route) and not route.path.endswith("/")]
    there = {(method, route.path) for route in routes for method in (route.methods or ()) if method != "HEAD"}
    assert there == {(row.method, row.route) for row in ROWS}


async def test_lists_show_what_one_may_see() -> None:
    world, _ = await peopled()
    seen = {}
    for role in ROLES[3:]:
        endpoints = (await world.call("GET", ENDPOINTS, f"dapi-{role}")).json()["endpoints"]
        models = (await world.call("GET", f"{QUERIES}/models", f"dapi-{role}")).json()["data"]
        scopes = (await world.call("GET", f"{SECRETS}/scopes/list", f"dapi-{role}")).json()["scopes"]
        seen[role] = (len(endpoints), len(models), len(scopes))
    assert seen == {
        "stranger": (0, 0, 0),
        "viewer": (1, 0, 1),
        "querier": (1, 1, 1),
        "manager": (1, 1, 1),
        "admin": (1, 1, 1),
    }
