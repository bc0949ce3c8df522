"""Addresses of machines, IPv4 and IPv6, asked for as IP_ADDRESS.

Presidio's patterns would take `x[1::2]` of a program for one; here the standard library reads what has the shape.
"""

import ipaddress
import re
from collections.abc import Iterator

from processors.guardrails.base import Span
from processors.guardrails.context import words_before

ENTITY = "IP_ADDRESS"
_SCORE = 0.6  # Presidio's
_REACH = 72  # eight groups, an IPv4 address, a zone, a prefix length
_AFTER = r"(?![0-9A-Za-z_]|\.[0-9])"
_V4 = re.compile(
    r"(?<![0-9A-Za-z_.])(?<![0-9.]-)([0-9]{1,3}(?:\.[0-9]{1,3}){3})(/[0-9]{1,2}(?![0-9A-Za-z_]))?" + _AFTER
)
_V6 = re.compile(
    r"(?<![0-9A-Za-z_:.])([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?:\.[0-9]{1,3}){3}|(?!:)))"
    rf"((?:%[0-9A-Za-z]{{1,15}})?(?:/[0-9]{{1,3}})?){_AFTER}"
)
_V6_SURE = re.compile(r"(?=.*[0-9]).*[0-9A-Fa-f]{3}")  # else `1::2` of a program would be one
_BEGINNING = re.compile(
    r"(?<![0-9A-Za-z_.])(?<![0-9.]-)[0-9]{1,3}(?:\.[0-9]{0,3}){0,4}(?:/[0-9]{0,2})?\.?\Z"
    r"|(?<![0-9A-Za-z_:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){0,8}(?:\.[0-9]{0,3}){0,3}"
    r"(?:%[0-9A-Za-z]{0,15})?(?:/[0-9]{0,3})?\.?\Z"
)
_VERSIONS = ("version", "release", "build", "v", "firmware")


class Addresses:
    """Finds IP addresses in a shadow; holds no state between calls."""

    def find(self, shadow: str, since: int = 0) -> Iterator[Span]:
        """Yield what is found from `since` on, counted in the shadow."""
        for match in _V4.finditer(shadow, since):
            if _reads(match[1]) and not words_before(shadow, match.start()).endswith(_VERSIONS):
                yield _span(match.start(), match.end() if _reads_net(match[0]) else match.end(1))
        for match in _V6.finditer(shadow, since):
            end = _v6_end(match)
            if end is not None:
                yield _span(match.start(), end)

    def undecided(self, shadow: str) -> int:
        """Where the part begins that could become one with the next characters; the length when there is none."""
        match = _BEGINNING.search(shadow, max(0, len(shadow) - _REACH))
        return match.start() if match else len(shadow)


def _v6_end(match: re.Match[str]) -> int | None:
    address, rest = match.groups()
    if ("::" not in address and address.count(":") < 6) or not _V6_SURE.match(address):
        return None
    if _reads(address):
        return match.end() if _reads_net(address + rest) else match.end(1)
    punctuated = not rest and address.endswith(":") and _reads(address[:-1])
    return match.end() - 1 if punctuated else None


def _reads(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _reads_net(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def _span(start: int, end: int) -> Span:
    return Span(start=start, end=end, entity_type=ENTITY, score=_SCORE, recogniser="IpRecognizer")
