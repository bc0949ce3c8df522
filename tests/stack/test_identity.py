"""People, groups, permissions and limits with the real SDK on the real stack; each change holds with the next call."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.common.types.fieldmask import FieldMask
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, PermissionDenied, ResourceConflict
from databricks.sdk.service import iam, serving, settings

from launcher.broker import Broker
from tests.support.compatibility import speaks
from tests.support.people import Somebody, connected, email
from tests.support.provider import ScriptedProvider
from tests.support.services import REPOSITORY, Client, Services

# the SDK leaves its connections to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
SCIM = "/api/2.0/preview/scim/v2"
GRANTS = "/api/2.0/permissions/serving-endpoints/{id}"
TOKENS = "/api/2.0/token-management"
Level = serving.ServingEndpointPermissionLevel
Grant = serving.ServingEndpointAccessControlRequest


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Services(broker.address, tmp_path_factory.mktemp("identity")) as running:
        yield running


def endpoint(gateway: Services, provider: ScriptedProvider, **more: Any) -> tuple[str, str]:
    """A fresh endpoint: its name and its id."""
    name = f"id-{uuid.uuid4().hex[:8]}"
    gateway.endpoint(name, provider.url, f"{name}-model", **more)
    return name, gateway.call("GET", f"/api/2.0/serving-endpoints/{name}").json()["id"]


@speaks(
    "databricks-sdk",
    f"POST {SCIM}/Users",
    f"GET {SCIM}/Users",
    f"GET {SCIM}/Users/{{id}}",
    f"PUT {SCIM}/Users/{{id}}",
    f"PATCH {SCIM}/Users/{{id}}",
    f"DELETE {SCIM}/Users/{{id}}",
)
def test_a_users_life_with_lists_that_end(admin: WorkspaceClient) -> None:
    names = [email() for _ in range(3)]
    made = [admin.users.create(user_name=name, display_name=f"N {name}") for name in names]
    listed = [user.user_name for user in admin.users.list(count=2)]
    assert set(names) <= set(listed) and len(listed) == len(set(listed))
    (found,) = admin.users.list(filter=f'userName eq "{names[1].upper()}"')
    user_id = str(made[1].id)
    assert found.id == user_id and admin.users.get(user_id).display_name == f"N {names[1]}"
    with pytest.raises(ResourceConflict):
        admin.users.create(user_name=names[0])
    admin.users.patch(user_id, operations=[iam.Patch(op=iam.PatchOp.REPLACE, path="displayName", value="New")])
    admin.users.update(user_id, user_name=names[1], active=False)
    changed = admin.users.get(user_id)
    assert (changed.display_name, changed.active) == ("New", False)
    admin.users.delete(user_id)
    with pytest.raises(NotFound):
        admin.users.get(user_id)


@speaks(
    "databricks-sdk",
    f"POST {SCIM}/Groups",
    f"GET {SCIM}/Groups",
    f"GET {SCIM}/Groups/{{id}}",
    f"PATCH {SCIM}/Groups/{{id}}",
    f"PUT {SCIM}/Groups/{{id}}",
    f"DELETE {SCIM}/Groups/{{id}}",
)
def test_a_groups_life_and_a_member_of_admins_rules(admin: WorkspaceClient, gateway: Services) -> None:
    with Somebody(admin, gateway) as somebody:
        as_them = connected(gateway, somebody.token)
        name = f"g{uuid.uuid4().hex[:8]}"
        with pytest.raises(PermissionDenied):
            as_them.groups.create(display_name=name)
        group = admin.groups.create(display_name=name, members=[iam.ComplexValue(value=somebody.id)])
        assert [one.display for one in as_them.current_user.me().groups or []] == [name]
        group_id = str(group.id)
        admin.groups.update(group_id, display_name=f"{name}-2", members=[])
        assert admin.groups.get(group_id).members == [] and as_them.current_user.me().groups == []
        (admins,) = admin.groups.list(filter="displayName eq admins")
        member = [iam.ComplexValue(value=somebody.id).as_dict()]
        admin.groups.patch(str(admins.id), operations=[iam.Patch(op=iam.PatchOp.ADD, path="members", value=member)])
        as_them.groups.delete(group_id)
        gone = iam.Patch(op=iam.PatchOp.REMOVE, path=f'members[value eq "{somebody.id}"]')
        admin.groups.patch(str(admins.id), operations=[gone])
        with pytest.raises(PermissionDenied):
            as_them.groups.create(display_name=name)


def test_a_group_within_a_group_brings_its_members_and_never_itself(
    admin: WorkspaceClient, gateway: Services, provider: ScriptedProvider
) -> None:
    inner, outer = (f"g{uuid.uuid4().hex[:8]}" for _ in range(2))
    limit = {"calls": 2, "key": "user_group", "principal": outer, "renewal_period": "minute"}
    with Somebody(admin, gateway) as first, Somebody(admin, gateway) as second:
        low = admin.groups.create(display_name=inner, members=[iam.ComplexValue(value=first.id)])
        members = [iam.ComplexValue(value=one) for one in (low.id, second.id)]
        top = admin.groups.create(display_name=outer, members=members)
        name, endpoint_id = endpoint(gateway, provider, rate_limits=[limit])
        rows = [Grant(group_name=outer, permission_level=Level.CAN_QUERY)]
        admin.serving_endpoints.set_permissions(endpoint_id, access_control_list=rows)
        assert [one.ask(name) for one in (first, second, first)] == [200, 200, 429]
        told = connected(gateway, first.token).current_user.me().groups or []
        assert [(one.display, one.type) for one in told] == [(inner, "direct"), (outer, "indirect")]
        circle = iam.Patch(op=iam.PatchOp.ADD, path="members", value=[{"value": top.id}])
        with pytest.raises(BadRequest, match=f"'{inner}' is in '{outer}' already"):
            admin.groups.patch(str(low.id), operations=[circle])
        renamed = iam.Patch(op=iam.PatchOp.REPLACE, path="displayName", value=f"{outer}-2")
        admin.groups.patch(str(top.id), operations=[renamed])
        assert [one.ask(name) for one in (first, second, first)] == [200, 200, 429], "a minute under the new name"
        admin.groups.delete(str(low.id))
        assert (first.ask(name), second.ask(name)) == (403, 429)


@speaks(
    "databricks-sdk",
    f"POST {SCIM}/ServicePrincipals",
    f"GET {SCIM}/ServicePrincipals",
    f"GET {SCIM}/ServicePrincipals/{{id}}",
    f"PUT {SCIM}/ServicePrincipals/{{id}}",
    f"PATCH {SCIM}/ServicePrincipals/{{id}}",
    f"DELETE {SCIM}/ServicePrincipals/{{id}}",
    f"POST {TOKENS}/on-behalf-of/tokens",
    f"GET {TOKENS}/tokens",
    f"GET {TOKENS}/tokens/{{id}}",
    f"PATCH {TOKENS}/tokens/{{id}}",
    f"DELETE {TOKENS}/tokens/{{id}}",
)
def test_a_service_principal_works_with_a_token_on_its_behalf_until_it_is_revoked(
    admin: WorkspaceClient, gateway: Services
) -> None:
    robot = admin.service_principals.create(display_name="Robot")
    name = str(robot.application_id)
    assert name in [one.application_id for one in admin.service_principals.list(filter="displayName eq Robot")]
    robot_id = str(robot.id)
    renamed = iam.Patch(op=iam.PatchOp.REPLACE, path="displayName", value="Robot 2")
    admin.service_principals.patch(robot_id, operations=[renamed])
    assert admin.service_principals.get(robot_id).display_name == "Robot 2"
    admin.service_principals.update(robot_id, display_name="Robot", application_id=name, active=True)
    made = admin.token_management.create_obo_token(application_id=name, lifetime_seconds=600, comment="mine")
    assert made.token_info is not None and made.token_value is not None
    as_robot = connected(gateway, made.token_value)
    assert as_robot.current_user.me().user_name == name
    token_id = str(made.token_info.token_id)
    (info,) = [one for one in admin.token_management.list() if one.token_id == token_id]
    assert (info.owner_id, info.created_by_username) == (int(str(robot.id)), "admin@headgate.local")
    shown = admin.token_management.get(token_id).token_info
    assert shown is not None and shown.comment == "mine"
    more = settings.TokenInfo(comment="the robot's")
    changed = admin.token_management.update_token_management(token_id, more, FieldMask(["comment"]))
    assert (changed.comment, changed.owner_id) == ("the robot's", info.owner_id)
    with pytest.raises(PermissionDenied):
        list(as_robot.token_management.list())
    admin.token_management.delete(token_id)
    with pytest.raises(DatabricksError, match="Invalid access token"):
        as_robot.current_user.me()
    admin.service_principals.delete(robot_id)
    with pytest.raises(NotFound):
        admin.token_management.create_obo_token(application_id=name)


@speaks("databricks-sdk", f"GET {SCIM}/Users", f"GET {SCIM}/Groups")
def test_filters_find_users_and_groups(admin: WorkspaceClient) -> None:
    mark = uuid.uuid4().hex[:8]
    for n in range(3):
        admin.users.create(user_name=f"{mark}-{n}@example.com", display_name=f"{mark} {n % 2}", active=n != 2)
        admin.groups.create(display_name=f"{mark}-{n}")
    found = admin.users.list(filter=f'userName sw "{mark}" and displayName ne "{mark} 1"', sort_by="userName")
    assert [one.user_name for one in found] == [f"{mark}-{n}@example.com" for n in (0, 2)]
    narrowed = list(admin.users.list(filter=f'emails.value co "{mark}" and active eq false', attributes="userName"))
    assert [(one.user_name, one.display_name) for one in narrowed] == [(f"{mark}-2@example.com", None)]
    by_name = f'displayName eq {mark}-1 or displayName eq "{mark}-2"'
    shown = admin.groups.list(filter=by_name, sort_by="displayName", sort_order=iam.ListSortOrder.DESCENDING, count=1)
    assert [one.display_name for one in shown] == [f"{mark}-2", f"{mark}-1"]
    with pytest.raises(BadRequest, match="filter"):
        list(admin.users.list(filter="password eq x"))


@speaks(
    "databricks-sdk",
    f"GET {GRANTS}",
    f"PUT {GRANTS}",
    f"PATCH {GRANTS}",
    f"GET {GRANTS}/permissionLevels",
)
def test_permissions_hold_with_the_next_call(
    admin: WorkspaceClient, gateway: Services, provider: ScriptedProvider
) -> None:
    name, endpoint_id = endpoint(gateway, provider)
    api = admin.serving_endpoints
    shown = api.get_permission_levels(endpoint_id).permission_levels or []
    assert [row.permission_level for row in shown] == [Level.CAN_VIEW, Level.CAN_QUERY, Level.CAN_MANAGE]
    with Somebody(admin, gateway) as somebody:
        theirs = connected(gateway, somebody.token).serving_endpoints
        assert somebody.ask(name) == 403 and list(theirs.list()) == []
        kept = api.set_permissions(endpoint_id, access_control_list=[])
        assert kept.object_type == "serving-endpoint"
        can_query = Grant(user_name=somebody.name, permission_level=Level.CAN_QUERY)
        answered = api.update_permissions(endpoint_id, access_control_list=[can_query])
        assert answered == api.get_permissions(endpoint_id)
        assert somebody.ask(name) == 200 and str(theirs.get(name).permission_level).endswith("CAN_QUERY")
        with pytest.raises(PermissionDenied):
            theirs.put_ai_gateway(name)
        api.set_permissions(
            endpoint_id, access_control_list=[Grant(group_name="users", permission_level=Level.CAN_VIEW)]
        )
        assert somebody.ask(name) == 403 and str(theirs.get(name).permission_level).endswith("CAN_VIEW")
        with pytest.raises(NotFound, match=r"nobody@example\.com"):
            nobody = Grant(user_name="nobody@example.com", permission_level=Level.CAN_VIEW)
            api.update_permissions(endpoint_id, access_control_list=[nobody])


def test_a_groups_minute_is_shared_and_a_users_own_limit_beats_it(
    admin: WorkspaceClient, gateway: Services, provider: ScriptedProvider
) -> None:
    with Somebody(admin, gateway) as first, Somebody(admin, gateway) as second, Somebody(admin, gateway) as third:
        team = f"g{uuid.uuid4().hex[:8]}"
        members = [iam.ComplexValue(value=one.id) for one in (first, second, third)]
        admin.groups.create(display_name=team, members=members)
        limits = [
            {"calls": 3, "key": "user_group", "principal": team, "renewal_period": "minute"},
            {"calls": 1, "key": "user", "principal": third.name, "renewal_period": "minute"},
        ]
        name, endpoint_id = endpoint(gateway, provider, rate_limits=limits)
        rows = [Grant(group_name=team, permission_level=Level.CAN_QUERY)]
        admin.serving_endpoints.set_permissions(endpoint_id, access_control_list=rows)
        assert [one.ask(name) for one in (first, second, first, second, first)] == [200, 200, 200, 429, 429]
        assert [third.ask(name), third.ask(name)] == [200, 429]
        assert gateway.ask(name).status_code == 200, "whoever is in no group is not limited"


def test_the_example_of_the_page_on_people_lets_ann_ask(
    gateway: Services,
    provider: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "identity.md").read_text(), re.DOTALL)
    gateway.endpoint("chat", provider.url, "chat-model")
    monkeypatch.setenv("DATABRICKS_HOST", gateway.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", gateway.token)
    exec(compile(example, "identity.md", "exec"), {})
    ann = Client(gateway.url, capsys.readouterr().out.strip())
    with ann.session:
        assert ann.ask("chat").status_code == 200
    assert gateway.call("DELETE", "/api/2.0/serving-endpoints/chat").status_code == 200


def test_whoever_comes_into_a_limited_group_or_leaves_it_is_held_to_it_from_the_next_call_on(
    admin: WorkspaceClient, gateway: Services, provider: ScriptedProvider
) -> None:
    team = f"g{uuid.uuid4().hex[:8]}"
    limits = [
        {"calls": 1, "key": "user", "renewal_period": "minute"},
        {"calls": 3, "key": "user_group", "principal": team, "renewal_period": "minute"},
    ]
    name, endpoint_id = endpoint(gateway, provider, rate_limits=limits)
    rows = [Grant(group_name="users", permission_level=Level.CAN_QUERY)]
    admin.serving_endpoints.set_permissions(endpoint_id, access_control_list=rows)
    group_id = str(admin.groups.create(display_name=team).id)
    with Somebody(admin, gateway) as somebody:
        assert [somebody.ask(name), somebody.ask(name)] == [200, 429]
        admin.groups.update(group_id, display_name=team, members=[iam.ComplexValue(value=somebody.id)])
        assert [somebody.ask(name) for _ in range(4)] == [200, 200, 200, 429]
        admin.groups.update(group_id, display_name=team, members=[])
        assert somebody.ask(name) == 429
        admin.groups.delete(group_id)
        (left,) = gateway.call("GET", f"/api/2.0/serving-endpoints/{name}").json()["ai_gateway"]["rate_limits"]
        assert left == limits[0], "the limit went with its group"


def test_whoever_is_deactivated_or_gone_is_out_with_the_next_call(
    admin: WorkspaceClient, gateway: Services, provider: ScriptedProvider
) -> None:
    name, endpoint_id = endpoint(gateway, provider)
    with Somebody(admin, gateway) as somebody:
        rows = [Grant(user_name=somebody.name, permission_level=Level.CAN_QUERY)]
        admin.serving_endpoints.set_permissions(endpoint_id, access_control_list=rows)
        statuses = [somebody.ask(name)]
        for active in (False, True):
            admin.users.update(somebody.id, user_name=somebody.name, active=active)
            statuses.append(somebody.ask(name))
        admin.users.delete(somebody.id)
        admin.users.create(user_name=somebody.name)
        statuses.append(somebody.ask(name))
        assert statuses == [200, 401, 200, 401]
        with pytest.raises(BadRequest, match="themselves"):
            admin.users.delete(str(admin.current_user.me().id))


def test_nothing_secret_is_in_a_log(gateway: Services) -> None:
    for service in (gateway.ingress, *gateway.workers):
        text = service.log.read_text()
        assert "dapi" not in text and "hush" not in text and "sk-test" not in text
