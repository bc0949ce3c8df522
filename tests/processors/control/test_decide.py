"""Every action: a decision or a refusal for any body, never an exception, never a change to the view."""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.refusals import Refusal
from contract.state import Group, Principal
from processors.control.base import Decision
from processors.control.decide import ACTIONS
from tests.processors.control.world import ADMIN, OWNER, World, entity, split

ROBOT = "01234567-89ab-cdef-0123-456789abcdef"
TABLE = {"enabled": True, "catalog_name": "c", "schema_name": "s", "table_name_prefix": "p"}
GATEWAY = {
    "usage_tracking_config": {"enabled": True},
    "inference_table_config": TABLE,
    "rate_limits": [{"calls": 1, "key": "user_group", "principal": "g", "renewal_period": "minute"}],
    "guardrails": {"input": {"safety": False, "pii": {"behavior": "MASK"}, "invalid_keywords": ["k"]}},
    "fallback_config": {"enabled": True},
}
CONFIG = {"served_entities": [entity("a"), entity("b")], "traffic_config": split(("a", 30), ("b", 70))}
BODIES: dict[str, dict[str, Any]] = {
    "endpoint.create": {"name": "new", "config": CONFIG, "ai_gateway": GATEWAY, "tags": [{"key": "k", "value": "v"}]},
    "endpoint.update_config": CONFIG,
    "endpoint.put_ai_gateway": GATEWAY,
    "endpoint.put_rate_limits": {"rate_limits": [{"calls": 1, "key": "user", "renewal_period": "minute"}]},
    "endpoint.patch_tags": {"add_tags": [{"key": "k", "value": "v"}], "delete_tags": ["x"]},
    "endpoint.patch_notifications": {"email_notifications": {"on_update_success": ["a"], "on_update_failure": []}},
    "endpoint.delete": {},
    "token.create": {"token_id": "t", "hash": "0" * 64, "comment": "c", "lifetime_seconds": 60},
    "token.update": {"comment": "new"},
    "token.delete": {"token_id": "mine"},
    "scope.create": {"scope": "new", "initial_manage_principal": None},
    "scope.delete": {"scope": "scope"},
    "secret.put": {"scope": "scope", "key": "new", "sealed": "x"},
    "secret.delete": {"scope": "scope", "key": "key"},
    "token.create_for": {"application_id": ROBOT, "token_id": "t", "hash": "2" * 64},
    "token.revoke": {},
    "user.create": {"user_name": "new@example.com", "display_name": "New", "active": True},
    "service_principal.create": {"display_name": "Robot", "application_id": None},
    "principal.change": {"kind": "user", "display_name": "Else", "active": False},
    "principal.delete": {"kind": "user"},
    "group.create": {"display_name": "new", "members": ["2"]},
    "group.change": {"display_name": "staff", "steps": [{"op": "add", "ids": ["2"]}]},
    "group.delete": {},
    "permission.put": {"access_control_list": [{"user_name": OWNER, "permission_level": "CAN_VIEW"}]},
    "permission.patch": {"access_control_list": [{"group_name": "team", "permission_level": "CAN_QUERY"}]},
    "token_permission.put": {"access_control_list": [{"group_name": "team", "permission_level": "CAN_USE"}]},
    "token_permission.patch": {"access_control_list": [{"user_name": OWNER, "permission_level": "CAN_USE"}]},
    "scope.put_acl": {"scope": "scope", "principal": "team", "permission": "READ"},
    "scope.delete_acl": {"scope": "scope", "principal": OWNER},
    "bootstrap.admin": {"name": "a", "display_name": "b", "hash": "1" * 64},
}


def furnished() -> World:
    world = World()
    world.keep("principal/" + ROBOT, Principal(id="3", name=ROBOT, display_name="R", kind="service_principal"))
    world.keep("group/team", Group(id="4", name="team"))
    world.create()
    world.do("token.create", {"token_id": "mine", "hash": "f" * 64})
    world.do("scope.create", {"scope": "scope"})
    world.do("secret.put", {"scope": "scope", "key": "key", "sealed": "x"})
    return world


WORLD = furnished()
TARGETS = {
    "token.update": "mine",
    "token.revoke": "mine",
    "principal.change": "2",
    "principal.delete": "2",
    "group.change": "4",
    "group.delete": "4",
    "permission.put": WORLD.view.endpoints["chat"].id,
    "permission.patch": WORLD.view.endpoints["chat"].id,
}


def about(action: str) -> dict[str, Any]:
    return {"target": TARGETS.get(action, "chat"), "by": ADMIN}


def test_there_is_a_good_body_for_every_action_here() -> None:
    assert BODIES.keys() == ACTIONS.keys()


@pytest.mark.parametrize("action", BODIES)
def test_a_good_body_is_decided_and_its_changes_fold(action: str) -> None:
    furnished().do(action, BODIES[action], **about(action))


def test_an_unknown_action_is_refused() -> None:
    assert WORLD.refused("endpoint.paint")[0] == 400


def paths(body: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [so_far] + [path for key, inner in items for path in paths(inner, (*so_far, key))]


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    at = copy.deepcopy(body)
    target = at
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return at


Anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
Places = st.sampled_from([(action, path) for action, body in BODIES.items() for path in paths(body)])


@settings(max_examples=300)
@given(place=Places, value=Anything)
def test_no_value_anywhere_in_a_body_makes_deciding_raise(place: tuple[str, tuple[Any, ...]], value: Any) -> None:
    action, path = place
    body = replaced(BODIES[action], path, value)
    before = (WORLD.view.offset, len(WORLD.view.endpoints), len(WORLD.view.tokens), len(WORLD.view.secrets))
    result = WORLD.decide(action, body, **about(action))
    if isinstance(result, Decision):
        msgspec.json.decode(result.body)
    else:
        assert 400 <= result.status < 500
    after = (WORLD.view.offset, len(WORLD.view.endpoints), len(WORLD.view.tokens), len(WORLD.view.secrets))
    assert before == after


@given(action=st.sampled_from(sorted(ACTIONS)), body=st.binary(max_size=40))
def test_no_bytes_make_deciding_raise(action: str, body: bytes) -> None:
    assert isinstance(WORLD.decide(action, body, **about(action)), Decision | Refusal)


@pytest.mark.parametrize("action", sorted(action for action in ACTIONS if BODIES[action]))
def test_a_body_nested_beyond_reason_is_malformed(action: str) -> None:
    deep = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert WORLD.refused(action, deep, **about(action))[:2] == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("calls", [2**63, 10**40])
def test_a_number_no_int64_holds_is_refused_not_kept(calls: int) -> None:
    body = f'{{"rate_limits":[{{"renewal_period":"minute","calls":{calls}}}]}}'.encode()
    assert "rate_limits[0].calls" in WORLD.refused("endpoint.put_ai_gateway", body, target="chat")[2]
