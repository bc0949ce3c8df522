"""docker-compose.yml, the Dockerfile and deploy/ fit what the code knows."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import yaml

from contract import access, topics
from contract.access import Access
from ingress.settings import Settings as Ingress
from processors.settings import Settings as Workers
from sinks.metrics import Metrics
from sinks.settings import Settings as Sinks
from tests.support.compose import REPOSITORY, launches, ours, resolved, services

SECRETS = {
    "HEADGATE_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "HEADGATE_ADMIN_TOKEN": "dapi0123456789abcdef0123456789abcdef",
    "GRAFANA_PASSWORD": "not-a-real-one",
}
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "dashboards" / "headgate.json"
OUR_SERVICES = sorted(ours())


def known(house: str) -> set[str]:
    """The variables that a house's settings.py names, and those that it has read by `contract/access.py`."""
    trees = [ast.parse((REPOSITORY / house / "settings.py").read_text())]
    if any(isinstance(node, ast.Attribute) and ast.unparse(node) == "access.from_env" for node in ast.walk(trees[0])):
        trees.append(ast.parse((REPOSITORY / "contract" / "access.py").read_text()))
    nodes = [node for tree in trees for node in ast.walk(tree)]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"HEADGATE_[A-Z_]+", text)}


def test_every_part_of_the_gateway_is_a_service() -> None:
    assert OUR_SERVICES == ["ingress", "lake", "sinks", "topics", "worker"]
    assert {"kafka", "prometheus", "grafana"} <= set(services())


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_a_service_starts_a_module_that_exists_and_can_be_run(name: str) -> None:
    python, flag, module = ours()[name]["command"]
    assert (python, flag) == ("python", "-m")
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"{name} starts {module}, which does not exist"
    assert spec.origin is not None
    with open(spec.origin) as source:
        assert 'if __name__ == "__main__":' in source.read()


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_a_service_is_given_only_variables_its_house_reads(name: str) -> None:
    service = ours()[name]
    house = service["command"][2].partition(".")[0]
    assert set(service["environment"]) <= known(house)


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_a_service_waits_for_the_topics_and_they_for_the_broker(name: str) -> None:
    after = ours()[name]["depends_on"]
    if name == "topics":
        assert after == {"kafka": {"condition": "service_healthy"}}
    else:
        assert after == {"topics": {"condition": "service_completed_successfully"}}


def test_no_secret_has_a_value_in_the_file() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"KEY|TOKEN|PASSWORD|SECRET", variable):
                fixed = not re.fullmatch(r"\$\{[A-Z_]+:(\?[^}]+|-)\}", value)
                assert not fixed, f"{name} sets {variable} to a fixed value"


def test_the_example_of_the_environment_names_every_secret_and_gives_none() -> None:
    lines = (REPOSITORY / "deploy" / "env.example").read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == {f"{name}=" for name in SECRETS}


JUDGE = re.compile(r"HEADGATE_(GUARD|TOPICS|INJECTION)_[A-Z]+")


def test_every_setting_of_a_judge_reaches_the_workers_alone_and_stands_in_the_example() -> None:
    wanted = {name for name in known("processors") if JUDGE.fullmatch(name)}
    set_by = {name: {one for one in service["environment"] if JUDGE.fullmatch(one)} for name, service in ours().items()}
    assert wanted and {name: found for name, found in set_by.items() if found} == {"worker": wanted}
    example = (REPOSITORY / "deploy" / "env.example").read_text()
    assert set(re.findall(r"(?m)^#(HEADGATE_\w+)=$", example)) == wanted


def test_without_judges_their_settings_are_as_good_as_not_set() -> None:
    settings = Workers.from_env(launch("worker"))
    assert (settings.guard_url, settings.topics_url, settings.injection_url) == ("", "", "")
    assert settings.guard_timeout_s == Workers().guard_timeout_s


def test_a_secret_that_is_missing_stops_the_start() -> None:
    with pytest.raises(KeyError, match="HEADGATE_MASTER_KEY is required"):
        launches({}, {})


def test_only_the_ingress_and_the_dashboards_are_published_and_those_on_loopback() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert published == {"ingress": ["8400:8400"], "grafana": ["127.0.0.1:3000:3000"]}
    environment = ours()["ingress"]["environment"]
    assert (environment["HEADGATE_HOST"], environment["HEADGATE_PORT"]) == ("0.0.0.0", "8400")


def test_nothing_but_the_ingress_listens_everywhere() -> None:
    for name, service in ours().items():
        assert name == "ingress" or "0.0.0.0" not in service["environment"].values()


def test_only_those_who_must_leave_the_inner_network() -> None:
    assert yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["networks"]["inner"] == {"internal": True}
    outside = {name for name, service in services().items() if "outer" in service["networks"]}
    assert outside == {"worker", "ingress", "grafana"}


def test_prometheus_asks_where_the_sinks_answer() -> None:
    (job,) = yaml.safe_load((REPOSITORY / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    settings = Sinks.from_env(launch("sinks"))
    assert job["static_configs"] == [{"targets": [f"{settings.metrics_host}:{settings.metrics_port}"]}]
    assert ours()["sinks"]["hostname"] == settings.metrics_host


def test_the_broker_takes_messages_as_big_as_the_topics_allow() -> None:
    environment = services()["kafka"]["environment"]
    assert environment["KAFKA_MESSAGE_MAX_BYTES"] == str(topics.MESSAGE_BYTES)
    assert environment["KAFKA_REPLICA_FETCH_MAX_BYTES"] == str(topics.MESSAGE_BYTES)
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_every_mounted_file_and_volume_exists() -> None:
    volumes = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["volumes"]
    for service in services().values():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            assert (REPOSITORY / source).exists() if source.startswith("./") else source in volumes


def test_what_stays_must_lie_on_a_volume() -> None:
    assert ours()["sinks"]["environment"]["HEADGATE_DATA"] == "/data"
    assert ours()["lake"]["environment"]["HEADGATE_LAKE"].startswith("/data/")
    assert ours()["sinks"]["volumes"] == ["sinks:/data"]
    assert ours()["lake"]["volumes"] == ["lake:/data"]


def test_the_workers_can_be_told_to_refuse_streams_they_would_have_to_guard() -> None:
    name = "HEADGATE_REFUSE_GUARDED_STREAMS"
    assert launch("worker")[name] == "false"
    (told, *_) = [one for one in launches({**SECRETS, name: "true"}, {}) if one.name == "worker"]
    assert told.environment[name] == "true"


def launch(name: str, **here: str) -> dict[str, str]:
    return next(one.environment for one in launches(SECRETS, here) if one.name == name)


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_every_service_is_told_how_kafka_is_reached(name: str) -> None:
    reached = {"HEADGATE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "HEADGATE_KAFKA_PASSWORD": "p"}
    secrets = SECRETS | reached | {"HEADGATE_KAFKA_USERNAME": "u", "HEADGATE_BROKERS": "elsewhere:9093"}
    one = next(one for one in launches(secrets, {}) if one.name == name)
    assert access.from_env(one.environment, str) == Access(protocol="SASL_SSL", username="u", password="p")
    assert one.environment["HEADGATE_BROKERS"] == "elsewhere:9093"
    alone = access.from_env(launch(name), str)
    assert (alone, launch(name)["HEADGATE_BROKERS"]) == (Access(), "kafka:9092")


def test_a_launch_has_this_machines_values_and_nothing_the_file_does_not_set() -> None:
    environment = launch("ingress", HEADGATE_BROKERS="127.0.0.1:19092", HEADGATE_LAKE="/elsewhere")
    assert environment["HEADGATE_BROKERS"] == "127.0.0.1:19092"
    assert "HEADGATE_LAKE" not in environment
    settings = Ingress.from_env(environment)
    assert (settings.host, settings.port, settings.admin_email) == ("0.0.0.0", 8400, "admin@headgate.local")
    assert [one.replicas for one in launches(SECRETS, {}) if one.name == "worker"] == [2]


def test_a_reference_takes_what_is_given_else_its_default() -> None:
    assert resolved("${NAME:-fallback}", {}) == "fallback"
    assert resolved("${NAME:-fallback}", {"NAME": "given"}) == "given"
    assert resolved("a${NAME:?why}b", {"NAME": "-"}) == "a-b"


def expressions(node: Any) -> Iterator[str]:
    """Every query of the dashboard."""
    if isinstance(node, dict):
        yield from (text for key, text in node.items() if key in ("expr", "definition"))
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from expressions(part)


def samples() -> set[str]:
    """The names under which Prometheus stores our metrics."""
    names = {metric.name: metric.type for metric in Metrics().registry.collect()}
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    return {name + suffix for name, kind in names.items() for suffix in suffixes[kind]}


def test_the_dashboard_asks_for_metrics_that_exist_and_leaves_none_out() -> None:
    dashboard = msgspec.json.decode(DASHBOARD.read_bytes())
    asked = {name for text in expressions(dashboard) for name in re.findall(r"headgate_\w+", text)}
    assert asked <= samples()
    shown = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}
    assert shown == {metric.name for metric in Metrics().registry.collect()}


def test_the_dashboards_source_is_the_one_that_is_provisioned() -> None:
    dashboard = DASHBOARD.read_text()
    at = REPOSITORY / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((at / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((at / "dashboards" / "headgate.yml").read_text())["providers"]
    assert set(re.findall(r'"uid": "(\w+)"', dashboard)) == {source["uid"], "headgate"}
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in services()["grafana"]["volumes"]


def test_the_image_holds_every_house_and_is_not_run_by_root() -> None:
    kept = (REPOSITORY / ".dockerignore").read_text().splitlines()
    houses = {"contract", "ingress", "processors", "sinks", "spark_jobs", "launcher"}
    assert {line[1:] for line in kept if line.startswith("!")} == houses | {"requirements.lock"}
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    assert "--require-hashes" in dockerfile
    assert "\nUSER headgate\n" in dockerfile
    assert "HEADGATE_JARS=" + launch("lake")["HEADGATE_JARS"] in dockerfile
