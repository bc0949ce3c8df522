"""The demo's provider, asked by the real client."""

import asyncio
import json
import threading
from collections.abc import Iterator

import openai
import pytest
import requests

from launcher import demo_provider

QUESTION = "専門家の混合モデルとは何ですか?"
Ports = list[str]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    loop, stop, up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    ports: Ports = []

    def say(port: str) -> None:
        ports.append(port)
        up.set()

    def run() -> None:
        loop.run_until_complete(demo_provider.serve(0, say, stop))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert up.wait(10)
    yield f"http://127.0.0.1:{ports[0]}/v1"
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=url, max_retries=0) as client:
        yield client


def test_the_same_question_gets_the_same_answer_in_its_language(client: openai.OpenAI) -> None:
    answers = [
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": QUESTION}])
        for _ in range(2)
    ]
    said = answers[0].choices[0].message.content or ""
    assert said == answers[1].choices[0].message.content and "専門家" in said
    assert answers[0].model == "gpt-4o" and answers[0].choices[0].finish_reason == "stop"
    assert answers[0].usage is not None and answers[0].usage.total_tokens == (len(QUESTION) // 4 + len(said) // 4)


def test_max_tokens_cuts_the_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "What is a gateway?"}], max_tokens=3
    )
    assert answer.choices[0].message.content == "An AI gatewa"
    assert answer.choices[0].finish_reason == "length"


def test_a_stream_says_what_the_whole_answer_says_and_counts_when_asked(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="m", messages=[{"role": "user", "content": QUESTION}])
    chunks = list(
        client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage and chunks[-2].choices[0].finish_reason == "stop"


def test_completions_answer_each_prompt_and_embeddings_each_input(client: openai.OpenAI) -> None:
    done = client.completions.create(model="m", prompt=["a gateway", "b"])
    assert [choice.index for choice in done.choices] == [0, 1]
    packed = client.embeddings.create(model="e", input=["a", "b"], dimensions=4)
    plain = client.embeddings.create(model="e", input=["a", "b"], dimensions=4, encoding_format="float")
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6) and len(one.embedding) == 4
    assert packed.data[0].embedding != packed.data[1].embedding


def test_a_caller_without_a_key_is_401(url: str) -> None:
    answer = requests.post(f"{url}/chat/completions", json={"model": "m"}, timeout=5)
    assert answer.status_code == 401 and answer.json()["error"]["message"]


@pytest.mark.parametrize("body", ["", "[]", "{", '{"messages": 1'])
def test_a_body_that_is_no_object_is_400(url: str, body: str) -> None:
    answer = requests.post(f"{url}/chat/completions", data=body, headers={"Authorization": "Bearer k"}, timeout=5)
    assert answer.status_code == 400


def test_a_question_may_come_in_parts_and_the_last_user_message_counts() -> None:
    body = {
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "user", "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "gateway"}]},
            {"role": "assistant", "content": None},
        ]
    }
    assert demo_provider.chat_question(body) == "a gateway"
    assert demo_provider.chat_question({}) == ""


def test_several_choices_come_when_n_asks(url: str) -> None:
    body = {"model": "m", "n": 3, "messages": [{"role": "user", "content": "x"}]}
    answer = requests.post(f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer k"}, timeout=5)
    assert [choice["index"] for choice in json.loads(answer.text)["choices"]] == [0, 1, 2]
