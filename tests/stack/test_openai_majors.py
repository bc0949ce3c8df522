"""Every major version of OpenAI's client against the real stack; the older ones are fetched for this test."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.provider import ScriptedProvider, Stream
from tests.support.services import REPOSITORY, Services

MAJORS = ("1.68.2", "2.54.0", "")  # the last: the one in the lock


@pytest.fixture(scope="module")
def endpoints(gateway: Services, provider: ScriptedProvider) -> Services:
    """The endpoints the walk asks for."""
    pii = {"input": {"pii": {"behavior": "BLOCK"}, "invalid_keywords": ["SuperSecretProject"]}}
    gateway.endpoint("majors", provider.url, "majors-model", guardrails=pii)
    gateway.endpoint("vectors", provider.url, "vectors-model", task="llm/v1/embeddings")
    gateway.endpoint("texts", provider.url, "texts-model", task="llm/v1/completions")
    gateway.endpoint("cut", provider.url, "cut-model")
    provider.script("cut-model", Stream(texts=("one ",), ending="cut"))
    none = {"calls": 0, "key": "endpoint", "renewal_period": "minute"}
    gateway.endpoint("full", provider.url, "full-model", rate_limits=[none])
    return gateway


def _interpreter(version: str, into: Path) -> str:
    """A Python that has this version of the package: our own, or that of a new virtual environment."""
    if not version:
        return sys.executable
    subprocess.run([sys.executable, "-m", "venv", str(into)], check=True)
    python = str(into / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"openai=={version}"], check=True)
    return python


def _walk(gateway: Services, python: str) -> dict[str, Any]:
    environ = {**os.environ, "DATABRICKS_HOST": gateway.url, "DATABRICKS_TOKEN": gateway.token}
    script = str(REPOSITORY / "tests" / "support" / "openai_walk.py")
    said = subprocess.run([python, script], env=environ, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    facts: dict[str, Any] = json.loads(said.stdout)
    return facts


@pytest.mark.parametrize("version", MAJORS)
def test_a_major_version_of_the_client_sees_what_it_expects(endpoints: Services, version: str, tmp_path: Path) -> None:
    facts = _walk(endpoints, _interpreter(version, tmp_path / "venv"))
    assert facts["version"].startswith(version[:1] or "3.")
    assert facts["answer"] == facts["streamed"] == facts["completion"] == "The answer."
    assert facts["broken"].startswith("error ")
    assert facts["embedding"] == [0.5, -0.5]
    assert {"majors", "vectors", "texts"} <= set(facts["models"])
    assert 'invalid_keywords":true' in facts["keyword"]
    assert 'pii_detection":true' in facts["pii"]
    assert facts["unknown"].startswith("NotFoundError 404")
    assert facts["limited"].startswith("RateLimitError 429")
