"""Secret scopes and secrets: who may, what is kept, what goes."""

import pytest

from contract import limits
from contract.state import Secret
from tests.processors.control.world import ADMIN, OWNER, STRANGER, T0, World

SCOPE = "demo-token-takaaki.yayoi"
PUT = {"scope": SCOPE, "key": "openai_api_key", "sealed": "c2VhbGVk"}


def with_scope() -> World:
    world = World()
    assert world.do("scope.create", {"scope": SCOPE}) == {}
    return world


def test_whoever_makes_a_scope_manages_it() -> None:
    scope = with_scope().view.scopes[SCOPE]
    assert (scope.manager, scope.created_at_ms) == (OWNER, T0)


def test_a_scope_for_all_users_is_open_to_them() -> None:
    world = World()
    world.do("scope.create", {"scope": SCOPE, "initial_manage_principal": "users"})
    world.do("secret.put", PUT, by=STRANGER)
    assert world.refused("scope.create", {"scope": "b", "initial_manage_principal": "x"})[0] == 400


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 129, "a{b", "é", "a\n"])
def test_a_bad_scope_name_is_refused(name: str) -> None:
    status, code, message = World().refused("scope.create", {"scope": name})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE") and message.startswith("scope:")


def test_a_taken_scope_is_400() -> None:
    assert with_scope().refused("scope.create", {"scope": SCOPE})[:2] == (400, "RESOURCE_ALREADY_EXISTS")


def test_a_secret_is_kept_sealed_and_replaced() -> None:
    world = with_scope()
    world.do("secret.put", PUT)
    world.now_ms += 1
    assert world.do("secret.put", PUT | {"sealed": "bmV3"}) == {}
    assert world.view.secrets == {
        (SCOPE, "openai_api_key"): Secret(scope=SCOPE, key="openai_api_key", sealed="bmV3", updated_at_ms=T0 + 1)
    }


@pytest.mark.parametrize("key", ["", "a/b", "a b", "x" * 129, "a\n"])
def test_a_bad_key_is_refused(key: str) -> None:
    assert with_scope().refused("secret.put", PUT | {"key": key})[2].startswith("key:")


@pytest.mark.parametrize("sealed", ["", "x" * 2 * limits.SECRET_VALUE_BYTES + "x", 1])
def test_a_value_that_cannot_be_one_of_ours_is_refused(sealed: object) -> None:
    assert with_scope().refused("secret.put", PUT | {"sealed": sealed})[2].startswith("sealed:")


def test_a_scope_holds_only_so_many_secrets_but_replacing_one_is_fine() -> None:
    world = with_scope()
    for n in range(limits.SECRETS_PER_SCOPE):
        world.keep(f"secret/{SCOPE}/k{n}", Secret(scope=SCOPE, key=f"k{n}", sealed="x", updated_at_ms=T0))
    assert world.refused("secret.put", PUT)[1] == "QUOTA_EXCEEDED"
    world.do("secret.put", PUT | {"key": "k0"})


ACTIONS = [("scope.delete", {"scope": SCOPE}), ("secret.put", PUT), ("secret.delete", PUT)]


@pytest.mark.parametrize(("action", "body"), ACTIONS)
def test_a_missing_scope_is_404(action: str, body: dict[str, str]) -> None:
    assert World().refused(action, body)[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(("action", "body"), ACTIONS)
def test_only_the_manager_and_admins_touch_a_scope(action: str, body: dict[str, str]) -> None:
    world = with_scope()
    world.do("secret.put", PUT)
    assert world.refused(action, body, by=STRANGER)[:2] == (403, "PERMISSION_DENIED")
    world.do(action, body, by=ADMIN)


def test_a_secret_that_is_not_there_is_404() -> None:
    assert with_scope().refused("secret.delete", {"scope": SCOPE, "key": "k"})[0] == 404


def test_a_scope_goes_with_its_secrets_and_no_others() -> None:
    world = with_scope()
    world.do("scope.create", {"scope": "other"})
    world.do("secret.put", PUT)
    world.do("secret.put", PUT | {"scope": "other"})
    assert world.do("scope.delete", {"scope": SCOPE}) == {}
    assert list(world.view.scopes) == ["other"]
    assert list(world.view.secrets) == [("other", "openai_api_key")]
