from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.payload.merging import Merged

HEAD = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def merged(*chunks: dict[str, Any]) -> dict[str, Any]:
    into = Merged()
    for one in chunks:
        into.add(one)
    return into.answer()


def piece(delta: Any, index: int = 0, finish: str | None = None) -> dict[str, Any]:
    return HEAD | {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=3), st.data())
def test_chunks_merge_into_the_whole_answer_however_they_were_cut(answers: list[str], data: st.DataObject) -> None:
    queues = [
        [
            piece({"role": "assistant", "content": ""}, n),
            *(piece({"content": part}, n) for part in data.draw(cut(text))),
            piece({}, n, "stop"),
        ]
        for n, text in enumerate(answers)
    ]
    chunks = []
    while any(queues):
        queue = data.draw(st.sampled_from([queue for queue in queues if queue]))
        chunks.append(queue.pop(0))
    usage = {"prompt_tokens": 1}
    assert merged(*chunks, HEAD | {"choices": [], "usage": usage}) == {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for n, text in enumerate(answers)
        ],
        "usage": usage,
    }


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=3), st.data())
def test_tool_calls_merge_however_their_arguments_were_cut(arguments: list[str], data: st.DataObject) -> None:
    chunks = [piece({"role": "assistant", "content": None})]
    for n, whole in enumerate(arguments):
        first = {"index": n, "id": f"c{n}", "type": "function", "function": {"name": f"f{n}", "arguments": ""}}
        chunks.append(piece({"tool_calls": [first]}))
        for part in data.draw(cut(whole)):
            chunks.append(piece({"tool_calls": [{"index": n, "function": {"arguments": part}}]}))
    (choice,) = merged(*chunks, piece({}, finish="tool_calls"))["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert [(call["id"], call["function"]) for call in choice["message"]["tool_calls"]] == [
        (f"c{n}", {"name": f"f{n}", "arguments": whole}) for n, whole in enumerate(arguments)
    ]


def test_texts_of_other_fields_come_in_pieces_too() -> None:
    chunks = [piece({"role": "assistant", "reasoning_content": text}) for text in ("think ", "hard")]
    (choice,) = merged(*chunks)["choices"]
    assert choice["message"] == {"role": "assistant", "content": "", "reasoning_content": "think hard"}


def test_parts_grow_by_their_type_and_other_items_by_their_index() -> None:
    think = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]
    chunks = [
        piece({"role": "assistant", "content": think}),
        piece({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "m"}]}]}),
        piece(
            {"content": [{"type": "text", "text": "a"}], "reasoning_details": [{"index": 0, "text": "x", "id": "i"}]}
        ),
        piece({"content": [{"type": "text", "text": "b"}], "reasoning_details": [{"index": 1, "text": "y"}]}),
        piece({"content": "c", "reasoning_details": [{"index": 0, "text": "z"}]}),
    ]
    (choice,) = merged(*chunks)["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hmm"}]},
            {"type": "text", "text": "abc"},
        ],
        "reasoning_details": [{"index": 0, "text": "xz", "id": "i"}, {"index": 1, "text": "y"}],
    }


def test_a_text_that_goes_on_as_parts_becomes_one() -> None:
    (choice,) = merged(piece({"content": "a"}), piece({"content": [{"type": "image_url", "image_url": {"url": "u"}}]}))[
        "choices"
    ]
    assert choice["message"]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "u"}},
    ]


def test_citations_are_each_their_own() -> None:
    cited = [{"type": "url_citation", "url_citation": {"url": url}} for url in ("a", "b")]
    (choice,) = merged(*(piece({"annotations": [one]}) for one in cited))["choices"]
    assert choice["message"]["annotations"] == cited


def test_a_call_of_the_old_kind_and_a_custom_tools_input_come_in_pieces_too() -> None:
    chunks = [
        piece({"function_call": {"name": "f", "arguments": '{"a"'}}),
        piece({"function_call": {"arguments": ":1}"}}),
        piece({"tool_calls": [{"index": 0, "id": "1", "custom": {"name": "g", "input": "l"}}]}),
        piece({"tool_calls": [{"index": 0, "custom": {"input": "s"}}]}),
    ]
    (choice,) = merged(*chunks)["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert choice["message"]["tool_calls"] == [{"index": 0, "id": "1", "custom": {"name": "g", "input": "ls"}}]


def test_texts_are_those_of_every_field_but_calls() -> None:
    into = Merged()
    into.add(
        piece({"content": "a", "reasoning": "b", "function_call": {"arguments": "c"}, "tool_calls": [{"custom": {}}]})
    )
    into.add(piece({"content": [{"type": "text", "text": "d"}]}))
    assert sorted(into.texts()) == ["a" + "d", "b"]


def test_it_knows_whether_anything_was_said_yet() -> None:
    into = Merged()
    into.add(piece({"role": "assistant", "content": ""}))
    assert not into.has_text
    into.add(piece({"content": "a"}))
    assert into.has_text


def test_completion_chunks_merge_their_text() -> None:
    chunks = [{"object": "text_completion", "choices": [{"index": 0, "text": text}]} for text in ("a", "b")]
    assert merged(*chunks)["choices"] == [{"index": 0, "text": "ab"}]


def test_a_stream_that_broke_can_be_asked_for_what_came() -> None:
    into = Merged()
    assert into.answer() == {"choices": []}
    into.add(piece({"content": "half"}))
    assert into.texts() == ["half"]
    assert into.answer()["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "half"}}]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["index", "delta", "text", "content", "tool_calls", "function", "name", "arguments", "finish_reason"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.lists(ANY, max_size=4))
def test_no_chunk_a_provider_may_send_breaks_the_merge(choices: list[Any]) -> None:
    into = Merged()
    into.add({"choices": choices, "usage": choices})
    into.add({"choices": choices})
    assert all(isinstance(text, str) for text in into.texts())
    into.answer()
