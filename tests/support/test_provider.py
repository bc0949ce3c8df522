"""The scripted provider keeps to its script: what other tests rely on."""

import threading
from collections.abc import Callable, Iterator

import openai
import pytest
import requests

from tests.support.provider import Hang, Reply, Reset, ScriptedProvider, Stream, Truncated


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as provider:
        yield provider


def ask(provider: ScriptedProvider, model: str = "m", **more: object) -> requests.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "?"}]} | more
    return requests.post(f"{provider.url}/chat/completions", json=body, timeout=10)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("the condition never held")


def test_without_a_script_it_answers_as_the_real_client_expects(provider: ScriptedProvider) -> None:
    with openai.OpenAI(api_key="k", base_url=provider.url, max_retries=0) as client:
        whole = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
        assert whole.choices[0].message.content == "The answer." and whole.model == "m-dated"
        pieces = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}], stream=True)
        assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == "The answer."
        assert len(client.embeddings.create(model="e", input=["a", "b"]).data) == 2
        assert client.completions.create(model="c", prompt="p").choices[0].text == "The answer."
    assert [got.model for got in provider.requests] == ["m", "m", "e", "c"]
    assert provider.requests[0].headers["Authorization"] == "Bearer k"


def test_a_script_is_played_in_order_and_its_last_step_repeats(provider: ScriptedProvider) -> None:
    provider.script("m", Reply(status=503), Reply(status=429, body=b"no"), Reply(text="yes"))
    answers = [ask(provider) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 429, 200, 200]
    assert answers[0].json()["error"]["type"] == "server_error" and answers[1].text == "no"
    assert answers[3].json()["choices"][0]["message"]["content"] == "yes"
    assert ask(provider, "other").status_code == 200 and len(provider.of("m")) == 4


@pytest.mark.parametrize("step", [Reset(), Truncated(), Stream(ending="cut"), Stream(ending="reset")])
def test_a_broken_answer_is_seen_as_broken(provider: ScriptedProvider, step: Reset | Truncated | Stream) -> None:
    provider.script("m", step)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask(provider)


def test_a_stream_without_done_ends_cleanly_and_short(provider: ScriptedProvider) -> None:
    provider.script("m", Stream(raw=("{}", "{}"), ending="no_done"))
    assert ask(provider, stream=True).text == "data: {}\n\ndata: {}\n\n"


@pytest.mark.parametrize("step", [Hang(), Stream(ending="hang")])
def test_a_caller_that_gives_up_is_counted(provider: ScriptedProvider, step: Hang | Stream) -> None:
    provider.script("m", step)
    with pytest.raises(requests.RequestException):
        requests.post(f"{provider.url}/chat/completions", json={"model": "m"}, timeout=0.2)
    until(lambda: provider.hung_up == 1 and provider.in_flight == 0)
    assert provider.most_in_flight == 1
