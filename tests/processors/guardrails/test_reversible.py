"""Reversible masking: what a provider echoes comes back as it was written, whole or in any pieces, and nothing else."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.guardrails.base import Span
from processors.guardrails.reversible import Numbered, Placeholders, Restorer, Spelling, number

TYPES = ("PHONE_NUMBER", "EMAIL_ADDRESS", "NUMBER")
PIECES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["<", ">", "_", "1", "<PHONE_NUMBER_1>", "<PHONE_NUMBER", "phone_number_2", "\\u003c", "\\", '"']),
)
PROSE = st.lists(PIECES, max_size=6).map("".join)
VALUES = st.text(min_size=1, max_size=8)
PARTS = st.lists(st.tuples(PROSE, st.sampled_from(TYPES), VALUES), max_size=5)
TEXT = st.tuples(PARTS, PROSE)


def span(start: int, value: str, entity_type: str) -> Span:
    return Span(start=start, end=start + len(value), entity_type=entity_type, score=1.0, recogniser="test")


def laid_out(parts: Sequence[tuple[str, str, str]], end: str) -> tuple[str, list[Span]]:
    """A text made of prose and values, and where the values are."""
    text, spans = "", []
    for prose, entity_type, value in parts:
        text += prose
        spans.append(span(len(text), value, entity_type))
        text += value
    return text + end, spans


def numbered(*texts: tuple[str, list[Span]], beside: str = "") -> Numbered:
    written = "\n".join([*(text for text, _ in texts), beside]).encode()
    return number([text for text, _ in texts], [spans for _, spans in texts], written)


def one(text: str, **found: str) -> Numbered:
    """A text in which each value, by its type, is found wherever it stands."""
    hits = sorted((match.start(), v, t) for t, v in found.items() for match in re.finditer(re.escape(v), text))
    return numbered((text, [span(*hit) for hit in hits]))


def spelling(values: dict[str, str], *, in_json: bool = False) -> Spelling:
    placeholders = Placeholders(values)
    return placeholders.in_json if in_json else placeholders.in_text


def in_pieces(text: str, cuts: Sequence[int], spelled: Spelling) -> str:
    """The text restored as a stream that is cut at those places."""
    restorer = Restorer(spelled)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    out = ""
    for start, end in pairwise(places):
        out += restorer.feed(text[start:end])
        assert restorer.held < max(spelled.longest, 1)
    return out + restorer.finish()


def test_the_same_value_and_type_get_the_same_placeholder_across_all_texts() -> None:
    first = ("call 555 or 556", [span(5, "555", "PHONE_NUMBER"), span(12, "556", "PHONE_NUMBER")])
    second = ("555, acct 555", [span(0, "555", "PHONE_NUMBER"), span(10, "555", "US_BANK_NUMBER")])
    texts, values = numbered(first, second)
    assert texts == (
        "call <PHONE_NUMBER_1> or <PHONE_NUMBER_2>",
        "<PHONE_NUMBER_1>, acct <US_BANK_NUMBER_1>",
    )
    assert values == {"<PHONE_NUMBER_1>": "555", "<PHONE_NUMBER_2>": "556", "<US_BANK_NUMBER_1>": "555"}


@pytest.mark.parametrize("written", ["<PHONE_NUMBER_1>", "phone_number_1", "\\u003cPHONE_NUMBER_1\\u003e"])
def test_a_number_the_caller_wrote_himself_stays_his(written: str) -> None:
    texts, values = one(f"{written} is not 555", PHONE_NUMBER="555")
    assert texts == (f"{written} is not <PHONE_NUMBER_2>",)
    assert spelling(values).restored(f"{written} <PHONE_NUMBER_2>") == f"{written} 555"


def test_a_number_written_anywhere_in_the_request_is_not_used() -> None:
    found = numbered(
        ("555", [span(0, "555", "PHONE_NUMBER")]), beside='{"tools":["<PHONE_NUMBER_1>","PHONE_NUMBER_2"]}'
    )
    assert found.texts == ("<PHONE_NUMBER_3>",)


@given(st.lists(TEXT, max_size=4))
@example([([("<PHONE_NUMBER_1", "PHONE_NUMBER", "1")], ">")])
@example([([("", "NUMBER", "<PHONE_NUMBER_1>"), ("<", "PHONE_NUMBER", "5")], "")])
def test_what_an_echoing_provider_answers_is_restored_to_what_was_written(
    written: list[tuple[list[tuple[str, str, str]], str]],
) -> None:
    texts = [laid_out(*one) for one in written]
    masked, values = numbered(*texts)
    restore = spelling(values).restored
    assert [restore(text) for text in masked] == [text for text, _ in texts]


@given(TEXT, PROSE, st.lists(st.integers(min_value=0, max_value=500), max_size=12))
def test_a_stream_cut_anywhere_equals_the_whole_text_restored(
    written: tuple[list[tuple[str, str, str]], str], more: str, cuts: list[int]
) -> None:
    (masked,), values = numbered(laid_out(*written))
    for in_json in (False, True):
        spelled = spelling(values, in_json=in_json)
        answer = masked + more
        assert in_pieces(answer, cuts, spelled) == spelled.restored(answer)
        assert in_pieces(answer, range(len(answer)), spelled) == spelled.restored(answer)


@given(VALUES, st.sampled_from(["<{}>", "\\u003c{}\\u003e", "\\u003C{}\\u003E"]), st.text(max_size=5))
def test_in_json_the_value_is_escaped_however_the_brackets_are_written(value: str, form: str, beside: str) -> None:
    values = {"<PHONE_NUMBER_1>": value}
    written = json.dumps({"to": f"{beside}@", "n": 1}).replace("@", form.format("PHONE_NUMBER_1"))
    beside_restored = beside.replace("@", value)
    assert json.loads(spelling(values, in_json=True).restored(written)) == {"to": beside_restored + value, "n": 1}


def test_an_escaped_backslash_before_what_looks_like_a_bracket_is_no_bracket() -> None:
    values = {"<PHONE_NUMBER_1>": "5\n5"}
    written = json.dumps({"pattern": "\\u003cPHONE_NUMBER_1\\u003e"})
    spelled = spelling(values, in_json=True)
    assert spelled.restored(written) == written
    assert in_pieces(written, range(len(written)), spelled) == written


BROKEN = "<phone_number_1>|PHONE_NUMBER_1|<PHONE NUMBER 1>|<PHONE_NUMBER_01>|< PHONE_NUMBER_1 >|<PHONE\\_NUMBER\\_1>"


@pytest.mark.parametrize("broken", BROKEN.split("|"))
def test_a_placeholder_that_the_provider_broke_is_left_alone(broken: str) -> None:
    spelled = spelling({"<PHONE_NUMBER_1>": "555"})
    assert spelled.restored(broken) == broken
    assert in_pieces(broken, range(len(broken)), spelled) == broken


def test_another_requests_placeholder_is_left_alone() -> None:
    assert spelling({"<PHONE_NUMBER_1>": "555"}).restored("<PHONE_NUMBER_2> <PHONE_NUMBER_11>") == (
        "<PHONE_NUMBER_2> <PHONE_NUMBER_11>"
    )


def test_only_what_can_still_become_a_placeholder_of_this_request_is_held_back() -> None:
    restorer = Restorer(spelling({"<PHONE_NUMBER_1>": "555"}))
    assert (restorer.feed("a < b"), restorer.feed(" <PHONE"), restorer.held) == ("a < b", " ", 6)
    assert (restorer.feed("S"), restorer.held) == ("<PHONES", 0)
    assert (restorer.feed("<PHONE_NUMBER_1"), restorer.feed(">!")) == ("", "555!")
    assert (restorer.feed("<PHONE"), restorer.finish(), restorer.finish()) == ("", "<PHONE", "")


def test_a_value_that_looks_like_a_placeholder_is_not_replaced_again() -> None:
    values = {"<PHONE_NUMBER_1>": "<PHONE_NUMBER_2>", "<PHONE_NUMBER_2>": "secret"}
    assert spelling(values).restored("<PHONE_NUMBER_1>") == "<PHONE_NUMBER_2>"


def test_no_repr_shows_a_value() -> None:
    placeholders = Placeholders({"<PHONE_NUMBER_1>": "(213) 373-4253"})
    assert "(213) 373-4253" not in repr((placeholders, placeholders.in_text, Restorer(placeholders.in_text)))
