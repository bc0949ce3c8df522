"""OpenAI's client against the real stack. What each test says it speaks makes docs/compatibility.md."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support import errors
from tests.support.clients import ASK, BLOCK, CHAT, CONTEXT, LIMIT
from tests.support.compatibility import speaks
from tests.support.provider import ScriptedProvider, Stream
from tests.support.services import Services


@pytest.fixture
def client(gateway: Services) -> Iterator[openai.OpenAI]:
    base_url = f"{gateway.url}/serving-endpoints"
    with openai.OpenAI(base_url=base_url, api_key=gateway.token, max_retries=0) as made:
        yield made


@speaks("openai", f"POST {ASK}/chat/completions")
def test_openai_chats_with_our_extras_and_finds_the_request_id(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-chat", provider.url, "oa-chat-model")
    extras = {"usage_context": CONTEXT, "client_request_id": "mine", "extra_params": {"top_k": 3}}
    answer = client.chat.completions.create(model="oa-chat", messages=CHAT, extra_body=extras)
    assert answer.choices[0].message.content == "The answer." and answer.model == "oa-chat-model-dated"
    assert answer.usage is not None and answer.usage.total_tokens == 10
    (row,) = gateway.logged_once("oa-chat", 1)
    assert (row.request_id, row.client_request_id, row.usage_context) == (answer._request_id, "mine", CONTEXT)
    (got,) = provider.of("oa-chat-model")
    assert got.body["top_k"] == 3 and not {"usage_context", "client_request_id", "extra_params"} & got.body.keys()


@speaks("openai", f"POST {ASK}/chat/completions (stream)")
def test_openai_streams_and_gets_usage_when_it_asks(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-stream", provider.url, "oa-stream-model")
    provider.script("oa-stream-model", Stream(texts=("one ", "two")))
    wanted: Any = {"include_usage": True}
    with client.chat.completions.create(model="oa-stream", messages=CHAT, stream=True, stream_options=wanted) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "one two"
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [10]
    provider.script("oa-stream-model", Stream(texts=("one ",), ending="cut"))
    with (
        pytest.raises(openai.APIError, match="Provider call failed"),
        client.chat.completions.create(model="oa-stream", messages=CHAT, stream=True) as stream,
    ):
        list(stream)


@speaks("openai", f"POST {ASK}/completions", f"POST {ASK}/embeddings", f"GET {ASK}/models")
def test_openai_completes_embeds_and_lists_models(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-text", provider.url, "oa-text-model", task="llm/v1/completions")
    gateway.endpoint("oa-vector", provider.url, "oa-vector-model", task="llm/v1/embeddings")
    assert client.completions.create(model="oa-text", prompt="x").choices[0].text == "The answer."
    vectors = client.embeddings.create(model="oa-vector", input=["a", "b"], extra_body={"usage_context": CONTEXT})
    assert [one.embedding for one in vectors.data] == [[0.5, -0.5]] * 2
    assert {"oa-text", "oa-vector"} <= {one.id for one in client.models.list()}


@speaks("openai", f"POST {ASK}/responses (refused)")
def test_openai_gets_its_own_error_class_for_every_refusal(
    client: openai.OpenAI, gateway: Services, provider: ScriptedProvider
) -> None:
    gateway.endpoint("oa-strict", provider.url, "oa-strict-model", guardrails=BLOCK, rate_limits=[LIMIT])
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nope", messages=CHAT)
    assert errors.named(missing.value.body, missing.value.request_id or "")["error_code"] == "ENDPOINT_NOT_FOUND"
    with pytest.raises(openai.BadRequestError) as blocked:
        messages: Any = [{"role": "user", "content": "the SuperSecretProject"}]
        client.chat.completions.create(model="oa-strict", messages=messages)
    assert 'invalid_keywords":true' in str(blocked.value)
    client.chat.completions.create(model="oa-strict", messages=CHAT)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="oa-strict", messages=CHAT)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="dapi-nobody").chat.completions.create(model="oa-strict", messages=CHAT)
    with pytest.raises(openai.BadRequestError, match="responses API is not offered"):
        client.responses.create(model="oa-strict", input="x")
