"""Bodies, paths and queries that nobody should send, made of good ones."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes

from hypothesis import strategies as st

from tests.ingress.bodies import ROBOT, path_of

QUERY = [
    "filter",
    "startIndex",
    "count",
    "sortBy",
    "sortOrder",
    "attributes",
    "excludedAttributes",
    "scope",
    "key",
    "principal",
    "created_by_id",
    "created_by_username",
]


class Raw(NamedTuple):
    """JSON as it is to be written."""

    text: str


class Pairs(NamedTuple):
    """An object whose keys may come twice."""

    items: list[tuple[str, Any]]


def written(value: Any, plain: bool) -> str:
    """JSON text. `plain`: with escapes for whatever is not ASCII, lone surrogates included."""
    match value:
        case Raw(text):
            return text
        case dict():
            return written(Pairs(list(value.items())), plain)
        case Pairs(items):
            return "{" + ",".join(f"{written(key, plain)}:{written(one, plain)}" for key, one in items) + "}"
        case list():
            return "[" + ",".join(written(one, plain) for one in value) + "]"
    return json.dumps(value, ensure_ascii=plain)


ODD = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udc00\ud800",
    "\U0010ffff",
    "\ufeff",
    "\u202e",
    "\r\n",
    "İ",
    "ﬁ",
    "１",
    "é" * 64,
]
ODD += [
    "x" * 300,
    "x" * 70_000,
    "a/b",
    "../..",
    "group:users",
    "users",
    "admins",
    "null",
    "{{secrets/s/k}}",
    "{{x}}",
    "%s{0}",
]
ODD += [
    "chat",
    "s",
    "bob@example.com",
    ROBOT,
    "staff",
    "http://[",
    "https://a:99999/",
    "members",
    'members[value eq "x"]',
]
NUMBERS = [0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40, 1.5, -0.0, 1e308]
LITERALS = [
    "NaN",
    "-Infinity",
    "1e400",
    "1e-400",
    "-",
    "01",
    "1.",
    "tru",
    "'a'",
    '"\\u12"',
    '"\\x"',
    "9" * 5000,
    "/**/1",
]
DEPTHS = st.sampled_from([3, 60, 250, 900, 1100, 100_000])


def _deep(depth: int, opened: str) -> Raw:
    shut = "]" if opened == "[" else "}"
    return Raw(opened * depth + "1" + shut * depth)


Texts = st.sampled_from(ODD) | st.text(max_size=8)
Scalars = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers(-5, 120) | Texts
Anything = st.one_of(
    Scalars,
    st.recursive(
        Scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(Texts, inner, max_size=3), max_leaves=6
    ),
    st.builds(Raw, st.sampled_from(LITERALS)),
    st.builds(_deep, DEPTHS, st.sampled_from(["[", '{"a":'])),
)


def places(body: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a body, as the keys that lead there."""
    yield so_far
    items: Any = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, inner in items:
        yield from places(inner, (*so_far, key))


def at(body: Any, place: tuple[Any, ...], change: Any) -> Any:
    """The body with `change` of what lies at `place` in its stead; an empty list takes it away."""
    if not place:
        made = change(body)
        return made[0] if made else None
    key, *rest = place
    if isinstance(body, list):
        before, one, after = body[:key], body[key], body[key + 1 :]
        return [*before, *(change(one) if not rest else [at(one, tuple(rest), change)]), *after]
    if rest:
        return body | {key: at(body[key], tuple(rest), change)}
    made = change(body[key])
    others = {name: value for name, value in body.items() if name != key}
    return others if not made else body | {key: made[0]} if len(made) == 1 else Pairs(_twice(body, key, made))


def _twice(body: dict[str, Any], key: str, made: list[Any]) -> list[tuple[str, Any]]:
    return [*body.items(), *((key, one) for one in made[1:])]


def _extended(value: Any, name: str, more: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value | {name: more}]
    return [[*value, more]] if isinstance(value, list) else [[value]]


Dropped: st.SearchStrategy[Any] = st.just(lambda _: [])
Changes = st.one_of(
    Anything.map(lambda value: lambda _: [value]),
    Dropped,
    st.integers(2, 3).map(lambda times: lambda value: [value] * times),
    st.just(lambda value: [value * 50] if isinstance(value, list | str) else [{"value": value}]),
    st.builds(lambda name, more: lambda value: _extended(value, name, more), Texts, Anything),
)


def alike(value: Any) -> st.SearchStrategy[Any]:
    """Changes that leave a value of its type: what gets past the reading."""
    match value:
        case bool():
            return st.booleans().map(lambda made: lambda _: [made])
        case int():
            whole = st.sampled_from([number for number in NUMBERS if isinstance(number, int)])
            return whole.map(lambda made: lambda _: [made])
        case str():
            return Texts.map(lambda made: lambda _: [made])
        case list() if value:
            return st.sampled_from([0, 2, 50]).map(lambda times: lambda _: [value * times])
        case dict():
            return st.builds(lambda name, more: lambda _: [value | {name: more}], Texts, Anything)
    return Dropped


@st.composite
def bodies(draw: st.DrawFn, good: Any) -> bytes:
    """A good body after one to three changes, or bytes that are no JSON at all."""
    if draw(st.integers(0, 11)) == 0:
        return draw(noise(good))
    body = good
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        where = draw(st.sampled_from(list(places(body))))
        gentle = draw(st.integers(0, 3)) != 0
        body = at(body, where, draw(alike(found(body, where)) if gentle else Changes))
    return written(body, plain=draw(st.booleans())).encode("utf-8", "surrogatepass")


def found(body: Any, place: tuple[Any, ...]) -> Any:
    """What lies at a place."""
    return found(body[place[0]], place[1:]) if place else body


ONE_BY_ONE: list[Any] = [None, True, -1, 2**63, 10**40, 1.5, "", "\0", "\ud800", "é/" * 150, [], [None], {}]


def singles(good: Any) -> Iterator[bytes]:
    """A good body with each of a few values in each of its places, and without each of them."""
    for place in places(good):
        for made in ([], *([value] for value in ONE_BY_ONE)):
            yield written(at(good, place, lambda _, made=made: made), plain=True).encode()


def noise(good: Any) -> st.SearchStrategy[bytes]:
    """Bytes that no client means."""
    text = json.dumps(good)
    return st.one_of(
        st.binary(max_size=60),
        st.integers(0, len(text)).map(lambda end: text[:end].encode()),
        st.sampled_from(["utf-16", "utf-32", "utf-8-sig"]).map(text.encode),
        st.binary(min_size=1, max_size=4).map(lambda more: text.encode() + more),
    )


Encoded = Texts.map(lambda text: quote(text, safe="", errors="surrogatepass")) | st.binary(max_size=6).map(
    quote_from_bytes
)


def _fits(part: str) -> bool:
    """Whether it may be a part of a path; longer ones do not come through an HTTP head."""
    return 0 < len(part) < 4_000


@st.composite
def paths(draw: st.DrawFn, route: str) -> str:
    """A path to the route: mostly to what is there, else to anything."""
    names = [name for name in ("name", "entity", "id") if f"{{{name}}}" in route]
    told = {name: draw(Encoded.filter(_fits)) for name in names if draw(st.integers(0, 7)) == 0}
    return path_of(route, **told)


Terms = st.sampled_from(['userName eq "bob@example.com"', "displayName co b", "active eq true", 'emails.value sw "b"'])
Words = st.sampled_from(["and", "or", "eq", "(", ")", '"', "\\", "id", "active", "emails[type eq", "ne", "not", "  "])
Filters = st.lists(Terms | Words | Texts, max_size=5).map(" ".join)
Sizes = st.sampled_from(["0", "-1", "1", "99999999999999999999", "1e3", "٣", "+1", " 1"])
Values = Texts | Filters | Sizes | st.sampled_from(["userName", "emails.value", "groups", "members", "descending", "k"])
Odd = st.dictionaries(st.sampled_from(QUERY) | Texts, Values, max_size=4)


@st.composite
def queries(draw: st.DrawFn, good: dict[str, str]) -> bytes:
    """A good query with other values, or any bytes."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.binary(max_size=30))
    kept = {name: value for name, value in good.items() if draw(st.integers(0, 5))}
    said = kept | draw(Odd) if draw(st.booleans()) else draw(Odd) | kept
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in said.items()).encode()


def _quoted(text: str) -> str:
    return quote(text, errors="surrogatepass")
