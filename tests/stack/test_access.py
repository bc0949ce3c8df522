"""Tokens, who may use them, and secrets with the real SDK on the real stack; each change holds with the next call."""

import uuid
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.common.types.fieldmask import FieldMask
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, PermissionDenied, ResourceAlreadyExists
from databricks.sdk.service import settings, workspace

from launcher.broker import Broker
from tests.support.compatibility import speaks
from tests.support.people import Somebody, connected
from tests.support.services import Services

# the SDK leaves its connections to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
SCIM = "/api/2.0/preview/scim/v2"
MINE = "/api/2.0/token"
TOKEN_GRANTS = "/api/2.0/permissions/authorization/tokens"
SECRETS, ACLS = "/api/2.0/secrets", "/api/2.0/secrets/acls"


@pytest.fixture(scope="module")
def gateway(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with Services(broker.address, tmp_path_factory.mktemp("access")) as running:
        yield running


@speaks("databricks-sdk", "GET /.well-known/databricks-config", f"GET {SCIM}/Me")
def test_a_client_finds_its_workspace_and_itself(admin: WorkspaceClient, gateway: Services) -> None:
    assert (admin.config.host, admin.config.auth_type) == (gateway.url, "pat")
    assert admin.config.workspace_id == "1" and admin.get_workspace_id() == 1
    me = admin.current_user.me()
    assert (me.user_name, me.active) == ("admin@headgate.local", True)
    assert [one.display for one in me.groups or []] == ["admins"]


@speaks(
    "databricks-sdk",
    f"POST {MINE}/create",
    f"GET {MINE}/list",
    f"PATCH {MINE}/{{id}}",
    f"POST {MINE}/delete",
)
def test_ones_own_tokens_are_made_listed_commented_and_deleted(admin: WorkspaceClient, gateway: Services) -> None:
    with Somebody(admin, gateway) as somebody:
        theirs = connected(gateway, somebody.token).tokens
        made = theirs.create(comment="first", lifetime_seconds=600)
        assert made.token_info is not None and made.token_value is not None
        info, token_id = made.token_info, str(made.token_info.token_id)
        assert info.expiry_time is not None and info.creation_time is not None
        assert info.expiry_time - info.creation_time == 600_000
        assert connected(gateway, made.token_value).current_user.me().user_name == somebody.name
        theirs.update(token_id, settings.PublicTokenInfo(comment="second"), FieldMask(["comment"]))
        assert {one.token_id: one.comment for one in theirs.list()}[token_id] == "second"
        with pytest.raises(BadRequest, match="scopes are not supported"):
            theirs.create(scopes=["serving"])
        theirs.delete(token_id)
        assert token_id not in [one.token_id for one in theirs.list()]
        with pytest.raises(DatabricksError, match="Invalid access token"):
            connected(gateway, made.token_value).current_user.me()
        with pytest.raises(NotFound):
            theirs.delete(token_id)


@speaks(
    "databricks-sdk",
    f"GET {TOKEN_GRANTS}",
    f"PUT {TOKEN_GRANTS}",
    f"PATCH {TOKEN_GRANTS}",
    f"GET {TOKEN_GRANTS}/permissionLevels",
)
def test_admins_say_who_may_use_tokens_and_those_of_others_wait(admin: WorkspaceClient, gateway: Services) -> None:
    api, can_use = admin.token_management, settings.TokenPermissionLevel.CAN_USE
    everybody = settings.TokenAccessControlRequest(group_name="users", permission_level=can_use)
    shown = api.get_permission_levels().permission_levels or []
    assert can_use in [row.permission_level for row in shown]
    before = api.get_permissions()
    assert [row.group_name for row in before.access_control_list or []] == ["users", "admins"]
    with Somebody(admin, gateway) as somebody, Somebody(admin, gateway) as other:
        theirs = connected(gateway, somebody.token)
        try:
            row = settings.TokenAccessControlRequest(user_name=other.name, permission_level=can_use)
            api.set_permissions(access_control_list=[row])
            with pytest.raises(PermissionDenied, match="CAN_USE"):
                theirs.tokens.create()
            assert connected(gateway, other.token).tokens.create().token_value
            row = settings.TokenAccessControlRequest(user_name=somebody.name, permission_level=can_use)
            assert api.update_permissions(access_control_list=[row]) == api.get_permissions()
            assert theirs.tokens.create().token_value, "the token that waited works again"
        finally:
            api.set_permissions(access_control_list=[everybody])


@speaks(
    "databricks-sdk",
    f"POST {SECRETS}/scopes/create",
    f"GET {SECRETS}/scopes/list",
    f"POST {SECRETS}/scopes/delete",
    f"POST {SECRETS}/put",
    f"GET {SECRETS}/get",
    f"GET {SECRETS}/list",
    f"POST {SECRETS}/delete",
)
def test_a_scope_and_its_secrets_come_and_go(admin: WorkspaceClient) -> None:
    scope = f"s{uuid.uuid4().hex[:8]}"
    admin.secrets.create_scope(scope)
    with pytest.raises(ResourceAlreadyExists):
        admin.secrets.create_scope(scope)
    assert scope in [one.name for one in admin.secrets.list_scopes()]
    admin.secrets.put_secret(scope, "text", string_value="hush")
    admin.secrets.put_secret(scope, "bytes", bytes_value="aHVzaA==")
    assert admin.secrets.get_secret(scope, "text").value == "aHVzaA=="
    assert [admin.dbutils.secrets.get(scope, key) for key in ("text", "bytes")] == ["hush", "hush"]
    assert sorted(str(one.key) for one in admin.secrets.list_secrets(scope)) == ["bytes", "text"]
    admin.secrets.delete_secret(scope, "bytes")
    assert [one.key for one in admin.secrets.list_secrets(scope)] == ["text"]
    with pytest.raises(NotFound, match="bytes"):
        admin.secrets.get_secret(scope, "bytes")
    admin.secrets.delete_scope(scope)
    with pytest.raises(NotFound):
        admin.secrets.list_secrets(scope)


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
