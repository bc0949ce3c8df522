"""SCIM (api-contract.md 5.4): what a query, a patch and a refusal look like. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from contract import refusals
from contract.refusals import Refusal
from ingress.wire import Answer

MESSAGES = "urn:ietf:params:scim:api:messages:2.0"
KINDS = {400: "invalidValue", 409: "uniqueness"}
PAGE = 10_000  # what the SDK asks for
T = TypeVar("T")
Resource = dict[str, Any]
Test = Callable[[Resource], bool]
TERM = re.compile(r'\s*([A-Za-z][\w.]*)\s+(eq|ne|co|sw)\s+("(?:[^"\\]|\\.)*"|[^\s"]+)\s*', re.IGNORECASE)
JOINT = re.compile(r"(and|or)\s", re.IGNORECASE)
FILTERED = ("id", "userName", "displayName", "applicationId", "active", "emails", "emails.value")
TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": lambda has, wanted: has == wanted,
    "ne": lambda has, wanted: has != wanted,
    "co": lambda has, wanted: wanted in has,
    "sw": lambda has, wanted: has.startswith(wanted),
}


def refused(refusal: Refusal, request_id: str) -> Answer:
    """A refusal as SCIM says it; the vendor's keys are there for whoever reads those."""
    return _refused(refusal.status, refusals.envelope(refusal.error_code, refusal.message, request_id))


def translated(answer: Answer) -> Answer:
    """The writer's answer; its refusals as SCIM says them."""
    if answer.status < 400:
        return answer
    return _refused(answer.status, msgspec.json.decode(answer.body))


def _refused(status: int, envelope: dict[str, object]) -> Answer:
    kind = KINDS.get(status)
    body = {
        "schemas": [f"{MESSAGES}:Error"],
        "detail": envelope["message"],
        "status": str(status),
        **({"scimType": kind} if kind else {}),
        **envelope,
    }
    return Answer(body=msgspec.json.encode(body), status=status)


def values(resource: Resource, attribute: str) -> list[str]:
    """What an attribute holds, as texts without case: `emails` holds several.

    >>> values({"emails": [{"value": "A@b"}]}, "emails.value")
    ['a@b']
    """
    found = resource.get(attribute.partition(".")[0])
    if isinstance(found, list):
        return [str(one["value"]).casefold() for one in found]
    return [] if found is None else [str(found).casefold()]


def matching(text: str) -> Test | Refusal:
    """A filter as a test: terms of `eq`, `ne`, `co`, `sw` joined by `and` and `or`, where `and` binds more tightly."""
    either: list[list[Test]] = [[]]
    at = 0
    while True:
        term = TERM.match(text, at)
        if term is None:
            return refusals.invalid(f"filter: cannot be read from character {at + 1} on")
        test = _term(*term.groups())
        if isinstance(test, Refusal):
            return test
        either[-1].append(test)
        at = term.end()
        if at == len(text):
            return lambda resource: any(all(test(resource) for test in every) for every in either)
        joint = JOINT.match(text, at)
        if joint is None:
            return refusals.invalid(f"filter: 'and' or 'or' is missing at character {at + 1}")
        if joint[1].lower() == "or":
            either.append([])
        at = joint.end()


def _term(attribute: str, operator: str, quoted: str) -> Test | Refusal:
    known = next((one for one in FILTERED if one.casefold() == attribute.casefold()), None)
    if known is None:
        return refusals.invalid(f"filter: the attribute '{attribute}' is none of {', '.join(FILTERED)}")
    wanted = (re.sub(r"\\(.)", r"\1", quoted[1:-1]) if quoted.startswith('"') else quoted).casefold()
    test = TESTS[operator.lower()]
    if operator.lower() == "ne":
        return lambda resource: wanted not in values(resource, known)
    return lambda resource: any(test(has, wanted) for has in values(resource, known))


def page(found: Sequence[T], query: Mapping[str, str], show: Callable[[T], Resource]) -> Answer | Refusal:
    """One page of `found`, each as `show` says: past the last it is empty, by which the SDK knows that it has all."""
    start = _whole(query, "startIndex", 1)
    count = _whole(query, "count", PAGE)
    if isinstance(start, Refusal):
        return start
    if isinstance(count, Refusal):
        return count
    start = max(start, 1)
    shown = [_narrowed(show(one), query) for one in found[start - 1 : start - 1 + max(count, 0)]]
    body = {
        "schemas": [f"{MESSAGES}:ListResponse"],
        "totalResults": len(found),
        "startIndex": start,
        "itemsPerPage": len(shown),
        "Resources": shown,
    }
    return Answer(body=msgspec.json.encode(body))


def _whole(query: Mapping[str, str], field: str, default: int) -> int | Refusal:
    said = query.get(field, str(default))
    if re.fullmatch(r"-?[0-9]{1,9}", said):
        return int(said)
    return refusals.invalid(f"{field}: must be a whole number")


def _narrowed(resource: Resource, query: Mapping[str, str]) -> Resource:
    wanted, unwanted = (_tops(query.get(field, "")) for field in ("attributes", "excludedAttributes"))
    always = {"schemas", "id"}
    return {
        key: value
        for key, value in resource.items()
        if key in always or (key not in unwanted and (not wanted or key in wanted))
    }


def _tops(listed: str) -> set[str]:
    return {one.strip().partition(".")[0] for one in listed.split(",") if one.strip()}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a patch."""

    op: str
    path: str | None = None
    value: Any = None


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PATCH."""

    operations: tuple[Operation, ...] = msgspec.field(name="Operations", default=())


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute that a patch touches. `op`: a row of `OPS`; `chosen`: the id in `members[value eq "id"]`."""

    op: str
    attribute: str
    value: Any = None
    chosen: str | None = None


CHOSEN = re.compile(r'members\[\s*value\s+eq\s+"([^"]*)"\s*\]', re.IGNORECASE)
OPS = ("add", "remove", "replace")


def steps(patch: Patch) -> list[Step] | Refusal:
    """A patch as its steps, in order; an operation without a path is a step for each attribute of its value."""
    taken: list[Step] = []
    for index, operation in enumerate(patch.operations):
        at = f"Operations[{index}]"
        op = operation.op.lower()
        if op not in OPS:
            return refusals.invalid(f"{at}.op: must be one of {', '.join(OPS)}")
        if operation.path:
            taken.append(_step(op, operation.path, operation.value))
        elif isinstance(operation.value, dict) and op != "remove":
            taken += [_step(op, path, value) for path, value in operation.value.items()]
        else:
            return refusals.invalid(f"{at}.path: is required, or a value with attributes")
    return taken


def _step(op: str, path: str, value: Any) -> Step:
    chosen = CHOSEN.fullmatch(path.strip())
    if chosen is not None:
        return Step(op=op, attribute="members", value=value, chosen=chosen[1])
    return Step(op=op, attribute=path.strip(), value=value)


def ids(value: Any) -> list[str] | None:
    """The ids in a list of `{"value": id}`, or in a single one; None when it is something else."""
    found = list(_ids(value if isinstance(value, list) else [value]))
    return None if None in found else [one for one in found if one is not None]


def _ids(items: Sequence[Any]) -> Iterator[str | None]:
    for item in items:
        one = item.get("value") if isinstance(item, dict) else item
        yield one if isinstance(one, str) else None
