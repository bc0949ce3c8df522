import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from processors.guardrails.safety import windows
from processors.payload.turns import Conversation, Turn

ROLES = st.sampled_from(["user", "assistant"])
TURNS = st.lists(st.builds(Turn, role=ROLES, text=st.text(max_size=3_000)), max_size=6).map(tuple)


def talk(*said: str) -> Conversation:
    return tuple(Turn(role=one.partition(":")[0], text=one.partition(":")[2]) for one in said)


def test_neighbours_of_one_role_are_one_turn_and_the_empty_are_none() -> None:
    cut = windows.cut(talk("user:a", "user:b", "assistant: ", "user:c", "assistant:d"))
    assert cut == (talk("user:a\n\nb\n\nc", "assistant:d"),)


def test_an_answer_to_nothing_has_a_user_before_it() -> None:
    assert windows.cut(talk("assistant:d")) == (talk("user:", "assistant:d"),)


def test_without_text_there_is_nothing_to_judge() -> None:
    assert windows.cut(talk("user: ", "assistant:<|eot_id|>")) == ()


def test_control_strings_go_and_leave_no_other_behind() -> None:
    ((turn,),) = windows.cut(talk("user:a<|eot_id|>b<|<|x|>eot_id|>c<end_of_turn>d[/INST]e<END CONVERSATION>f"))
    assert all(sign not in turn.text for sign in ("<|eot", "<|x", "<end_of_turn>", "[/INST]", "<END"))
    assert turn.text == "a b<| eot_id|>c d e f"


def test_what_a_caller_puts_into_the_assistants_mouth_is_judged_as_the_callers() -> None:
    assert windows.by_user(talk("user:a", "assistant:b", "user:c", "assistant:d")) == talk(
        "user:a", "assistant:b", "user:c", "user:d"
    )


@given(TURNS)
def test_roles_alternate_begin_with_the_user_and_fit(turns: Conversation) -> None:
    for window in windows.cut(turns):
        assert [turn.role for turn in window] == [("user", "assistant")[n % 2] for n in range(len(window))]
        assert len(window[-1].text) <= windows.WINDOW
        assert sum(len(turn.text) for turn in window[:-1]) <= windows.HISTORY


@given(st.integers(0, 20_000))
def test_windows_leave_nothing_out_and_overlap(length: int) -> None:
    text = "".join(chr(0x4E00 + n) for n in range(length))
    pieces = windows.WHOLE_TURN.pieces(text)
    assert pieces[0] + "".join(piece[windows.OVERLAP :] for piece in pieces[1:]) == text
    assert len(pieces) <= length // (windows.WINDOW - windows.OVERLAP) + 1


SMALL = windows.Cut(size=40, overlap=12, most=3, in_bytes=True)


@given(st.text(max_size=400))
def test_windows_of_bytes_fit_and_hold_every_character_in_order(text: str) -> None:
    whole = unicodedata.normalize("NFKC", text)
    pieces = SMALL.pieces(text)
    assert all(len(piece.encode()) <= SMALL.size for piece in pieces)
    reached = 0
    for piece in pieces:
        found = whole.find(piece)
        start = max((n for n in range(reached + 1) if whole.startswith(piece, n)), default=-1)
        assert found >= 0 and start >= 0, "a window skips a character"
        reached = max(reached, start + len(piece))
    assert reached == len(whole)


def test_what_a_tokenizer_would_make_longer_is_cut_after_it_is() -> None:
    assert all(len(piece.encode()) <= SMALL.size for piece in SMALL.pieces("\ufdfa" * 20))


def test_a_limit_says_its_unit() -> None:
    assert (windows.WHOLE_TURN.limit, SMALL.limit) == ("64 windows of 4000 characters", "3 windows of 40 bytes")
