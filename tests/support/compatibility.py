"""Runs the tests of the real clients and writes docs/compatibility.md: `python -m tests.support.compatibility`.

A test says with `speaks` which client it runs and which routes that client asks for; the page shows what became of it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "compatibility.md"
COMMAND = "python -m tests.support.compatibility"
MODULES = (
    "test_openai",
    "test_databricks_sdk",
    "test_mlflow",
    "test_http",
    "test_curl",
    "test_identity",
    "test_access",
    "test_submissions",
)
CLIENTS = {"http": "requests", "curl": "curl", "openai": "openai", "databricks-sdk": "databricks-sdk",
           "mlflow": "mlflow-skinny", "kafka": "aiokafka"}  # fmt: skip
HEAD = f"""# Compatibility

Made by `{COMMAND}`, which runs the real clients against the real stack (`tests/stack/`). A cell
says what became of the tests that send that request with that client; an empty one, that no test does. "(refused)": the
answer is a clear refusal, and that is what is tested.
"""
Test = TypeVar("Test", bound=Callable[..., Any])
Spoken = tuple[str, str]


def speaks(client: str, *routes: str) -> Callable[[Test], Test]:
    """Say which routes a test asks for with which client."""
    assert client in CLIENTS

    def mark(test: Test) -> Test:
        test.spoken = tuple((client, route) for route in routes)  # type: ignore[attr-defined]
        return test

    return mark


def results(report: bytes) -> dict[Spoken, str]:
    """What became of each pair of client and route, from a JUnit report; one failure outweighs every pass."""
    found: dict[Spoken, str] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        bad = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        for said in case.iter("property"):
            client, _, route = str(said.get("value")).partition(" | ")
            if said.get("name") == "spoken":
                found[client, route] = "failed" if bad or found.get((client, route)) == "failed" else "passed"
    return found


def page(found: Mapping[Spoken, str], versions: Mapping[str, str]) -> str:
    """The whole page."""
    routes = sorted({route for _, route in found}, key=lambda route: (route.partition(" ")[2], route))
    rows = [[f"`{route}`", *(found.get((client, route), "") for client in CLIENTS)] for route in routes]
    head = ["route", *(f"{package} {versions[client]}" for client, package in CLIENTS.items())]
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
    return HEAD + "\n" + "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def written(text: str) -> dict[Spoken, str]:
    """What a page says, read back."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    return {
        (client, route.strip("`")): status
        for route, *statuses in rows
        for client, status in zip(CLIENTS, statuses, strict=True)
        if status
    }


def installed(client: str) -> str:
    """The version of a client: curl is a program, the others are packages."""
    if client != "curl":
        return version(CLIENTS[client])
    said = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[1]


def main() -> int:
    """Run the tests, write the page; the tests' exit code."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        tests = [f"tests/stack/{module}.py" for module in MODULES]
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", "-o", "junit_family=xunit1", *tests]
        code = subprocess.run(command, cwd=REPOSITORY).returncode
        found = results(report.read_bytes())
    PAGE.write_text(page(found, {client: installed(client) for client in CLIENTS}))
    return code


if __name__ == "__main__":
    sys.exit(main())
