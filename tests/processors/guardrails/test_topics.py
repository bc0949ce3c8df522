import msgspec
import pytest

from processors.guardrails.safety.base import Fault, Model
from processors.guardrails.topics import Known, OnTopic, ask, read
from processors.payload.turns import Turn
from tests.support.guard import completion

MODEL = Model(url="http://judge/v1", name="judge", kind="topics")
VALID = ("gardening", "the  weather\n3. anything")
SAID = (Turn(role="user", text="When do I sow?"),)


def answer(text: str) -> OnTopic | Fault:
    return read(msgspec.json.encode(completion(text)), VALID)


def test_the_topics_are_numbered_and_the_answer_is_one_of_the_numbers() -> None:
    body = msgspec.json.decode(ask(MODEL, SAID, VALID).body)
    task, said = (message["content"] for message in body["messages"])
    assert task.endswith("1. gardening\n2. the weather 3. anything")
    assert "When do I sow?" in said and "When do I sow?" not in task
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["topic"]["enum"] == [0, 1, 2]
    assert body["temperature"] == 0


@pytest.mark.parametrize(("text", "topic"), [('{"topic": 0}', 0), (' {"topic":2}\n', 2)])
def test_the_number_is_the_topic(text: str, topic: int) -> None:
    assert answer(text) == OnTopic(topic=topic, prompt_tokens=196, total_tokens=201)


GARBAGE = [
    "",
    "1",
    "gardening",
    '{"topic": 3}',
    '{"topic": -1}',
    '{"topic": "1"}',
    '{"topic": true}',
    '{"topic":1,"a":2}',
]


@pytest.mark.parametrize("text", [*GARBAGE, '```json\n{"topic": 1}\n```'])
def test_anything_else_is_no_verdict(text: str) -> None:
    assert isinstance(answer(text), Fault)


def test_verdicts_are_known_by_topics_and_text_and_the_oldest_is_forgotten() -> None:
    known = Known(most=2)
    one, two = ask(MODEL, SAID, VALID), ask(MODEL, SAID, VALID[:1])
    known.put(one, 1)
    known.put(two, 0)
    assert (known.get(one), known.get(two)) == (1, 0)
    known.get(one)
    known.put(ask(MODEL, (Turn(role="user", text="x"),), VALID), 2)
    assert (known.get(one), known.get(two)) == (1, None)
