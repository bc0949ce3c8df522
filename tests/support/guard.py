"""A guard model that does what the judged text says: in this process, on a thread of its own.

A word in the text it is asked about scripts its answer, so that a test needs one guard for many requests:
`[unsafe S2,S9]` flags with these codes, `[inject 0.98]` is an injection with this score (to a chat judge it is one),
`[say X]` answers X, `[status 500]`, `[slow]` (0.3 s), `[silent]` (never). Without one it says that all is well.
It judges the last message, as Llama Guard does, and speaks the form of the path it is asked on: OpenAI's chat, and as a
classifier `/classify` and `/predict`.
"""

import re
from typing import Any

from aiohttp import web

from tests.support.provider import Got, Hang, Reply, ScriptedProvider, Step, play

SLOW_S = 0.3
USAGE = {"prompt_tokens": 196, "completion_tokens": 5, "total_tokens": 201}
_SCRIPT = re.compile(r"\[(unsafe|inject|say|status|slow|silent)(?: ([^\]]*))?\]")


def judged_text(body: dict[str, Any]) -> str:
    """What a request asks about: a classifier's or a moderation's input, a chat's last message."""
    return str(body["messages"][-1]["content"] if "messages" in body else body.get("inputs") or body["input"])


def completion(text: str, logprobs: Any = None) -> dict[str, Any]:
    """A chat completion that says `text`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "choices": [{**choice, "logprobs": logprobs}], "usage": USAGE}


def first_token(*tops: tuple[str, float]) -> dict[str, Any]:
    """Log probabilities as a server gives them: a blank line, then the word."""
    listed = [{"token": token, "logprob": logprob} for token, logprob in tops]
    blank = {"token": "\n\n", "logprob": 0.0, "top_logprobs": [{"token": "\n\n", "logprob": 0.0}]}
    return {"content": [blank, {**listed[0], "top_logprobs": listed}]}


def classified(score: float) -> dict[str, Any]:
    """vLLM's answer of a classifier with two classes, the second of them malicious."""
    one = {"index": 0, "label": f"LABEL_{int(score >= 0.5)}", "probs": [1 - score, score], "num_classes": 2}
    usage = {**USAGE, "completion_tokens": 0, "total_tokens": USAGE["prompt_tokens"]}
    return {"id": "classify-1", "object": "list", "created": 1, "model": "m", "data": [one], "usage": usage}


def predicted(score: float) -> list[dict[str, Any]]:
    """The same from Text Embeddings Inference: the likeliest first."""
    scores = [{"score": score, "label": "LABEL_1"}, {"score": 1 - score, "label": "LABEL_0"}]
    return sorted(scores, key=lambda one: -float(str(one["score"])))


def answer_to(body: dict[str, Any], path: str = "/chat/completions") -> Step:
    """What the guard does with a request."""
    script = _SCRIPT.search(judged_text(body))
    word, more = script.groups() if script else ("", "")
    match word:
        case "status":
            return Reply(status=int(more))
        case "silent":
            return Hang()
        case "say" if not path.endswith("/chat/completions"):
            return Reply(body=more.encode())
        case "say":
            return Reply(body=completion(more))
        case _:
            return Reply(body=_verdict(body, path, word, more or ""), delay_s=SLOW_S if word == "slow" else 0.0)


def _verdict(body: dict[str, Any], path: str, word: str, more: str) -> Any:
    score = float(more or 1) if word == "inject" else 0.02
    if path.endswith("/classify"):
        return classified(score)
    if path.endswith("/predict"):
        return predicted(score)
    asked = body["messages"][0]
    if asked["role"] != "system" and word == "unsafe":
        return completion(f"\n\nunsafe\n{more}", first_token(("unsafe", -0.105), ("safe", -2.3)))
    if asked["role"] != "system":
        return completion("\n\nsafe")
    verdict = "malicious" if score >= 0.5 else "benign"
    return completion('{"topic": 1}' if "by topic" in asked["content"] else f'{{"verdict": "{verdict}"}}')


class ScriptedGuard(ScriptedProvider):
    """The guard; `with` it. Its `url` goes into HEADGATE_GUARD_URL, HEADGATE_TOPICS_URL and HEADGATE_INJECTION_URL."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        got = Got(path=request.path, headers=dict(request.headers), body=body)
        self.requests.append(got)
        with self._counted():
            return await play(answer_to(body, request.path), got, request)
