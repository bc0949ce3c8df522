"""The house rules that no linter knows: sizes, names, what is caught, what a settings' repr shows."""

import ast
import importlib
import io
import re
import statistics
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
HOUSES = ("contract", "ingress", "processors", "sinks", "spark_jobs", "launcher")
FILE_LINES, FUNCTION_LINES, MEDIAN_LINES, P90_LINES = 400, 60, 10, 30
MEDIAN_FILE_LINES, P90_FILE_LINES = 100, 250
VAGUE = re.compile(r"(^|_)(utils?|common|helpers?|misc|managers?)($|_)|[a-z]Manager$|^Manager")
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HACK")) + r")\b")
SECRET = re.compile(r"KEY|TOKEN$|PASSWORD|SECRET")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    """What is in git or about to be; without git, what lies in the tree but for hidden directories."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, text=True).stdout.split("\0")
        found = [REPOSITORY / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        found = [
            path
            for path in REPOSITORY.rglob("*")
            if not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(REPOSITORY).parts)
        ]
    return tuple(sorted(path for path in found if path.is_file()))


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@cache
def modules() -> dict[str, ast.Module]:
    """Every Python file, parsed."""
    return {name_of(path): ast.parse(path.read_bytes()) for path in files() if path.suffix == ".py"}


def source(name: str) -> list[str]:
    return (REPOSITORY / name).read_text().splitlines()


def ours() -> dict[str, ast.Module]:
    """The modules of the houses, without tests."""
    return {name: tree for name, tree in modules().items() if name.partition("/")[0] in HOUSES}


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def percentile(values: list[int], percent: int) -> int:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def test_there_is_something_to_look_at() -> None:
    assert {name.partition("/")[0] for name in ours()} == set(HOUSES)


def test_no_file_is_longer_than_400_lines() -> None:
    long = {name: len(source(name)) for name in modules()} | {
        name_of(path): len(path.read_text().splitlines()) for path in files() if path.suffix == ".java"
    }
    assert {name: lines for name, lines in long.items() if lines > FILE_LINES} == {}


def test_files_stay_small_on_the_whole() -> None:
    lines = [len(source(name)) for name in ours()]
    assert statistics.median(lines) <= MEDIAN_FILE_LINES
    assert percentile(lines, 90) <= P90_FILE_LINES


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{name}:{function.lineno} {function.name}: {length(function)}"
        for name, tree in modules().items()
        for function in functions(tree)
        if length(function) > FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize("house", HOUSES)
def test_functions_stay_short_on_the_whole(house: str) -> None:
    trees = [tree for name, tree in ours().items() if name.startswith(f"{house}/")]
    lengths = [length(function) for tree in trees for function in functions(tree)]
    assert statistics.median(lengths) <= MEDIAN_LINES
    assert percentile(lengths, 90) <= P90_LINES


def test_nothing_has_a_name_that_says_nothing() -> None:
    vague = [name for name in modules() if any(VAGUE.search(part) for part in Path(name).with_suffix("").parts)]
    for name, tree in ours().items():
        named = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | Function)]
        vague += [f"{name}:{node.lineno} {node.name}" for node in named if VAGUE.search(node.name)]
    assert vague == []


def broad(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches everything, by whatever name."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds
    )


def test_whoever_catches_everything_says_why() -> None:
    """A comment with the reason on the line, or right above or below it; raising again needs none."""
    silent = []
    for name, tree in ours().items():
        lines = source(name)
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and broad(node)):
            beside = re.search(r"#\W*\w+", lines[node.lineno - 1].replace("noqa: BLE001", ""))
            around = (lines[node.lineno - 2].strip(), lines[node.lineno].strip())
            again = any(isinstance(part, ast.Raise) and part.exc is None for part in ast.walk(node))
            if not again and not beside and not any(text.startswith("#") for text in around):
                silent.append(f"{name}:{node.lineno}")
    assert silent == []


def test_a_function_catches_everything_once_at_most() -> None:
    twice = [
        f"{name}:{function.lineno} {function.name}"
        for name, tree in ours().items()
        for function in functions(tree)
        if sum(isinstance(node, ast.ExceptHandler) and broad(node) for node in ast.walk(function)) > 1
    ]
    assert twice == []


def test_every_struct_is_frozen_and_takes_names() -> None:
    loose = []
    for name, tree in ours().items():
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            if any(ast.unparse(base) in ("Struct", "msgspec.Struct") for base in node.bases):
                true = {word.arg for word in node.keywords if ast.unparse(word.value) == "True"}
                if not {"frozen", "kw_only"} <= true:
                    loose.append(f"{name}:{node.lineno} {node.name}")
    assert loose == []


def test_every_module_opens_with_its_docstring() -> None:
    bare = [name for name, tree in modules().items() if tree.body and ast.get_docstring(tree) is None]
    assert [name for name in bare if not name.startswith("tests/")] == []


def test_nothing_is_left_for_later_in_a_comment() -> None:
    assert [
        f"{name}:{token.start[0]}"
        for name in modules()
        for token in tokenize.generate_tokens(io.StringIO((REPOSITORY / name).read_text()).readline)
        if token.type == tokenize.COMMENT and UNFINISHED.search(token.string)
    ] == []


def imported(tree: ast.Module) -> set[str]:
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {*names, *(one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names)}


def test_no_test_mocks() -> None:
    assert [name for name, tree in modules().items() if imported(tree) & {"unittest.mock", "mock", "pytest_mock"}] == []


def has_reason(call: ast.Call) -> bool:
    """Whether a call that skips a test, or expects it to fail, says why; any other call has nothing to say."""
    called = ast.unparse(call.func)
    if called not in ("pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"):
        return True
    words = {word.arg for word in call.keywords}
    return "reason" in words or (bool(call.args) and called in ("pytest.skip", "pytest.mark.skip"))


def test_no_test_is_skipped_without_a_reason() -> None:
    assert [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and not has_reason(node)
    ] == []


def settings_modules() -> list[str]:
    return [house for house in HOUSES if (REPOSITORY / house / "settings.py").is_file()]


@pytest.mark.parametrize("house", settings_modules())
def test_no_settings_show_a_secret(house: str) -> None:
    """Every variable whose name sounds like a secret's is set; what `from_env` makes of them must hide it."""
    module = importlib.import_module(f"{house}.settings")
    code = "".join((REPOSITORY / file).read_text() for file in (f"{house}/settings.py", "contract/access.py"))
    found = set(re.findall(r"HEADGATE_[A-Z_]+", code))
    names = {name for name in found if SECRET.search(name) and not name.endswith("_FILE")}
    hidden = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I="
    environ = dict.fromkeys(names | {"HEADGATE_MASTER_KEY", "HEADGATE_ADMIN_TOKEN", "HEADGATE_TOKEN"}, hidden)
    environ |= {"HEADGATE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "HEADGATE_KAFKA_USERNAME": "somebody"}
    made = getattr(module, "from_env", None) or module.Settings.from_env
    settings = made(None, environ) if house == "launcher" else made(environ)
    assert hidden not in repr(settings)
    assert hidden not in str(settings)
