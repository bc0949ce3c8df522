"""SCIM's small languages: filters, pages, patches, refusals."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import refusals
from contract.refusals import Refusal
from ingress import scim
from ingress.scim import Operation, Patch
from ingress.wire import Answer
from tests.support import errors

ADA = {"id": "1", "userName": "Ada@x.com", "displayName": "Ada L", "active": True, "emails": [{"value": "ada@x.com"}]}
BOB = {"id": "2", "userName": "bob@x.com", "displayName": 'say "b"', "active": False, "emails": []}


def ids_of(text: str) -> list[Any]:
    test = scim.matching(text)
    assert not isinstance(test, Refusal), test
    return [one["id"] for one in (ADA, BOB) if test(one)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('userName eq "ada@x.com"', ["1"]),
        ("userName eq BOB@x.com", ["2"]),
        ("USERNAME EQ ada@X.com", ["1"]),
        ('displayName eq "Ada L"', ["1"]),
        (r'displayName eq "say \"b\""', ["2"]),
        ('userName co "x.com"', ["1", "2"]),
        ("userName sw a", ["1"]),
        ("userName ne ada@x.com", ["2"]),
        ("active eq true", ["1"]),
        ("emails.value co ada", ["1"]),
        ("applicationId eq x", []),
        ("id eq 1 or id eq 2", ["1", "2"]),
        ("userName co x.com and active eq false", ["2"]),
        ("id eq 1 or id eq 2 and active eq true", ["1"]),
        ("  id   eq  2  ", ["2"]),
    ],
)
def test_a_filter_finds(text: str, found: list[str]) -> None:
    assert ids_of(text) == found


@pytest.mark.parametrize(
    "text", ["x", "userName", "userName eq", "userName is x", "age eq 3", "id eq 1 id eq 2", "id eq 1 and", 'id eq "1']
)
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    refusal = scim.matching(text)
    assert isinstance(refusal, Refusal) and refusal.message.startswith("filter:")


@given(text=st.text(max_size=30) | st.text(alphabet='id eq"andor.', max_size=30))
def test_no_filter_raises(text: str) -> None:
    test = scim.matching(text)
    assert isinstance(test, Refusal) or isinstance(test(ADA), bool)


def page(query: dict[str, str], size: int = 5) -> Any:
    answer = scim.page(range(1, size + 1), query, lambda n: {"id": str(n), "schemas": [], "displayName": "x"})
    assert isinstance(answer, Answer)
    return msgspec.json.decode(answer.body)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, ["1", "2", "3", "4", "5"]),
        ({"startIndex": "2", "count": "2"}, ["2", "3"]),
        ({"startIndex": "5", "count": "9"}, ["5"]),
        ({"startIndex": "6"}, []),
        ({"startIndex": "0", "count": "1"}, ["1"]),
        ({"startIndex": "-3", "count": "1"}, ["1"]),
        ({"count": "0"}, []),
        ({"count": "-1"}, []),
    ],
)
def test_a_page_holds_what_was_asked_for_and_ends(query: dict[str, str], ids: list[str]) -> None:
    shown = page(query)
    assert [one["id"] for one in shown["Resources"]] == ids
    assert (shown["totalResults"], shown["itemsPerPage"]) == (5, len(ids))


@pytest.mark.parametrize("query", [{"startIndex": "x"}, {"count": "1.5"}, {"count": ""}, {"startIndex": "9" * 5000}])
def test_a_page_that_is_no_number_is_refused(query: dict[str, str]) -> None:
    refusal = scim.page([], query, dict)
    assert isinstance(refusal, Refusal) and next(iter(query)) in refusal.message


def test_attributes_narrow_what_is_shown_but_for_the_id() -> None:
    assert page({"attributes": "displayName.x, none"}, 1)["Resources"] == [
        {"id": "1", "schemas": [], "displayName": "x"}
    ]
    assert page({"attributes": "none"}, 1)["Resources"] == [{"id": "1", "schemas": []}]
    assert page({"excludedAttributes": "displayName,id"}, 1)["Resources"] == [{"id": "1", "schemas": []}]


def test_a_patch_becomes_steps_with_and_without_a_path() -> None:
    patch = Patch(
        operations=(
            Operation(op="Add", path="members", value=[{"value": "1"}]),
            Operation(op="remove", path='members[value eq "2"]'),
            Operation(op="replace", value={"displayName": "d", "active": False}),
        )
    )
    steps = scim.steps(patch)
    assert not isinstance(steps, Refusal)
    assert [(s.op, s.attribute, s.chosen) for s in steps] == [
        ("add", "members", None),
        ("remove", "members", "2"),
        ("replace", "displayName", None),
        ("replace", "active", None),
    ]


@pytest.mark.parametrize("operation", [Operation(op="move", path="x"), Operation(op="add"), Operation(op="remove")])
def test_an_operation_that_says_nothing_is_refused(operation: Operation) -> None:
    refusal = scim.steps(Patch(operations=(operation,)))
    assert isinstance(refusal, Refusal) and "Operations[0]" in refusal.message


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ([{"value": "1"}, {"value": "2"}], ["1", "2"]),
        ({"value": "1"}, ["1"]),
        ("1", ["1"]),
        ([], []),
        ([{"value": 1}], None),
        ([{}], None),
        (None, None),
    ],
)
def test_ids_come_in_several_forms(value: Any, ids: list[str] | None) -> None:
    assert scim.ids(value) == ids


def test_a_refusal_is_said_in_both_languages() -> None:
    answer = scim.refused(refusals.already_exists("User a"), "r1")
    said = errors.named(msgspec.json.decode(answer.body), "r1")
    assert answer.status == 409
    assert said == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "detail": "User a already exists.",
        "status": "409",
        "scimType": "uniqueness",
        "error_code": "RESOURCE_ALREADY_EXISTS",
        "message": "User a already exists.",
    }
