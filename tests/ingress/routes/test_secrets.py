"""Secrets over HTTP: base64 out, sealed in between, only for who manages the scope."""

import base64

import pytest

from ingress.routes.secrets import SecretAsked
from tests.ingress.world import USER_TOKEN, World

ROOT = "/api/2.0/secrets"


async def with_scope(token: str | None = None) -> World:
    world = World()
    answer = await world.post(f"{ROOT}/scopes/create", {"scope": "s"}, *([token] if token else []))
    assert (answer.status_code, answer.json()) == (200, {})
    return world


async def put(world: World, **value: str) -> int:
    return (await world.post(f"{ROOT}/put", {"scope": "s", "key": "k"} | value)).status_code


@pytest.mark.parametrize("value", [b"hush", "日本語".encode(), b"\xff\x00", b""])
async def test_what_is_put_comes_back_as_base64_and_leaves_sealed(value: bytes) -> None:
    world = await with_scope()
    assert await put(world, bytes_value=base64.b64encode(value).decode()) == 200
    got = (await world.call("GET", f"{ROOT}/get", params={"scope": "s", "key": "k"})).json()
    assert got == {"key": "k", "value": base64.b64encode(value).decode()}
    sent = b"".join(record for _, _, record in world.published)
    assert not value or (value not in sent and base64.b64encode(value) not in sent)


async def test_a_text_is_its_utf_8() -> None:
    world = await with_scope()
    assert await put(world, string_value="日本") == 200
    got = (await world.call("GET", f"{ROOT}/get?scope=s&key=k")).json()["value"]
    assert base64.b64decode(got).decode() == "日本"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"string_value": "hush-hush", "bytes_value": "aHVzaA=="},
        {"bytes_value": "*hush*"},
        {"bytes_value": "é"},
        {"string_value": "x" * (128 * 1024 + 1)},
    ],
)
async def test_a_value_that_is_none_two_or_too_large_is_400_and_not_quoted(value: dict[str, str]) -> None:
    world = await with_scope()
    answer = await world.post(f"{ROOT}/put", {"scope": "s", "key": "k"} | value)
    assert answer.status_code == 400 and "_value" in answer.json()["message"]
    assert all(text not in answer.text for text in value.values())


async def test_a_secret_does_not_show_in_a_repr() -> None:
    assert "hush" not in repr(SecretAsked(scope="s", key="k", string_value="hush"))


async def test_keys_are_listed_without_values_and_deleted() -> None:
    world = await with_scope()
    await put(world, string_value="hush")
    listed = (await world.call("GET", f"{ROOT}/list?scope=s")).json()
    assert listed == {"secrets": [{"key": "k", "last_updated_timestamp": world.now_ms}]}
    assert (await world.post(f"{ROOT}/delete", {"scope": "s", "key": "k"})).json() == {}
    assert (await world.call("GET", f"{ROOT}/get?scope=s&key=k")).status_code == 404


async def test_scopes_are_listed_and_deleted() -> None:
    world = await with_scope()
    listed = (await world.call("GET", f"{ROOT}/scopes/list")).json()
    assert listed == {"scopes": [{"name": "s", "backend_type": "DATABRICKS"}]}
    assert (await world.post(f"{ROOT}/scopes/delete", {"scope": "s"})).json() == {}
    assert (await world.call("GET", f"{ROOT}/scopes/list")).json() == {"scopes": []}


async def test_a_scope_twice_is_400_with_the_code_the_sdk_knows() -> None:
    world = await with_scope()
    answer = await world.post(f"{ROOT}/scopes/create", {"scope": "s"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


async def test_a_scope_in_another_vault_is_not_supported() -> None:
    answer = await World().post(f"{ROOT}/scopes/create", {"scope": "s", "scope_backend_type": "AZURE_KEYVAULT"})
    assert answer.status_code == 400 and "scope_backend_type" in answer.json()["message"]


@pytest.mark.parametrize("path", ["get?scope=nope&key=k", "get", "list?scope=nope", "list", "get?scope=s&key=nope"])
async def test_what_is_not_there_is_404(path: str) -> None:
    answer = await (await with_scope()).call("GET", f"{ROOT}/{path}")
    assert answer.status_code == 404 and answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


async def test_only_the_manager_and_admins_read_and_write() -> None:
    world = await with_scope()
    await put(world, string_value="hush")
    for method, path, body in (
        ("GET", "get?scope=s&key=k", None),
        ("GET", "list?scope=s", None),
        ("POST", "put", {"scope": "s", "key": "k", "string_value": "x"}),
        ("POST", "delete", {"scope": "s", "key": "k"}),
        ("POST", "scopes/delete", {"scope": "s"}),
    ):
        answer = await world.call(method, f"{ROOT}/{path}", token=USER_TOKEN, json=body)
        assert answer.status_code == 403, path
    assert (await world.call("GET", f"{ROOT}/scopes/list", token=USER_TOKEN)).json() == {"scopes": []}


async def test_an_admin_reads_a_scope_of_somebody_else() -> None:
    world = await with_scope(USER_TOKEN)
    assert await put(world, string_value="hush") == 200
    assert (await world.call("GET", f"{ROOT}/get?scope=s&key=k")).status_code == 200


ACLS = f"{ROOT}/acls"


async def test_a_level_opens_what_it_is_for_and_shows_on_the_list() -> None:
    world = await with_scope()
    assert await put(world, string_value="hush") == 200

    async def statuses() -> list[int]:
        secret = {"scope": "s", "key": "new", "string_value": "x"}
        return [
            (await world.call("GET", f"{ROOT}/get?scope=s&key=k", USER_TOKEN)).status_code,
            (await world.post(f"{ROOT}/put", secret, USER_TOKEN)).status_code,
            (await world.call("GET", f"{ACLS}/list?scope=s", USER_TOKEN)).status_code,
        ]

    assert await statuses() == [403, 403, 403]
    for level, expected in (("READ", [200, 403, 403]), ("WRITE", [200, 200, 403]), ("MANAGE", [200, 200, 200])):
        body = {"scope": "s", "principal": "bob@example.com", "permission": level}
        assert (await world.post(f"{ACLS}/put", body)).json() == {}
        assert await statuses() == expected
    row = {"principal": "bob@example.com", "permission": "MANAGE"}
    items = (await world.call("GET", f"{ACLS}/list?scope=s")).json()["items"]
    assert items == [{"principal": "ada@example.com", "permission": "MANAGE"}, row]
    got = await world.call("GET", f"{ACLS}/get?scope=s&principal=bob@example.com")
    assert got.json() == row
    assert (await world.post(f"{ACLS}/delete", {"scope": "s", "principal": "bob@example.com"})).json() == {}
    assert await statuses() == [403, 403, 403]
    assert (await world.call("GET", f"{ACLS}/get?scope=s&principal=bob@example.com")).status_code == 404


async def test_lists_of_scopes_that_are_not_there_are_404() -> None:
    for path in (f"{ACLS}/list?scope=t", f"{ACLS}/get?scope=t&principal=x"):
        assert (await World().call("GET", path)).status_code == 404
