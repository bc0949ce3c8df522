"""A small OpenAI-compatible provider on this machine, for the demo: `python -m launcher.demo_provider --port 0`.

Prints the port it listens on, on a line of its own; ends on SIGTERM or Ctrl-C.
"""

import argparse
import asyncio
import hashlib
import signal
import struct
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
from aiohttp import web

from launcher import demo_answers

Body = dict[str, Any]
Now = Callable[[], float]  # epoch seconds
DIMENSIONS = 16
BODY_BYTES = 16 * 1024 * 1024
MODELS = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")


def text_of(content: object) -> str:
    """The text of a message: itself, or the text parts of a list; nothing for what is neither."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def chat_question(body: Body) -> str:
    """The last user message of a chat request."""
    messages = [message for message in body.get("messages") or () if isinstance(message, dict)]
    return next((text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")


def usage(question: str, answer: str) -> dict[str, int]:
    """OpenAI's usage object."""
    asked, said = demo_answers.tokens(question), demo_answers.tokens(answer)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _head(body: Body, kind: str, created: int) -> Body:
    prefix = "cmpl" if kind == "text_completion" else "chatcmpl"
    mark = hashlib.sha256(msgspec.json.encode(body)).hexdigest()[:24]
    return {"id": f"{prefix}-{mark}", "object": kind, "created": created, "model": body.get("model") or MODELS[0]}


def _said(body: Body, question: str) -> tuple[str, str]:
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    return demo_answers.cut(demo_answers.answer(question), limit if isinstance(limit, int) else None)


def chat(body: Body, created: int) -> Body:
    """A whole chat answer, with as many choices as `n` asks for."""
    question = chat_question(body)
    said, why = _said(body, question)
    message = {"role": "assistant", "content": said}
    count = body.get("n") or 1
    choices = [{"index": n, "message": message, "finish_reason": why} for n in range(count)]
    return _head(body, "chat.completion", created) | {"choices": choices, "usage": usage(question, said)}


def chat_chunks(body: Body, created: int) -> Iterator[Body]:
    """The same answer as a stream of chunks; usage comes last when it is asked for."""
    question = chat_question(body)
    said, why = _said(body, question)
    head = _head(body, "chat.completion.chunk", created)
    deltas: list[tuple[Body, str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in demo_answers.pieces(said)]
    for delta, end in [*deltas, ({}, why)]:
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield head | {"choices": [], "usage": usage(question, said)}


def completion(body: Body, created: int) -> Body:
    """A whole answer in the older form: one choice for each prompt."""
    prompt = body.get("prompt")
    prompts = [str(p) for p in prompt] if isinstance(prompt, list) else [str(prompt or "")]
    said = [_said(body, question) for question in prompts]
    choices = [{"index": n, "text": text, "finish_reason": why, "logprobs": None} for n, (text, why) in enumerate(said)]
    counted = usage("".join(prompts), "".join(text for text, _ in said))
    return _head(body, "text_completion", created) | {"choices": choices, "usage": counted}


def embeddings(body: Body) -> Body:
    """A vector for each input, as numbers or as base64 of little-endian floats."""
    given = body.get("input")
    inputs = [str(text) for text in given] if isinstance(given, list) else [str(given or "")]
    vectors = [demo_answers.embedding(text, body.get("dimensions") or DIMENSIONS) for text in inputs]
    packed = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": n, "embedding": _packed(vector) if packed else vector}
        for n, vector in enumerate(vectors)
    ]
    count = demo_answers.tokens("".join(inputs))
    counted = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": body.get("model") or MODELS[2], "usage": counted}


def _packed(vector: list[float]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


# ---- HTTP ----

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answers = Callable[[web.Request, Body], Awaitable[web.StreamResponse]]


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _error(status: int, kind: str, message: str) -> web.Response:
    return _json({"error": {"message": message, "type": kind, "param": None, "code": None}}, status)


def _guarded(answers: Answers) -> Handler:
    """Refuses, as OpenAI does, callers without a key and bodies that are no JSON object."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("authorization", "").removeprefix("Bearer ").strip():
            return _error(401, "invalid_request_error", "You did not send an API key.")
        try:
            body = msgspec.json.decode(await request.read(), type=Body)
        except msgspec.MsgspecError as problem:
            return _error(400, "invalid_request_error", f"The body is not a JSON object: {problem}")
        return await answers(request, body)

    return handle


async def _stream(request: web.Request, chunks: Iterator[Body]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


def application(now: Now) -> web.Application:
    """The provider; each route also without `/v1`."""

    async def chats(request: web.Request, body: Body) -> web.StreamResponse:
        if body.get("stream"):
            return await _stream(request, chat_chunks(body, int(now())))
        return _json(chat(body, int(now())))

    async def completions(request: web.Request, body: Body) -> web.StreamResponse:
        return _json(completion(body, int(now())))

    async def embedded(request: web.Request, body: Body) -> web.StreamResponse:
        return _json(embeddings(body))

    async def models(request: web.Request) -> web.StreamResponse:
        return _json({"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})

    app = web.Application(client_max_size=BODY_BYTES)
    for base in ("/v1", ""):
        app.router.add_post(f"{base}/chat/completions", _guarded(chats))
        app.router.add_post(f"{base}/completions", _guarded(completions))
        app.router.add_post(f"{base}/embeddings", _guarded(embedded))
        app.router.add_get(f"{base}/models", models)
    return app


async def serve(port: int, say: Callable[[str], object], stop: asyncio.Event) -> None:
    """Listen on loopback until `stop` is set; says the port."""
    runner = web.AppRunner(application(time.time), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    say(str(runner.addresses[0][1]))
    await stop.wait()
    await runner.cleanup()


async def _main(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(port, lambda text: print(text, flush=True), stop)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    asyncio.run(_main(parser.parse_args().port))
