"""Resources on `gateway.state` and their fold into a view.

Keys: `endpoint/NAME`, `served_entity/ID`, `token/HASH`, `principal/NAME`, `group/NAME`, `scope/NAME`,
`secret/SCOPE/KEY`, `permission/ENDPOINT_ID`. A null value deletes.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from contract import codec
from contract.endpoint import Endpoint
from contract.records import Kind

Level = Literal["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]
LEVELS: Mapping[str, int] = {"CAN_VIEW": 1, "CAN_QUERY": 2, "CAN_MANAGE": 3}


class ServedEntityRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `system.serving.served_entities`: written once per definition, kept after its endpoint is deleted."""

    served_entity_id: str
    account_id: str
    workspace_id: str
    created_by: str
    endpoint_name: str
    endpoint_id: str
    served_entity_name: str
    entity_name: str
    endpoint_config_version: int
    task: str
    provider: str
    change_time_ms: int
    entity_type: str = "EXTERNAL_MODEL"
    entity_version: str | None = None
    endpoint_delete_time_ms: int | None = None
    v: int = 1


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token; `hash` is SHA-256 in hex, the value itself is nowhere. `expires_at_ms` -1: never."""

    token_id: str
    hash: str
    owner: str
    created_at_ms: int
    expires_at_ms: int = -1
    comment: str = ""
    v: int = 1


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A user (name: e-mail) or service principal (name: application id)."""

    id: str
    name: str
    display_name: str
    kind: Kind = "user"
    active: bool = True
    admin: bool = False
    v: int = 1


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group; `members` are principals' names."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    v: int = 1


class SecretScope(msgspec.Struct, frozen=True, kw_only=True):
    """A secret scope; `manager` may read and write it."""

    name: str
    manager: str
    created_at_ms: int
    v: int = 1


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret; `sealed` is AES-GCM, base64 text."""

    scope: str
    key: str
    sealed: str
    updated_at_ms: int
    v: int = 1


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """Who may do what with one endpoint: principal or `group:NAME` -> level."""

    endpoint_id: str
    levels: dict[str, Level]
    v: int = 1


KINDS: Mapping[str, type] = {
    "endpoint": Endpoint,
    "served_entity": ServedEntityRow,
    "token": Token,
    "principal": Principal,
    "group": Group,
    "scope": SecretScope,
    "secret": Secret,
    "permission": Permission,
}


def key(kind: str, *parts: str) -> str:
    """The key of a resource.

    >>> key("secret", "scope", "key")
    'secret/scope/key'
    """
    return "/".join((kind, *parts))


class View:
    """The configuration as of `offset`; folding is the only way it changes.

    `config_offset`: offset of the last record that is not a token, what a request waits for in a worker's view.
    """

    def __init__(self) -> None:
        self.offset = -1
        self.config_offset = -1
        self.unreadable = 0
        self.endpoints: dict[str, Endpoint] = {}
        self.tokens: dict[str, Token] = {}
        self.principals: dict[str, Principal] = {}
        self.groups: dict[str, Group] = {}
        self.scopes: dict[str, SecretScope] = {}
        self.secrets: dict[tuple[str, str], Secret] = {}
        self.permissions: dict[str, Permission] = {}
        self.served_entities: dict[str, ServedEntityRow] = {}
        self.groups_of: dict[str, tuple[str, ...]] = {}
        self._maps: dict[str, dict[Any, Any]] = {
            "endpoint": self.endpoints,
            "served_entity": self.served_entities,
            "token": self.tokens,
            "principal": self.principals,
            "group": self.groups,
            "scope": self.scopes,
            "secret": self.secrets,
            "permission": self.permissions,
        }

    def fold(self, raw_key: str, value: bytes | None, offset: int) -> None:
        """Take one record of `gateway.state`; unknown kinds are counted and left out."""
        self.offset = offset
        kind, _, name = raw_key.partition("/")
        if kind != "token":
            self.config_offset = offset
        into = self._maps.get(kind)
        if into is None:
            self.unreadable += 1
            return
        at: Any = tuple(name.split("/", 1)) if kind == "secret" else name
        if value is None:
            into.pop(at, None)
        else:
            resource: Any = codec.read(KINDS[kind], value)
            if isinstance(resource, codec.Unreadable):
                self.unreadable += 1
                return
            into[at] = resource
        if kind == "group":
            self._regroup()

    def _regroup(self) -> None:
        members: dict[str, tuple[str, ...]] = {}
        for group in self.groups.values():
            for name in group.members:
                members[name] = (*members.get(name, ()), group.name)
        self.groups_of = members

    def level(self, endpoint: Endpoint, name: str) -> int:
        """The highest permission `name` holds on `endpoint`: 0 none, else `LEVELS`. Admins and the creator manage."""
        principal = self.principals.get(name)
        if endpoint.creator == name or (principal is not None and principal.admin):
            return LEVELS["CAN_MANAGE"]
        granted = self.permissions.get(endpoint.id)
        if granted is None:
            return 0
        subjects = (name, *(f"group:{group}" for group in self.groups_of.get(name, ())))
        return max((LEVELS[granted.levels[s]] for s in subjects if s in granted.levels), default=0)
