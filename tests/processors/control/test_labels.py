"""Tags, notifications and the deprecated limits: what each patch leaves, and whom it refuses."""

import time
from typing import Any

import pytest

from contract.endpoint import Notifications, Tag
from processors.control.labels import patched
from tests.processors.control.world import STRANGER, T0, World

OLD = {"calls": 5, "key": "user", "renewal_period": "minute"}
GROUP = {"calls": 9, "key": "user_group", "principal": "g", "renewal_period": "minute"}
PATCHES = ("endpoint.put_rate_limits", "endpoint.patch_tags", "endpoint.patch_notifications")


def tagged(world: World, *added: tuple[str, str | None], deleted: tuple[str, ...] = ()) -> Any:
    tags = [{"key": key, "value": value} for key, value in added]
    return world.do("endpoint.patch_tags", {"add_tags": tags, "delete_tags": list(deleted)}, "chat")


def test_tags_are_added_changed_and_deleted_and_all_are_answered() -> None:
    world = World()
    world.create(tags=[{"key": "team", "value": "a"}, {"key": "old"}])
    answer = tagged(world, ("stage", "test"), ("team", "b"), deleted=("old", "never there"))
    assert answer == {"tags": [{"key": "team", "value": "b"}, {"key": "stage", "value": "test"}]}
    assert world.view.endpoints["chat"].tags == (Tag(key="team", value="b"), Tag(key="stage", value="test"))


def test_a_tags_patch_may_leave_either_side_out() -> None:
    world = World()
    world.create(tags=[{"key": "a"}])
    assert world.do("endpoint.patch_tags", {"delete_tags": ["a"]}, "chat") == {"tags": []}
    assert world.do("endpoint.patch_tags", {"add_tags": [{"key": "b"}]}, "chat") == {"tags": [{"key": "b"}]}


def test_a_patch_of_very_many_tags_holds_nobody_up() -> None:
    added = [Tag(key=f"a{number}") for number in range(40_000)]
    started = time.monotonic()
    assert len(patched((), added, tuple(f"d{number}" for number in range(40_000)))) == 40_000
    assert time.monotonic() - started < 5, "each with each takes minutes"


@pytest.mark.parametrize(
    "body", [{"add_tags": [{"key": "a"}, {"key": "a"}]}, {"add_tags": [{"key": "a"}], "delete_tags": ["a"]}]
)
def test_a_tag_that_is_named_twice_is_refused(body: Any) -> None:
    world = World()
    world.create()
    assert world.refused("endpoint.patch_tags", body, "chat") == (
        400, "INVALID_PARAMETER_VALUE", "tags: key 'a' occurs more than once",
    )  # fmt: skip


def test_the_old_route_replaces_all_limits_and_leaves_the_rest_of_the_gateway() -> None:
    world = World()
    world.create(ai_gateway={"usage_tracking_config": {"enabled": True}, "rate_limits": [GROUP]})
    assert world.do("endpoint.put_rate_limits", {"rate_limits": [OLD]}, "chat") == {"rate_limits": [OLD]}
    kept = world.view.endpoints["chat"].ai_gateway
    assert kept is not None and kept.usage_tracking_config is not None and kept.rate_limits is not None
    assert [(limit.key, limit.calls) for limit in kept.rate_limits] == [("user", 5)]


def test_no_limits_clear_them_and_an_empty_gateway_with_them() -> None:
    world = World()
    world.create(rate_limits=[OLD])
    assert world.do("endpoint.put_rate_limits", {}, "chat") == {"rate_limits": []}
    assert world.view.endpoints["chat"].ai_gateway is None


@pytest.mark.parametrize("limit", [GROUP, {"tokens": 1, "renewal_period": "minute"}])
def test_the_old_route_takes_calls_for_user_and_endpoint_alone(limit: Any) -> None:
    world = World()
    world.create()
    status, _, message = world.refused("endpoint.put_rate_limits", {"rate_limits": [limit]}, "chat")
    assert status == 400 and message.startswith("rate_limits[0]:")


def test_limits_need_a_config_that_they_could_limit() -> None:
    world = World()
    world.do("endpoint.create", {"name": "bare"})
    assert "without a config" in world.refused("endpoint.put_rate_limits", {"rate_limits": [OLD]}, "bare")[2]


def test_notifications_are_kept_shown_and_cleared() -> None:
    world = World()
    world.create()
    wanted = {"on_update_success": ["a@example.com"]}
    answer = world.do("endpoint.patch_notifications", {"email_notifications": wanted}, "chat")
    assert answer == {"name": "chat", "email_notifications": wanted}
    assert world.view.endpoints["chat"].email_notifications == Notifications(on_update_success=("a@example.com",))
    assert world.do("endpoint.patch_notifications", {}, "chat")["email_notifications"] == {}
    assert world.view.endpoints["chat"].email_notifications is None


@pytest.mark.parametrize("action", PATCHES)
def test_a_patch_moves_the_time_of_the_last_update_and_no_version(action: str) -> None:
    world = World()
    before = world.create()
    world.now_ms += 5000
    world.do(action, {}, "chat")
    after = world.view.endpoints["chat"]
    assert after.updated_at_ms == (T0 + 5000) // 1000 * 1000 > before.updated_at_ms
    assert after.config_version == before.config_version and after.entities == before.entities


@pytest.mark.parametrize("action", PATCHES)
def test_only_who_manages_may_patch_and_only_what_is_there(action: str) -> None:
    world = World()
    world.create()
    assert world.refused(action, {}, "chat", by=STRANGER)[:2] == (403, "PERMISSION_DENIED")
    assert world.refused(action, {}, "nope")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
