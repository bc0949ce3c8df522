"""The web application: every route, its handler, and what is said where there is none."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from contract import logs, refusals
from contract.refusals import Refusal
from ingress import scrape, wire
from ingress.commands import Commands
from ingress.edge import REQUEST_ID, Bodies, Edge, Handler, Managed
from ingress.identity import Identity
from ingress.intake import Intake
from ingress.ports import Boot, Cancel, Publish, State
from ingress.routes import directory, extras, serving
from ingress.routes.access import People, TokenManagement, Tokens
from ingress.routes.directory import Groups, Principals
from ingress.routes.extras import Extras
from ingress.routes.health import Open, Own, discovery, health
from ingress.routes.management import Endpoints
from ingress.routes.permissions import Permissions, TokenPermissions
from ingress.routes.secrets import Secrets
from ingress.routes.serving import Gateway, Queries
from ingress.settings import Settings
from ingress.waiting import Budget, Waiters

LOG = logging.getLogger(__name__)
API = "/api/2.0"
ENDPOINTS = f"{API}/serving-endpoints"
SCIM = f"{API}/preview/scim/v2"
TOKENS = f"{API}/token-management"
TOKEN_GRANTS = f"{API}/permissions/authorization/tokens"
GRANTS = f"{API}/permissions/serving-endpoints/{{id}}"
QUERIES = "/serving-endpoints"


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """What the application is handed of the world: the seam at which tests stand in for the broker."""

    settings: Settings
    master_key: bytes
    boot: Boot
    state: State
    waiters: Waiters
    publish: Publish
    cancel: Cancel
    own: Own

    def __repr__(self) -> str:
        return "Outside(...)"


def application(outside: Outside) -> tuple[FastAPI, Commands]:
    """The web application, and what asks the single writer for changes."""
    settings, state, boot = outside.settings, outside.state, outside.boot
    edge = Edge(
        identity=Identity(state, boot.now),
        bodies=Bodies(settings.body_bytes, Budget(settings.waiting_bytes)),
        state=state,
        workspace_id=settings.workspace_id,
        new_id=boot.new_id,
    )
    commands = Commands(
        waiters=outside.waiters,
        publish=outside.publish,
        state=state,
        boot=boot,
        seconds=settings.command_seconds,
    )
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _query_routes(app, edge, outside)
    _open_routes(app, edge, outside)
    _managed_routes(app, edge, outside, commands)
    _error_answers(app, edge)
    return app, commands


def _add(app: FastAPI, method: str, path: str, endpoint: ASGIApp) -> None:
    """A route straight to an ASGI callable: no request object, no dependencies, no validation on the way."""
    app.add_route(path, cast(Callable[[Request], Awaitable[Response]], endpoint), methods=[method])


def _query_routes(app: FastAPI, edge: Edge, outside: Outside) -> None:
    gateway = Gateway(
        edge=edge,
        boot=outside.boot,
        intake=Intake(
            state=outside.state,
            boot=outside.boot,
            request_ms=outside.settings.request_seconds * 1000,
            master_key=outside.master_key,
        ),
        waiters=outside.waiters,
        publish=outside.publish,
        cancel=outside.cancel,
        retry_after=outside.settings.retry_after,
    )
    _add(app, "POST", f"{QUERIES}/chat/completions", Queries(gateway, "llm/v1/chat"))
    _add(app, "POST", f"{QUERIES}/{{name}}/invocations", Queries(gateway))
    _add(app, "POST", f"{QUERIES}/{{name}}/served-models/{{entity}}/invocations", Queries(gateway))
    _add(app, "POST", f"{QUERIES}/completions", Queries(gateway, "llm/v1/completions"))
    _add(app, "POST", f"{QUERIES}/embeddings", Queries(gateway, "llm/v1/embeddings"))
    _add(app, "POST", f"{QUERIES}/responses", Managed(edge, extras.no_responses))
    _add(app, "GET", f"{QUERIES}/models", Managed(edge, serving.models(edge)))


def _open_routes(app: FastAPI, edge: Edge, outside: Outside) -> None:
    settings = outside.settings
    found = discovery(settings.workspace_id, settings.account_id)
    _add(app, "GET", "/.well-known/databricks-config", Open(edge, found))
    _add(app, "GET", "/healthz", Open(edge, health(outside.own, settings.status_file)))


def _managed_routes(app: FastAPI, edge: Edge, outside: Outside, commands: Commands) -> None:
    state, key = outside.state, outside.master_key

    async def metrics() -> str | None:
        return await scrape.metrics_text(outside.settings.metrics_port, outside.settings.metrics_host)

    endpoints = Endpoints(state=state, commands=commands, master_key=key, metrics=metrics)
    more = Extras(endpoints, commands)
    vault = Secrets(state=state, commands=commands, master_key=key)
    rows: tuple[tuple[str, str, Handler], ...] = (
        ("POST", ENDPOINTS, endpoints.create),
        ("GET", ENDPOINTS, endpoints.list),
        ("GET", f"{ENDPOINTS}/{{name}}", endpoints.get),
        ("DELETE", f"{ENDPOINTS}/{{name}}", endpoints.delete),
        ("PUT", f"{ENDPOINTS}/{{name}}/config", endpoints.update_config),
        ("PUT", f"{ENDPOINTS}/{{name}}/ai-gateway", endpoints.put_ai_gateway),
        ("GET", f"{ENDPOINTS}/{{name}}/metrics", endpoints.metrics),
        ("PUT", f"{ENDPOINTS}/{{name}}/rate-limits", more.put_rate_limits),
        ("PATCH", f"{ENDPOINTS}/{{name}}/tags", more.patch_tags),
        ("PATCH", f"{ENDPOINTS}/{{name}}/notifications", more.patch_notifications),
        ("PATCH", f"{ENDPOINTS}/{{name}}/telemetry-config", more.no_telemetry),
        ("GET", f"{ENDPOINTS}/{{name}}/openapi", more.openapi),
        ("GET", f"{ENDPOINTS}/{{name}}/served-models/{{entity}}/logs", more.logs),
        ("GET", f"{ENDPOINTS}/{{name}}/served-models/{{entity}}/build-logs", more.logs),
        ("POST", f"{ENDPOINTS}/pt", extras.no_throughput),
        ("PUT", f"{ENDPOINTS}/pt/{{name}}/config", extras.no_throughput),
        ("POST", f"{API}/secrets/scopes/create", vault.create_scope),
        ("GET", f"{API}/secrets/scopes/list", vault.list_scopes),
        ("POST", f"{API}/secrets/scopes/delete", vault.delete_scope),
        ("POST", f"{API}/secrets/put", vault.put),
        ("GET", f"{API}/secrets/get", vault.get),
        ("GET", f"{API}/secrets/list", vault.list),
        ("POST", f"{API}/secrets/delete", vault.delete),
        ("POST", f"{API}/secrets/acls/put", vault.put_acl),
        ("GET", f"{API}/secrets/acls/get", vault.get_acl),
        ("GET", f"{API}/secrets/acls/list", vault.list_acls),
        ("POST", f"{API}/secrets/acls/delete", vault.delete_acl),
        *_identity_rows(state, commands),
    )
    for method, path, handler in rows:
        for spelling in (path, f"{path}/"):  # MLflow's client writes the slash
            _add(app, method, spelling, Managed(edge, handler))


def _identity_rows(state: State, commands: Commands) -> Iterator[tuple[str, str, Handler]]:
    tokens = Tokens(state=state, commands=commands, mint=lambda: secrets.token_hex(16))
    yield "POST", f"{API}/token/create", tokens.create
    yield "GET", f"{API}/token/list", tokens.list
    yield "POST", f"{API}/token/delete", tokens.delete
    yield "PATCH", f"{API}/token/{{id}}", tokens.update
    yield "POST", f"{TOKENS}/on-behalf-of/tokens", tokens.create_for
    everybodys = TokenManagement(state=state, commands=commands)
    yield "GET", f"{TOKENS}/tokens", everybodys.list
    yield "GET", f"{TOKENS}/tokens/{{id}}", everybodys.get
    yield "PATCH", f"{TOKENS}/tokens/{{id}}", everybodys.update
    yield "DELETE", f"{TOKENS}/tokens/{{id}}", everybodys.delete
    users = TokenPermissions(state=state, commands=commands)
    yield "GET", TOKEN_GRANTS, users.get
    yield "PUT", TOKEN_GRANTS, users.put
    yield "PATCH", TOKEN_GRANTS, users.patch
    yield "GET", f"{TOKEN_GRANTS}/permissionLevels", users.levels
    granted = Permissions(state=state, commands=commands)
    yield "GET", GRANTS, granted.get
    yield "PUT", GRANTS, granted.put
    yield "PATCH", GRANTS, granted.patch
    yield "GET", f"{GRANTS}/permissionLevels", granted.levels
    yield "GET", f"{SCIM}/Me", People(state).me
    yield from directory.rows(f"{SCIM}/Users", Principals(state=state, commands=commands, kind="user"))
    robots = Principals(state=state, commands=commands, kind="service_principal")
    yield from directory.rows(f"{SCIM}/ServicePrincipals", robots)
    yield from directory.rows(f"{SCIM}/Groups", Groups(state=state, commands=commands))


def _error_answers(app: FastAPI, edge: Edge) -> None:
    """Whatever goes wrong, the caller gets the vendor's envelope and the headers of every answer."""

    def respond(request: Request, refusal: Refusal) -> Response:
        request_id = request.scope.get(REQUEST_ID) or edge.begin(request.scope)
        response = Response(wire.refused(refusal, request_id).body, status_code=refusal.status)
        response.raw_headers = edge.head(wire.JSON, request_id) + response.raw_headers
        return response

    async def no_route(request: Request, error: Exception) -> Response:
        wrong_method = isinstance(error, HTTPException) and error.status_code == 405
        path = request.scope["path"]
        refusal = refusals.wrong_method(request.method, path) if wrong_method else refusals.unknown_route(path)
        response = respond(request, refusal)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    async def defect(request: Request, error: Exception) -> Response:
        request_id = request.scope.get(REQUEST_ID) or edge.begin(request.scope)
        logs.event(LOG, logging.ERROR, "defect", request_id=request_id, error=type(error).__name__)
        return respond(request, refusals.internal(request_id))

    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(Exception, defect)
