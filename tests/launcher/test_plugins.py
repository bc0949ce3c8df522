"""Our own Spark jar: built when its sources are newer, by javac or by ecj."""

import os
import zipfile
from pathlib import Path

import pytest

from launcher import jars, java, plugins
from launcher.java import Java
from launcher.obstacle import Obstacle
from launcher.settings import REPOSITORY, Settings

SOURCE = """package headgate;
public class Greeting { public record Word(String text) {} public Word say() { return new Word("hello"); } }
"""
JARS = Settings.from_env(None).jars


@pytest.fixture
def found(tmp_path: Path) -> Java:
    return java.find(os.environ, tmp_path / "shim")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "jvm").mkdir()
    (tmp_path / "jvm" / "Greeting.java").write_text(SOURCE)
    return tmp_path / "jvm"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of jars with the real compiler in it."""
    tool = jars.classpath(JARS, "tools")[0]
    if not tool.is_file():
        pytest.skip(f"{tool} is not there: `make setup` fetches it")
    (tmp_path / "jars" / "tools").mkdir(parents=True)
    (tmp_path / "jars" / "tools" / tool.name).symlink_to(tool)
    return tmp_path / "jars"


def test_javac_or_else_ecj_makes_the_same_classes(sources: Path, directory: Path, found: Java, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "bin"
    bare.mkdir(parents=True)
    (bare / "java").symlink_to(found.command)
    for one in (found, Java(home=bare.parent, version=found.version, found="without javac")):
        (directory / plugins.NAME).unlink(missing_ok=True)
        made = plugins.ensure(sources, directory, one, print)
        assert made
        assert zipfile.ZipFile(made).namelist() == ["headgate/Greeting$Word.class", "headgate/Greeting.class"]


def test_what_spark_is_given_compiles_without_javac_too(directory: Path, found: Java, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "bin"
    bare.mkdir(parents=True)
    (bare / "java").symlink_to(found.command)
    sources = REPOSITORY / "spark_jobs" / "jvm"
    assert plugins.ensure(sources, directory, Java(home=bare.parent, version=found.version, found="bare"), print)


def test_it_is_built_again_only_when_a_source_is_newer(sources: Path, directory: Path, found: Java) -> None:
    said: list[str] = []
    made = plugins.ensure(sources, directory, found, said.append)
    assert made
    plugins.ensure(sources, directory, found, said.append)
    assert said == ["compiling 1 Java files of jvm"]
    built = made.stat().st_mtime
    os.utime(sources / "Greeting.java", (built + 1, built + 1))
    plugins.ensure(sources, directory, found, said.append)
    assert len(said) == 2


def test_a_source_that_does_not_compile_is_shown_and_leaves_no_jar(sources: Path, directory: Path, found: Java) -> None:
    (sources / "Greeting.java").write_text("package headgate; class Greeting { int n = nothing; }")
    with pytest.raises(Obstacle, match="nothing"):
        plugins.ensure(sources, directory, found, print)
    assert not (directory / plugins.NAME).exists()


def test_without_sources_there_is_nothing_to_do(tmp_path: Path, found: Java) -> None:
    assert plugins.ensure(tmp_path, tmp_path, found, print) is None
