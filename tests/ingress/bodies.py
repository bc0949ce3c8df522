"""A good body, path and query for every route."""

from typing import Any

API, QUERIES = "/api/2.0", "/serving-endpoints"
ENDPOINTS, ONE = f"{API}/serving-endpoints", f"{API}/serving-endpoints/{{name}}"
GRANTS = f"{API}/permissions/serving-endpoints/{{id}}"
SECRETS, TOKENS, SCIM = f"{API}/secrets", f"{API}/token-management", f"{API}/preview/scim/v2"
ROBOT = "01234567-89ab-cdef-0123-456789abcdef"
MODEL = {
    "provider": "openai",
    "name": "gpt-4o-mini",
    "task": "llm/v1/chat",
    "openai_config": {"openai_api_key": "{{secrets/s/k}}", "openai_api_base": "http://127.0.0.1:9/v1"},
}
OWN = MODEL | {
    "provider": "custom",
    "openai_config": None,
    "custom_provider_config": {
        "custom_provider_url": "http://127.0.0.1:9/v1",
        "bearer_token_auth": {"token_plaintext": "hush"},
    },
}
CONFIG = {
    "served_entities": [{"name": "small", "external_model": MODEL}, {"name": "own", "external_model": OWN}],
    "traffic_config": {
        "routes": [
            {"served_model_name": "small", "traffic_percentage": 60},
            {"served_entity_name": "own", "traffic_percentage": 40},
        ]
    },
}
LIMIT = {"calls": 10, "key": "user_group", "principal": "staff", "renewal_period": "minute"}
SIDE = {"pii": {"behavior": "MASK"}, "invalid_keywords": ["secret"], "safety": False, "valid_topics": None}
GATEWAY = {
    "usage_tracking_config": {"enabled": True},
    "inference_table_config": {"enabled": True, "catalog_name": "c", "schema_name": "s", "table_name_prefix": "p"},
    "rate_limits": [LIMIT, {"tokens": 5, "renewal_period": "minute"}],
    "guardrails": {"input": SIDE, "output": SIDE},
    "fallback_config": {"enabled": True},
}
MAILS = {"on_update_success": ["a@b.c"], "on_update_failure": []}
CHAT = {
    "model": "chat",
    "messages": [{"role": "user", "content": "x"}],
    "stream": False,
    "client_request_id": "mine",
    "usage_context": {"team": "a"},
    "max_tokens": 5,
}
ACL = {"scope": "s", "principal": "bob@example.com", "permission": "READ"}
GRANTED = {
    "access_control_list": [
        {"user_name": "bob@example.com", "permission_level": "CAN_QUERY"},
        {"group_name": "staff", "permission_level": "CAN_VIEW"},
        {"service_principal_name": ROBOT, "permission_level": "CAN_MANAGE"},
    ]
}
USABLE = {"access_control_list": [{"group_name": "users", "permission_level": "CAN_USE"}]}
RENAMED = {"token": {"comment": "c"}, "update_mask": "comment"}
USER = {
    "userName": "eve@example.com",
    "displayName": "Eve",
    "name": {"givenName": "Eve", "familyName": "Adams"},
    "active": True,
    "emails": [{"value": "eve@example.com"}],
}
CHANGE = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [
        {"op": "replace", "path": "displayName", "value": "Else"},
        {"op": "Replace", "value": {"active": "False", "displayName": "Other"}},
    ],
}
GROUP_CHANGE = {
    "Operations": [
        {"op": "add", "path": "members", "value": [{"value": "2"}]},
        {"op": "remove", "path": 'members[value eq "2"]'},
        {"op": "replace", "value": {"displayName": "crew", "members": [{"value": "2"}]}},
    ]
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", f"{QUERIES}/chat/completions"): CHAT,
    ("POST", f"{QUERIES}/completions"): CHAT | {"prompt": "x"},
    ("POST", f"{QUERIES}/embeddings"): CHAT | {"input": ["x"]},
    ("POST", f"{QUERIES}/responses"): {"model": "chat", "input": "x"},
    ("POST", f"{QUERIES}/{{name}}/invocations"): CHAT,
    ("POST", f"{QUERIES}/{{name}}/served-models/{{entity}}/invocations"): CHAT,
    ("POST", ENDPOINTS): {
        "name": "new",
        "config": CONFIG,
        "ai_gateway": GATEWAY,
        "tags": [{"key": "k", "value": "v"}],
        "description": "d",
        "route_optimized": False,
    },
    ("PUT", f"{ONE}/config"): CONFIG,
    ("PUT", f"{ONE}/ai-gateway"): GATEWAY,
    ("PUT", f"{ONE}/rate-limits"): {"rate_limits": [{"calls": 1, "key": "user", "renewal_period": "minute"}]},
    ("PATCH", f"{ONE}/tags"): {"add_tags": [{"key": "k", "value": "v"}], "delete_tags": ["old"]},
    ("PATCH", f"{ONE}/notifications"): {"email_notifications": MAILS},
    ("PATCH", f"{ONE}/telemetry-config"): {"telemetry_config": {}},
    ("POST", f"{ENDPOINTS}/pt"): {"name": "new", "config": {}},
    ("PUT", f"{ENDPOINTS}/pt/{{name}}/config"): {"config": {}},
    ("PUT", GRANTS): GRANTED,
    ("PATCH", GRANTS): GRANTED,
    ("POST", f"{SECRETS}/scopes/create"): {
        "scope": "new",
        "initial_manage_principal": "users",
        "scope_backend_type": "DATABRICKS",
    },
    ("POST", f"{SECRETS}/scopes/delete"): {"scope": "s"},
    ("POST", f"{SECRETS}/put"): {"scope": "s", "key": "new", "string_value": "x"},
    ("POST", f"{SECRETS}/delete"): {"scope": "s", "key": "k"},
    ("POST", f"{SECRETS}/acls/put"): ACL,
    ("POST", f"{SECRETS}/acls/delete"): {"scope": "s", "principal": "staff"},
    ("POST", f"{API}/token/create"): {"comment": "c", "lifetime_seconds": 60},
    ("POST", f"{API}/token/delete"): {"token_id": "mine"},
    ("POST", f"{TOKENS}/on-behalf-of/tokens"): {"application_id": ROBOT, "comment": "c", "lifetime_seconds": 60},
    ("PATCH", f"{API}/token/{{id}}"): RENAMED,
    ("PATCH", f"{TOKENS}/tokens/{{id}}"): RENAMED,
    ("PUT", f"{API}/permissions/authorization/tokens"): USABLE,
    ("PATCH", f"{API}/permissions/authorization/tokens"): USABLE,
    ("POST", f"{SCIM}/Users"): USER,
    ("PUT", f"{SCIM}/Users/{{id}}"): USER | {"userName": "bob@example.com"},
    ("PATCH", f"{SCIM}/Users/{{id}}"): CHANGE,
    ("POST", f"{SCIM}/ServicePrincipals"): {"displayName": "new", "active": True, "applicationId": None},
    ("PUT", f"{SCIM}/ServicePrincipals/{{id}}"): {"displayName": "new", "active": False, "applicationId": ROBOT},
    ("PATCH", f"{SCIM}/ServicePrincipals/{{id}}"): CHANGE,
    ("POST", f"{SCIM}/Groups"): {"displayName": "new", "members": [{"value": "2"}]},
    ("PUT", f"{SCIM}/Groups/{{id}}"): {"displayName": "crew", "members": [{"value": "2"}]},
    ("PATCH", f"{SCIM}/Groups/{{id}}"): GROUP_CHANGE,
}
REFUSED = {  # whatever the body
    ("POST", f"{QUERIES}/completions"),
    ("POST", f"{QUERIES}/embeddings"),
    ("POST", f"{QUERIES}/responses"),
    ("PATCH", f"{ONE}/telemetry-config"),
    ("POST", f"{ENDPOINTS}/pt"),
    ("PUT", f"{ENDPOINTS}/pt/{{name}}/config"),
}
ASKED = {  # what a query must say to find something
    f"{SECRETS}/get": {"scope": "s", "key": "k"},
    f"{SECRETS}/list": {"scope": "s"},
    f"{SECRETS}/acls/list": {"scope": "s"},
    f"{SECRETS}/acls/get": {"scope": "s", "principal": "staff"},
}
IDS = {"Users": "2", "ServicePrincipals": "9", "Groups": "7", "tokens": "mine", "token": "mine"}


def path_of(route: str, **told: str) -> str:
    """A path that leads to something; `told` takes the place of a parameter, written as it is."""
    kind = next((kind for kind in IDS if f"/{kind}/" in route), "")
    known = {"name": "chat", "entity": "small", "id": IDS.get(kind, "e1")}
    return route.format(**known | told)
