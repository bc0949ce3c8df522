"""What a provider adapter is: two translations and no socket."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from contract.endpoint import ExternalModel
from contract.refusals import Refusal

Body = dict[str, Any]
Secret = Callable[[str], "str | Refusal"]  # a reference or sealed value -> the secret, or why not


class HttpCall(msgspec.Struct, frozen=True, kw_only=True):
    """One POST to a provider. Holds a key in its headers, so its repr tells the address alone."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"HttpCall(url={self.url!r})"


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    body: bytes


class ProviderUnreachable(Exception):
    """No usable answer: refused, reset, timed out or truncated. The text names how, never an address or key."""


class Wire(NamedTuple):
    """A provider's row: how a request becomes an HTTP call. Answers in the vendor's own form need no translation."""

    call: Callable[[ExternalModel, Body, Secret], HttpCall | Refusal]
    streams_usage: bool = False
