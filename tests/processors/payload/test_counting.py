import pytest

from processors.payload.counting import Usage, characters, estimated_tokens, usage_of


def test_the_providers_count_is_taken_as_it_is() -> None:
    usage = usage_of(b'{"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"details":{"x":1}}}')
    assert usage == Usage(prompt_tokens=7, completion_tokens=3, total_tokens=10)


def test_an_embeddings_answer_has_no_completion_tokens() -> None:
    assert usage_of(b'{"usage":{"prompt_tokens":7,"total_tokens":7}}') == Usage(prompt_tokens=7, total_tokens=7)


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"usage":null}',
        b'{"usage":5}',
        b'{"usage":[]}',
        b' {"usage":{"prompt_tokens":"7"}}',
        b'{"usage":{"prompt_tokens":-5}}',
        b'{"usage":{"prompt_tokens":1e40}}',
        b'{"usage":{"total_tokens":100000000000000000000000}}',
    ],
)
def test_an_answer_without_a_count_that_can_be_right_has_none(answer: bytes) -> None:
    assert usage_of(answer) == Usage()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"<html>",
        b'{"choices":',
        b'{"a":1}{"b":2}',
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 9_000 + b"]" * 9_000 + b"}",
    ],
)
def test_an_answer_that_is_no_json_object_is_no_answer(answer: bytes) -> None:
    assert usage_of(answer) is None


@pytest.mark.parametrize(("count", "tokens"), [(0, 0), (2, 0), (3, 1), (6, 1), (7, 2), (400, 100)])
def test_the_estimate_is_the_vendors(count: int, tokens: int) -> None:
    assert estimated_tokens(count) == tokens


def test_characters_are_counted_not_bytes() -> None:
    assert characters(["añ", "日本"]) == 4
