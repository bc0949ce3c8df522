"""Rate-limit keys: whom a limit speaks of, by precedence. A new key is a row here.

Source: api-contract.md 2.3 and seed 002. The endpoint's own cap stands over all of these. A limit for this very user
or service principal beats a group's, which beats the per-user default; among groups the highest wins.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from contract.endpoint import RateLimit
from contract.records import Requester


class KeyRow(NamedTuple):
    """`rank`: higher beats lower; `speaks_of`: does the limit apply to the requester; `window`: whose minute it is."""

    rank: int
    speaks_of: Callable[[RateLimit, Requester], bool]
    window: Callable[[RateLimit, Requester], str]
    subject: str


def _is_default(limit: RateLimit, _: Requester) -> bool:
    return limit.principal is None


def _is_me(kind: str) -> Callable[[RateLimit, Requester], bool]:
    return lambda limit, requester: limit.principal == requester.name and requester.kind == kind


ROWS: dict[str, Sequence[KeyRow]] = {
    "user": (
        KeyRow(3, _is_me("user"), lambda limit, requester: f"user:{requester.name}", "user"),
        KeyRow(1, _is_default, lambda limit, requester: f"user:{requester.name}", "user"),
    ),
    "service_principal": (
        KeyRow(3, _is_me("service_principal"), lambda limit, requester: f"user:{requester.name}", "service principal"),
    ),
    "user_group": (
        KeyRow(
            2,
            lambda limit, requester: limit.principal in requester.groups,
            lambda limit, requester: f"group:{limit.principal}",
            "user group",
        ),
    ),
}
