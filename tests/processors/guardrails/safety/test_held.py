from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.guardrails.safety.held import OVERLAP, WINDOW, Held

Json = dict[str, Any]


def hold(held: Held, text: str, index: int = 0) -> Json:
    chunk: Json = {"choices": [{"index": index, "delta": {"content": text}}]}
    held.hold(chunk, [(index, text)])
    return chunk


def test_chunks_come_out_in_order_when_a_window_is_full() -> None:
    held = Held()
    first = hold(held, "a" * (WINDOW - 1))
    before = held.due
    second = hold(held, "b")
    assert (before, held.due) == (False, True)
    assert held.texts() == ["a" * (WINDOW - 1) + "b"]
    assert held.release() == [first, second]
    assert (held.due, held.texts(), held.release()) == (False, [], [])


def test_the_next_window_begins_with_the_end_of_the_last() -> None:
    held = Held()
    hold(held, "a" * WINDOW)
    held.release()
    hold(held, "bc")
    assert held.texts() == ["a" * OVERLAP + "bc"]
    held.release()
    hold(held, "d")
    assert held.texts() == ["a" * (OVERLAP - 2) + "bcd"]


def test_choices_are_judged_apart() -> None:
    held = Held()
    hold(held, "a" * WINDOW, 0)
    hold(held, "b", 1)
    assert held.texts() == ["a" * WINDOW, "b"]


def test_calls_of_tools_do_not_wait_for_a_window_unless_text_does() -> None:
    call: Json = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}}]}
    held = Held()
    held.hold(call, [])
    assert held.due
    held.release()
    hold(held, "text")
    held.hold(call, [])
    assert not held.due


@given(st.lists(st.text(max_size=2 * WINDOW), max_size=12))
def test_however_a_text_is_cut_all_of_it_is_judged_before_it_goes_out(parts: list[str]) -> None:
    held, judged, sent = Held(), "", ""
    for part in parts:
        hold(held, part)
        if held.due:
            judged, sent = _passed(held, judged, sent)
    judged, sent = _passed(held, judged, sent)
    assert judged == sent == "".join(parts)


def _passed(held: Held, judged: str, sent: str) -> tuple[str, str]:
    tail = judged[-OVERLAP:]
    for text in held.texts():
        assert text.startswith(tail)
        judged += text[len(tail) :]
    sent += "".join(chunk["choices"][0]["delta"]["content"] for chunk in held.release())
    return judged, sent
