"""A guard model that does what the judged text says: in this process, on a thread of its own, OpenAI-shaped.

A word in the text it is asked about scripts its answer, so that a test needs one guard for many requests:
`[unsafe S2,S9]` flags with these codes, `[say X]` answers X, `[status 500]`, `[slow]` (0.3 s), `[silent]` (never).
Without one it says that all is well. It judges the last message, as Llama Guard does.
"""

import re
from typing import Any

from aiohttp import web

from tests.support.provider import Got, Hang, Reply, ScriptedProvider, Step, play

SLOW_S = 0.3
USAGE = {"prompt_tokens": 196, "completion_tokens": 5, "total_tokens": 201}
_SCRIPT = re.compile(r"\[(unsafe|say|status|slow|silent)(?: ([^\]]*))?\]")


def judged_text(body: dict[str, Any]) -> str:
    """What a request asks about: a moderation's input, a chat's last message."""
    return str(body["messages"][-1]["content"] if "messages" in body else body["input"])


def completion(text: str, logprobs: Any = None) -> dict[str, Any]:
    """A chat completion that says `text`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "choices": [{**choice, "logprobs": logprobs}], "usage": USAGE}


def first_token(*tops: tuple[str, float]) -> dict[str, Any]:
    """Log probabilities as a server gives them: a blank line, then the word."""
    listed = [{"token": token, "logprob": logprob} for token, logprob in tops]
    blank = {"token": "\n\n", "logprob": 0.0, "top_logprobs": [{"token": "\n\n", "logprob": 0.0}]}
    return {"content": [blank, {**listed[0], "top_logprobs": listed}]}


def answer_to(body: dict[str, Any]) -> Step:
    """What the guard does with a request."""
    script = _SCRIPT.search(judged_text(body))
    match script and script.groups():
        case ("unsafe", str(codes)):
            logprobs = first_token(("unsafe", -0.105), ("safe", -2.3))
            return Reply(body=completion(f"\n\nunsafe\n{codes}", logprobs))
        case ("say", str(text)):
            return Reply(body=completion(text))
        case ("status", str(status)):
            return Reply(status=int(status))
        case ("slow", _):
            return Reply(body=completion("safe"), delay_s=SLOW_S)
        case ("silent", _):
            return Hang()
        case _ if body["messages"][0]["role"] == "system":
            return Reply(body=completion('{"topic": 1}'))
        case _:
            return Reply(body=completion("\n\nsafe"))


class ScriptedGuard(ScriptedProvider):
    """The guard; `with` it. Its `url` goes into HEADGATE_GUARD_URL and HEADGATE_TOPICS_URL."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        got = Got(path=request.path, headers=dict(request.headers), body=body)
        self.requests.append(got)
        with self._counted():
            return await play(answer_to(body), got, request)
