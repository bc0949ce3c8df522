"""What an OpenAI client of any major version does against the gateway: `python openai_walk.py`, prints JSON facts.

Runs in a process of its own, because one process holds one version of the package.
"""

import json
import os
from typing import Any

import openai

client = openai.OpenAI(
    base_url=f"{os.environ['DATABRICKS_HOST']}/serving-endpoints", api_key=os.environ["DATABRICKS_TOKEN"], max_retries=0
)
HELLO: Any = [{"role": "user", "content": "hello"}]


def told(endpoint: str, content: str) -> str:
    """What `str` says of the error a request ends with."""
    try:
        client.chat.completions.create(model=endpoint, messages=[{"role": "user", "content": content}])
    except openai.APIStatusError as error:
        return f"{type(error).__name__} {error.status_code} {error}"
    return "no error"


answer = client.chat.completions.create(model="majors", messages=HELLO, extra_body={"usage_context": {"a": "b"}})
chunks = list(client.chat.completions.create(model="majors", messages=HELLO, stream=True))
broken: list[str] = []
try:
    broken += [str(chunk.choices) for chunk in client.chat.completions.create(model="cut", messages=HELLO, stream=True)]
except openai.APIError as error:
    broken.append(f"error {error}")
print(
    json.dumps(
        {
            "version": openai.__version__,
            "answer": answer.choices[0].message.content,
            "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks),
            "broken": broken[-1],
            "embedding": client.embeddings.create(model="vectors", input="hello").data[0].embedding,
            "completion": client.completions.create(model="texts", prompt="hello").choices[0].text,
            "models": sorted(model.id for model in client.models.list()),
            "keyword": told("majors", "the SuperSecretProject"),
            "pii": told("majors", "it's slee@fictional-corp.com"),
            "unknown": told("nowhere", "hello"),
            "limited": told("full", "hello"),
        }
    )
)
