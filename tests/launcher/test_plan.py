"""Which parts run, with what."""

from pathlib import Path

import pytest

from launcher import plan
from launcher.plan import Instance, Options
from launcher.settings import Settings

SETTINGS = Settings.from_env("/data", {"PATH": "/bin", "HEADGATE_LOG_LEVEL": "DEBUG"})
INSTANCE = Instance(url="http://127.0.0.1:8400", brokers="127.0.0.1:9092", metrics_port=9464)


def names(options: Options) -> list[str]:
    return [part.name for part in plan.service_parts(SETTINGS, options, {})]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (Options(), ["worker-0", "ingress", "sinks", "lake"]),
        (Options(workers=3, lake=False), ["worker-0", "worker-1", "worker-2", "ingress", "sinks"]),
        (Options(sinks=False, lake=False), ["worker-0", "ingress"]),
    ],
)
def test_only_what_was_asked_for_runs(options: Options, parts: list[str]) -> None:
    assert names(options) == parts


def test_the_ingress_stops_first_and_the_broker_last() -> None:
    order = plan.stop_order(["broker", *names(Options(workers=2))])
    assert order == [["ingress"], ["worker-0", "worker-1", "sinks", "lake"], ["broker"]]


def test_children_inherit_the_environment_and_are_told_where_all_is() -> None:
    environ = plan.environment(SETTINGS, Path("/java"), INSTANCE)
    assert environ["HEADGATE_LOG_LEVEL"] == "DEBUG"
    assert environ["HEADGATE_DATA"] == "/data"
    assert environ["HEADGATE_LAKE"] == "/data/lake"
    assert environ["HEADGATE_BROKERS"] == "127.0.0.1:9092"
    assert environ["JAVA_HOME"] == "/java"


def test_the_stacks_own_broker_is_reached_in_the_open_whatever_the_environment_says() -> None:
    settings = Settings.from_env("/data", {"HEADGATE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"})
    assert plan.environment(settings, None, INSTANCE)["HEADGATE_KAFKA_SECURITY_PROTOCOL"] == "PLAINTEXT"


def test_a_lake_named_outside_stays_where_it_is() -> None:
    settings = Settings.from_env("/data", {"HEADGATE_LAKE": "/lake"})
    assert plan.environment(settings, None, None)["HEADGATE_LAKE"] == "/lake"


def test_without_an_instance_the_brokers_named_outside_are_used() -> None:
    settings = Settings.from_env("/data", {"HEADGATE_BROKERS": "elsewhere:9092"})
    assert plan.environment(settings, None, None)["HEADGATE_BROKERS"] == "elsewhere:9092"


def test_a_program_is_not_imported_from_the_callers_directory() -> None:
    assert "-P" in plan.module(SETTINGS, "spark_jobs.sql")


def test_an_instance_is_read_back_and_a_missing_one_is_none(tmp_path: Path) -> None:
    assert plan.read_instance(tmp_path) is None
    (tmp_path / "instance.json").write_text(
        '{"url":"http://127.0.0.1:8400","brokers":"127.0.0.1:9092","metrics_port":9464}'
    )
    assert plan.read_instance(tmp_path) == INSTANCE


def test_data_on_the_command_line_beats_the_environment_and_is_absolute() -> None:
    assert Settings.from_env("/a", {"HEADGATE_DATA": "/b"}).data == Path("/a")
    assert Settings.from_env(None, {"HEADGATE_DATA": "/b"}).data == Path("/b")
    assert Settings.from_env(None, {}).data == Path.cwd() / ".headgate"


def test_the_jars_are_shared_by_instances_with_other_data() -> None:
    assert Settings.from_env("/a", {}).jars == Settings.from_env("/b", {}).jars
