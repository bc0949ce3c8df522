"""The web application: whatever is asked, the answer has the vendor's shape and everybody's headers."""

import logging

import httpx
import pytest
from starlette.routing import Route

from ingress.web import Outside
from tests.ingress.world import MASTER_KEY, World, finished
from tests.support import errors

HEADERS = {"x-databricks-request-id", "x-request-id", "x-databricks-org-id", "x-headgate-config-version"}


def check(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert errors.of(answer).keys() == {"error_code", "message"}
    assert answer.headers.keys() >= HEADERS and answer.headers["content-type"] == "application/json"
    assert answer.headers.get_list("content-type") == ["application/json"]


@pytest.mark.parametrize("path", ["/", "/nope", "/api/2.0/nope", "/docs", "/openapi.json"])
async def test_an_unknown_route_is_404_in_the_envelope(path: str) -> None:
    check(await World().call("GET", path), 404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/serving-endpoints/a/invocations"), ("PUT", "/api/2.0/token/list")]
)
async def test_a_wrong_method_is_405_in_the_envelope_and_says_what_is_allowed(method: str, path: str) -> None:
    answer = await World().call(method, path)
    check(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"]


async def test_a_defect_is_500_names_the_request_and_says_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    world = World()

    async def fails(*_: object, **__: object) -> bool:
        raise RuntimeError("sk-very-secret")

    world.state.reached = fails  # type: ignore[method-assign]
    transport = httpx.ASGITransport(app=world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        headers = {"Authorization": "Bearer dapi-ada"}
        with caplog.at_level(logging.ERROR):
            answer = await client.post("/api/2.0/secrets/scopes/create", json={"scope": "s"}, headers=headers)
    check(answer, 500, "INTERNAL_ERROR")
    assert answer.headers["x-request-id"] in answer.json()["message"] and "secret" not in answer.json()["message"]
    assert [record.getMessage() for record in caplog.records] == ["defect"]


ASKED = [
    ("GET", "/api/2.0/serving-endpoints/nope", None),
    ("DELETE", "/api/2.0/serving-endpoints/nope", None),
    ("POST", "/api/2.0/serving-endpoints", {"name": "-"}),
    ("POST", "/api/2.0/secrets/put", {"scope": "nope", "key": "k", "string_value": "v"}),
    ("POST", "/serving-endpoints/nope/invocations", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
async def test_whoever_refuses_the_body_names_the_request_as_the_headers_do(
    method: str, path: str, body: object
) -> None:
    answer = await World().call(method, path, json=body)
    assert answer.status_code >= 400 and errors.of(answer).keys() == {"error_code", "message"}


async def test_every_route_names_the_request_in_its_refusals() -> None:
    world = World()
    for route in world.app.routes:
        assert isinstance(route, Route) and route.methods is not None
        method = min(route.methods)
        answer = await world.call(method, route.path, token=None)
        assert answer.status_code == 200 or errors.of(answer)["error_code"] == "UNAUTHENTICATED", route.path


async def test_scims_refusals_name_the_request_beside_their_own_keys() -> None:
    world = World()
    for method, path in (("GET", "nope"), ("DELETE", "nope"), ("GET", "?filter=x")):
        answer = await world.call(method, f"/api/2.0/preview/scim/v2/Users/{path}".replace("/?", "?"))
        assert {"schemas", "detail", "status", "message"} <= errors.of(answer).keys()


async def test_every_answer_carries_the_headers() -> None:
    world = World()
    world.worker = lambda r: [finished(r)]
    for method, path in (
        ("GET", "/healthz"),
        ("GET", "/api/2.0/token/list"),
        ("GET", "/.well-known/databricks-config"),
    ):
        assert (await world.call(method, path)).headers.keys() >= HEADERS
    assert (await world.call("GET", "/api/2.0/token/list", token=None)).headers.keys() >= HEADERS


async def test_two_requests_have_two_ids() -> None:
    world = World()
    ids = {(await world.call("GET", "/healthz")).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2


def test_what_the_application_is_handed_shows_no_key() -> None:
    world = World()
    outside = Outside(
        settings=world.settings,
        master_key=MASTER_KEY,
        boot=None,  # type: ignore[arg-type]
        state=world.state,
        waiters=world.waiters,
        publish=world.publish,
        cancel=print,
        own=dict,
    )
    assert "mmmm" not in repr(outside)
