"""What all tests share: one Java, one set of jars, one broker."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from launcher import jars, java
from launcher.broker import Broker
from launcher.java import Java

REPOSITORY = Path(__file__).resolve().parents[1]
# A busy machine makes any example slow; how long things may take is said by the tests that measure it.
hypothesis.settings.register_profile("headgate")
hypothesis.settings.load_profile("headgate")


@pytest.fixture(scope="session")
def found_java(tmp_path_factory: pytest.TempPathFactory) -> Java:
    """The Java that `headgate` would use here."""
    return java.find(os.environ, tmp_path_factory.mktemp("java"))


@pytest.fixture(scope="session")
def jars_at(found_java: Java) -> Path:
    """The directory of the jars, fetched when `make setup` has not done so."""
    directory = Path(os.environ.get("HEADGATE_JARS", REPOSITORY / ".headgate" / "jars"))
    jars.ensure(directory, found_java, print)
    return directory


@pytest.fixture(scope="session")
def broker(found_java: Java, jars_at: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The one Kafka broker that tests share; whoever stops it has one of their own."""
    with Broker(tmp_path_factory.mktemp("kafka"), found_java, jars_at) as running:
        yield running
