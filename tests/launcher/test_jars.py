"""The lock, and what is checked against it."""

import hashlib
from pathlib import Path

import pytest

from launcher import ivy, jars
from launcher.jars import Jar
from launcher.java import Java
from launcher.obstacle import Obstacle

NO_JAVA = Java(home=Path("/nonexistent"), version=17, found="test")


def a_jar(directory: Path, coordinates: str, content: bytes) -> Jar:
    jar = Jar(classpath="kafka", coordinates=coordinates, sha256=hashlib.sha256(content).hexdigest())
    path = directory / jar.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return jar


def test_the_lock_has_three_class_paths_and_no_jar_twice_on_one() -> None:
    rows = jars.locked()
    assert {row.classpath for row in rows} == {"kafka", "spark", "tools"}
    assert len({row.path for row in rows}) == len(rows)
    assert len({(row.classpath, row.coordinates.split(":")[1]) for row in rows}) == len(rows)
    assert all(len(row.sha256) == 64 for row in rows)


def test_the_lock_holds_the_versions_that_were_proven_together() -> None:
    locked = {row.coordinates for row in jars.locked()}
    assert {
        "org.apache.kafka:kafka_2.13:4.2.2",
        "io.delta:delta-spark_4.2_2.13:4.4.0",
        "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
    } <= locked


def test_spark_gets_nothing_that_pyspark_already_ships() -> None:
    shipped = {path.name for path in ivy.pyspark_jars().glob("*.jar")}
    assert not shipped & {Path(row.path).name for row in jars.locked() if row.classpath == "spark"}


def test_whole_jars_need_no_java_and_no_network(tmp_path: Path) -> None:
    rows = [a_jar(tmp_path, "org.example:one:1.0", b"one"), a_jar(tmp_path, "org.example:two:2.0", b"two")]
    said: list[str] = []
    jars.ensure(tmp_path, NO_JAVA, said.append, rows)
    assert said == []


def test_a_corrupt_jar_is_named_in_one_sentence(tmp_path: Path) -> None:
    row = a_jar(tmp_path, "org.example:one:1.0", b"one")
    (tmp_path / row.path).write_bytes(b"0ne")  # the same size
    with pytest.raises(Obstacle) as stop:
        jars.ensure(tmp_path, NO_JAVA, print, [row])
    assert str(tmp_path / "kafka/one-1.0.jar") in str(stop.value)
    assert "\n" not in str(stop.value)


def test_a_missing_jar_is_listed_for_fetching(tmp_path: Path) -> None:
    one = a_jar(tmp_path, "org.example:one:1.0", b"one")
    two = a_jar(tmp_path, "org.example:two:2.0", b"two")
    (tmp_path / two.path).unlink()
    assert jars.missing(tmp_path, [one, two]) == [two]


def test_a_download_that_is_not_what_the_lock_says_is_not_let_in(tmp_path: Path) -> None:
    row = a_jar(tmp_path / "jars", "org.example:one:1.0", b"one")
    (tmp_path / "jars" / row.path).unlink()
    java = a_java_that_writes(tmp_path, "two")
    with pytest.raises(Obstacle, match=r"org\.example:one:1\.0"):
        jars.ensure(tmp_path / "jars", java, print, [row])
    assert not (tmp_path / "jars" / row.path).exists()


def test_what_was_fetched_lies_in_place_and_nothing_else_is_left(tmp_path: Path) -> None:
    row = a_jar(tmp_path / "jars", "org.example:one:1.0", b"one")
    (tmp_path / "jars" / row.path).unlink()
    said: list[str] = []
    jars.ensure(tmp_path / "jars", a_java_that_writes(tmp_path, "one"), said.append, [row])
    left = {str(path.relative_to(tmp_path / "jars")) for path in (tmp_path / "jars").rglob("*") if path.is_file()}
    assert left == {".lock", row.path}
    assert said[-1] == "jars: 1 of 1 (one)"


def test_a_jar_that_cannot_be_had_is_named_with_the_reason(tmp_path: Path) -> None:
    row = Jar(classpath="kafka", coordinates="org.example:one:1.0", sha256="0" * 64)
    java = a_java_that(tmp_path, "echo 'java.net.UnknownHostException: somewhere'; exit 1")
    with pytest.raises(Obstacle, match=r"org\.example:one:1\.0 \(java\.net\.UnknownHostException: somewhere\)"):
        jars.ensure(tmp_path / "jars", java, print, [row])


def a_java_that_writes(tmp_path: Path, content: str) -> Java:
    """It does what Ivy does with `-retrieve <directory>/<pattern>`, its last argument."""
    return a_java_that(
        tmp_path,
        'for last do :; done; printf "%s" ' + content + ' > "${last%/*}/one-1.0.jar"\n'
        "echo '\t[SUCCESSFUL ] org.example#one;1.0!one.jar (5ms)'",
    )


def a_java_that(tmp_path: Path, script: str) -> Java:
    command = tmp_path / "java" / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return Java(home=tmp_path / "java", version=17, found="test")
