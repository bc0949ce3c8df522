"""The demo provider's answers: the same each time, in the question's language."""

import math

from hypothesis import given
from hypothesis import strategies as st

from launcher import demo_answers


@given(st.text())
def test_any_question_gets_the_same_answer_twice(question: str) -> None:
    said = demo_answers.answer(question)
    assert said and said == demo_answers.answer(question)


def test_japanese_is_answered_in_japanese_and_english_in_english() -> None:
    assert demo_answers.JAPANESE.search(demo_answers.answer("ゲートウェイとは?"))
    assert not demo_answers.JAPANESE.search(demo_answers.answer("What is a mixture of experts?"))


@given(st.text(), st.integers(0, 50))
def test_a_cut_answer_keeps_within_its_tokens(text: str, room: int) -> None:
    kept, why = demo_answers.cut(text, room)
    assert text.startswith(kept) and len(kept) <= room * demo_answers.CHARACTERS_PER_TOKEN
    assert (why == "stop") == (kept == text)


@given(st.text())
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(demo_answers.pieces(text)) == text


@given(st.text(max_size=20), st.integers(1, 32))
def test_an_embedding_is_a_unit_vector_of_the_size_asked_for(text: str, size: int) -> None:
    vector = demo_answers.embedding(text, size)
    assert len(vector) == size and math.isclose(sum(x * x for x in vector), 1.0)
