import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.payload import arguments
from processors.payload.arguments import Scanner, Token

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
LOOSE = st.lists(
    st.sampled_from(['{', '}', '[', ']', '"', ":", ",", " ", "\n", "\\", "\\u", "\\u0040", "\\ud83d", "\\ude00", "\\n",
                     '\\"', "a", "12", "-", "true", "\u3042", "\u2028", "x@y.z"]),
    max_size=25,
).map("".join)  # fmt: skip


def read(*pieces: str) -> list[Token]:
    scanner, tokens = Scanner(), list[Token]()
    for piece in pieces:
        tokens += scanner.feed(piece)
    return joined([*tokens, *scanner.finish()])


def joined(tokens: list[Token]) -> list[Token]:
    """Neighbours that are pieces of one thing as one; their lead is the same or none."""
    whole: list[Token] = []
    for token in tokens:
        if whole and whole[-1].kind == token.kind and token.kind in ("between", "said", "text"):
            whole[-1] = whole[-1]._replace(text=whole[-1].text + token.text)
        else:
            whole.append(token)
    return whole


def said(text: str) -> list[tuple[str, str]]:
    return [(token.lead, token.text) for token in arguments.said(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"mail":"bob\\u0040x.org"}', [("", "mail"), ("mail: ", "bob@x.org")]),
        ('{"n" : 41 , "b":[true, -5 ]}', [("", "n"), ("n: ", "41"), ("n: ", "b"), ("b: ", "true"), ("b: ", "-5")]),
        ('["\\ud83d\\ude00\\n\\/\\\\\\"", ""]', [("", '😀\n/\\"')]),
        ('["\\ud800!", "\\udc00"]', [("", "\ufffd!"), ("", "\ufffd")]),
        ('{"a.b_2c": "x"}', [("", "a.b_2c"), ("a.b__c: ", "x")]),
        ('{"5": "x"}', [("", "5"), ("", "x")]),
        ("  ", []),
        ("send it to bob", [("", "send it to bob")]),
        (" true", [("", "true")]),
        ("4111 1111", [("", "4111 1111")]),
        ('{"a": "\\x \\u12', [("", "a"), ("a: ", "\\x \\u12")]),
        ("{a: 'b c'}", [("", "a"), ("", "'b c'")]),
    ],
)  # fmt: skip
def test_arguments_say_their_strings_unescaped_and_what_is_unquoted(text: str, expected: list[tuple[str, str]]) -> None:
    assert said(text) == expected


@given(VALUES, st.booleans())
def test_every_string_and_number_of_json_is_said(value: Any, ascii_only: bool) -> None:
    found: list[str] = []

    def walk(one: Any) -> None:
        if isinstance(one, dict):
            for key, inner in one.items():
                found.extend([key] if key else [])
                walk(inner)
        elif isinstance(one, list):
            for inner in one:
                walk(inner)
        elif not isinstance(one, str) or one:
            found.append(one if isinstance(one, str) else json.dumps(one))

    walk([value])
    assert [text for _, text in said(json.dumps([value], ensure_ascii=ascii_only))] == found


@given(LOOSE | VALUES.map(json.dumps), st.lists(st.integers(0, 100), max_size=8))
@example('{"a\\ud83d\\ude00', [3, 5, 7, 9, 11, 13])
@example('{"a",:1}', [4, 5])
def test_the_tokens_are_the_same_however_the_text_is_cut(text: str, places: list[int]) -> None:
    places = sorted(place for place in places if place <= len(text))
    parts = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert read(*parts) == read(text) == read(*text)


@given(LOOSE | VALUES.map(json.dumps))
@example('"a\\')
def test_whole_arguments_say_what_their_tokens_do(text: str) -> None:
    lead, found = "", []
    for token in read(text):
        lead = token.lead if token.kind in ("open", "bare") else lead
        if token.kind in ("text", "said", "bare"):
            found.append(("" if token.kind == "text" else lead, token.text))
    assert said(text) == found


@given(LOOSE | VALUES.map(json.dumps))
def test_arguments_that_say_the_same_are_left_as_they_are(text: str) -> None:
    texts = iter([token.text for token in arguments.said(text)])
    assert arguments.saying(text, texts) == text
    assert list(texts) == []


@given(VALUES, st.data())
def test_arguments_that_say_something_else_are_json_still(value: Any, data: st.DataObject) -> None:
    text = json.dumps({"a": value})
    others = [
        token.text + data.draw(st.sampled_from(["", "<X>", '"', "\\", "\n", "\u2028"]))
        for token in arguments.said(text)
    ]
    assert isinstance(json.loads(arguments.saying(text, iter(others))), dict)


def test_a_number_that_says_something_else_becomes_a_string() -> None:
    assert arguments.saying('{"card": 41, "n": 1}', iter(["card", "<CARD>", "n", "1"])) == '{"card": "<CARD>", "n": 1}'
