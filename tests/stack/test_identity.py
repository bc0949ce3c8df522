"""People, groups, permissions and tokens with the real SDK on the real stack; each change holds with the next call."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, PermissionDenied, ResourceConflict
from databricks.sdk.service import iam, serving, workspace

from launcher.broker import Broker
from tests.support.compatibility import speaks
from tests.support.provider import ScriptedProvider
from tests.support.services import Client, Services

# the SDK leaves its connections to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
SCIM = "/api/2.0/preview/scim/v2"
GRANTS = "/api/2.0/permissions/serving-endpoints/{id}"
TOKENS = "/api/2.0/token-management"
ACLS = "/api/2.0/secrets/acls"
Level = serving.ServingEndpointPermissionLevel
Grant = serving.ServingEndpointAccessControlRequest


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Services(broker.address, tmp_path_factory.mktemp("identity")) as running:
        yield running


@pytest.fixture(scope="module")
def admin(gateway: Services) -> WorkspaceClient:
    return connected(gateway, gateway.token)


@pytest.fixture(autouse=True)
def spoken(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Put what the test says it speaks into the report."""
    for client, route in getattr(request.function, "spoken", ()):
        record_property("spoken", f"{client} | {route}")


def connected(gateway: Services, token: str) -> WorkspaceClient:
    return WorkspaceClient(host=gateway.url, token=token)


def email() -> str:
    """A name that no earlier module's test has left on the shared broker."""
    return f"u{uuid.uuid4().hex[:12]}@example.com"


class Somebody:
    """A user, their token, and what they may do over plain HTTP, where nobody tries again."""

    def __init__(self, admin: WorkspaceClient, gateway: Services) -> None:
        self.name = email()
        self.id: Any = admin.users.create(user_name=self.name).id
        made = admin.token_management.create_obo_token(application_id=self.name, lifetime_seconds=600)
        self.token: Any = made.token_value
        self.client = Client(gateway.url, self.token)

    def __enter__(self) -> "Somebody":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.session.close()

    def ask(self, endpoint: str) -> int:
        return self.client.ask(endpoint).status_code


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


@speaks(
    "databricks-sdk",
    f"POST {SCIM}/ServicePrincipals",
    f"GET {SCIM}/ServicePrincipals",
    f"DELETE {SCIM}/ServicePrincipals/{{id}}",
    f"POST {TOKENS}/on-behalf-of/tokens",
    f"GET {TOKENS}/tokens",
    f"GET {TOKENS}/tokens/{{id}}",
    f"DELETE {TOKENS}/tokens/{{id}}",
)
def test_a_service_principal_works_with_a_token_on_its_behalf_until_it_is_revoked(
    admin: WorkspaceClient, gateway: Services
) -> None:
    robot = admin.service_principals.create(display_name="Robot")
    name = str(robot.application_id)
    assert name in [one.application_id for one in admin.service_principals.list(filter="displayName eq Robot")]
    made = admin.token_management.create_obo_token(application_id=name, lifetime_seconds=600, comment="mine")
    assert made.token_info is not None and made.token_value is not None
    as_robot = connected(gateway, made.token_value)
    assert as_robot.current_user.me().user_name == name
    token_id = str(made.token_info.token_id)
    (info,) = [one for one in admin.token_management.list() if one.token_id == token_id]
    assert (info.owner_id, info.created_by_username) == (int(str(robot.id)), "admin@headgate.local")
    shown = admin.token_management.get(token_id).token_info
    assert shown is not None and shown.comment == "mine"
    with pytest.raises(PermissionDenied):
        list(as_robot.token_management.list())
    admin.token_management.delete(token_id)
    with pytest.raises(DatabricksError, match="Invalid access token"):
        as_robot.current_user.me()
    admin.service_principals.delete(str(robot.id))
    with pytest.raises(NotFound):
        admin.token_management.create_obo_token(application_id=name)


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


@speaks(
    "databricks-sdk",
    f"POST {ACLS}/put",
    f"GET {ACLS}/get",
    f"GET {ACLS}/list",
    f"POST {ACLS}/delete",
)
def test_a_scope_is_open_to_whom_its_list_says(admin: WorkspaceClient, gateway: Services) -> None:
    scope = f"s{uuid.uuid4().hex[:8]}"
    admin.secrets.create_scope(scope)
    admin.secrets.put_secret(scope, "k", string_value="hush")
    with Somebody(admin, gateway) as somebody:
        theirs = connected(gateway, somebody.token).secrets
        with pytest.raises(PermissionDenied):
            theirs.get_secret(scope, "k")
        admin.secrets.put_acl(scope, somebody.name, workspace.AclPermission.READ)
        assert theirs.get_secret(scope, "k").value == "aHVzaA=="
        with pytest.raises(PermissionDenied):
            theirs.put_secret(scope, "k", string_value="x")
        assert admin.secrets.get_acl(scope, somebody.name).permission == workspace.AclPermission.READ
        assert len(list(admin.secrets.list_acls(scope))) == 2
        admin.secrets.delete_acl(scope, somebody.name)
        with pytest.raises(PermissionDenied):
            theirs.get_secret(scope, "k")


def test_nothing_secret_is_in_a_log(gateway: Services) -> None:
    for service in (gateway.ingress, *gateway.workers):
        text = service.log.read_text()
        assert "dapi" not in text and "hush" not in text and "sk-test" not in text
