"""Resources on `gateway.state` and their fold into a view.

Keys: `endpoint/NAME`, `served_entity/ID`, `token/HASH`, `principal/NAME`, `group/NAME`, `scope/NAME`,
`secret/SCOPE/KEY`, `permission/ENDPOINT_ID`, `authorization/tokens`, `decision/last`. A null value deletes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

from contract import codec
from contract.endpoint import Endpoint
from contract.records import Kind

Level = Literal["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]
LEVELS: Mapping[str, int] = {"CAN_VIEW": 1, "CAN_QUERY": 2, "CAN_MANAGE": 3}
ScopeLevel = Literal["READ", "WRITE", "MANAGE"]
SCOPE_LEVELS: Mapping[str, int] = {"READ": 1, "WRITE": 2, "MANAGE": 3}
TokenLevel = Literal["CAN_USE", "CAN_MANAGE"]
ADMINS = "admins"  # whoever is in this group is an admin
USERS = "users"  # everybody is in this group, and nobody is listed
GROUP_MARK = "group:"
TOKENS = "tokens"  # what there is an `Authorization` for


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
    """An access token; `hash` is SHA-256 in hex, the value itself is nowhere. `expires_at_ms` -1: never.

    `created_by`: who made it when that was not its owner.
    """

    token_id: str
    hash: str
    owner: str
    created_at_ms: int
    expires_at_ms: int = -1
    comment: str = ""
    created_by: str = ""
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
    """A group; `members` are principals' names, and `group:NAME` for a group that is in it with all its own."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    v: int = 1


class SecretScope(msgspec.Struct, frozen=True, kw_only=True):
    """A secret scope. `manager`: who manages it until `acls` say so; `acls`: principal or `group:NAME` -> level."""

    name: str
    manager: str
    created_at_ms: int
    acls: dict[str, ScopeLevel] = {}
    v: int = 1

    @property
    def grants(self) -> dict[str, ScopeLevel]:
        """Everybody's level, the manager's among them."""
        if not self.manager:
            return self.acls
        return {group(USERS) if self.manager == USERS else self.manager: "MANAGE", **self.acls}


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


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """Who, besides the admins, may use what is the gateway's own, here `tokens`: principal or `group:NAME` -> level."""

    name: str
    levels: dict[str, TokenLevel]
    v: int = 1


class LastDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the writer of this topic decided last; on it before what it changes, so that a replay completes it.

    `offset`: the command's on `gateway.commands`. `body`: the answer. `changes`: keys and values here; null deletes.
    """

    command_id: str
    offset: int
    decided_at_ms: int
    status: int
    body: msgspec.Raw
    changes: tuple[tuple[str, msgspec.Raw], ...] = ()
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
    "authorization": Authorization,
    "decision": LastDecision,
}
UNASKED = ("token", "decision")  # kinds that no request waits for


def key(kind: str, *parts: str) -> str:
    """The key of a resource.

    >>> key("secret", "scope", "key")
    'secret/scope/key'
    """
    return "/".join((kind, *parts))


def group(name: str) -> str:
    """A group as the subject of a grant or as a member; no principal is called like that."""
    return f"{GROUP_MARK}{name}"


def group_named(subject: str) -> str | None:
    """The name of the group that a subject is; None for a principal.

    >>> group_named("group:staff"), group_named("ann@example.com")
    ('staff', None)
    """
    return subject.removeprefix(GROUP_MARK) if subject.startswith(GROUP_MARK) else None


def reached(first: Iterable[str], further: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
    """`first`, what is `further` from each of them, and on: each once, the nearest before the others.

    >>> reached(["a"], lambda one: {"a": ["b", "c"], "c": ["a", "d"]}.get(one, []))
    ('a', 'b', 'c', 'd')
    """
    known = dict.fromkeys(first)
    queue = list(known)
    for one in queue:
        new = dict.fromkeys(other for other in further(one) if other not in known)
        known |= new
        queue += new
    return tuple(known)


class View:
    """The configuration as of `offset`; folding is the only way it changes.

    `config_offset`: offset of the last record that a request waits for in a worker's view: no token, no decision.
    `groups_of`: by member, the groups that list it themselves; `memberships` says all that somebody is in.
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
        self.authorizations: dict[str, Authorization] = {}
        self.served_entities: dict[str, ServedEntityRow] = {}
        self.decisions: dict[str, LastDecision] = {}
        self.groups_of: dict[str, tuple[str, ...]] = {}
        self._memberships: dict[str, tuple[str, ...]] = {}
        self._maps: dict[str, dict[Any, Any]] = {
            "endpoint": self.endpoints,
            "served_entity": self.served_entities,
            "token": self.tokens,
            "principal": self.principals,
            "group": self.groups,
            "scope": self.scopes,
            "secret": self.secrets,
            "permission": self.permissions,
            "authorization": self.authorizations,
            "decision": self.decisions,
        }

    def fold(self, raw_key: str, value: bytes | None, offset: int) -> None:
        """Take one record of `gateway.state`; unknown kinds are counted and left out."""
        self.offset = offset
        kind, _, name = raw_key.partition("/")
        if kind not in UNASKED:
            self.config_offset = offset
        into = self._maps.get(kind)
        if into is None:
            self.unreadable += 1
            return
        at: Any = tuple(name.split("/", 1)) if kind == "secret" else name
        resource: Any = None if value is None else codec.read(KINDS[kind], value)
        if isinstance(resource, codec.Unreadable):
            self.unreadable += 1
            return
        before = into.pop(at, None) if resource is None else into.get(at)
        if resource is not None:
            into[at] = resource
        if kind == "group":
            self._regroup(name, before, resource)

    def _regroup(self, name: str, before: Group | None, after: Group | None) -> None:
        self._memberships.clear()  # worked out again for whoever asks next: groups change far less often than they ask
        old, new = (set() if one is None else set(one.members) for one in (before, after))
        for member in old - new:
            left = tuple(other for other in self.groups_of[member] if other != name)
            self.groups_of[member] = left
            if not left:
                del self.groups_of[member]
        for member in new - old:
            self.groups_of[member] = (*self.groups_of.get(member, ()), name)

    def memberships(self, member: str) -> tuple[str, ...]:
        """The groups that a principal, or `group:NAME`, is in: those that list it, then those that list these, and on.

        `users` is left out. A group within itself, which the writer refuses, would do no harm here.
        """
        known = self._memberships.get(member)
        if known is None:
            listing = self.groups_of.get(member, ())
            known = self._memberships[member] = reached(listing, lambda name: self.groups_of.get(group(name), ()))
        return known

    @property
    def last_decision(self) -> LastDecision | None:
        """What the writer decided last."""
        return self.decisions.get("last")

    def is_admin(self, name: str) -> bool:
        """Whether `name` is an active admin: by themselves, or as a member of `admins` or of a group in it."""
        principal = self.principals.get(name)
        if principal is None or not principal.active:
            return False
        return principal.admin or ADMINS in self.memberships(name)

    def may_use_tokens(self, name: str) -> bool:
        """Whether `name` may have and use tokens: everybody may, until an admin has said who; admins always may."""
        said = self.authorizations.get(TOKENS)
        if said is None:
            return True
        return self.is_admin(name) or any(subject in said.levels for subject in self.subjects(name))

    def subjects(self, name: str) -> tuple[str, ...]:
        """Whose grants `name` holds: their own, their groups', everybody's."""
        return (name, *map(group, self.memberships(name)), group(USERS))

    def level(self, endpoint: Endpoint, name: str) -> int:
        """The highest permission `name` holds on `endpoint`: 0 none, else `LEVELS`. Admins and the creator manage."""
        if endpoint.creator == name or self.is_admin(name):
            return LEVELS["CAN_MANAGE"]
        granted = self.permissions.get(endpoint.id)
        if granted is None:
            return 0
        return max((LEVELS[granted.levels[s]] for s in self.subjects(name) if s in granted.levels), default=0)

    def scope_level(self, scope: SecretScope, name: str) -> int:
        """The highest level `name` holds on `scope`: 0 none, else `SCOPE_LEVELS`. Admins manage."""
        if self.is_admin(name):
            return SCOPE_LEVELS["MANAGE"]
        grants = scope.grants
        return max((SCOPE_LEVELS[grants[s]] for s in self.subjects(name) if s in grants), default=0)

    def endpoint_by_id(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint with that system id."""
        return next((one for one in self.endpoints.values() if one.id == endpoint_id), None)
