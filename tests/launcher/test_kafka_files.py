"""The broker's configuration as text."""

from pathlib import Path

import pytest

from contract.topics import MESSAGE_BYTES
from launcher.kafka_files import LOG4J, Listener, Ports, server_properties


@pytest.fixture
def properties() -> dict[str, str]:
    text = server_properties(Ports(client=9092, controller=9093), Path("/data/kafka/logs"))
    return dict(line.split("=", 1) for line in text.splitlines())


def test_nothing_listens_off_loopback(properties: dict[str, str]) -> None:
    for name in ("listeners", "advertised.listeners"):
        for listener in properties[name].split(","):
            assert listener.partition("://")[2].startswith("127.0.0.1:")


def test_clients_and_controller_get_the_ports_asked_for(properties: dict[str, str]) -> None:
    assert properties["listeners"] == "CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:9093"
    assert properties["advertised.listeners"] == "CLIENT://127.0.0.1:9092"


def test_one_node_asks_for_no_second_replica(properties: dict[str, str]) -> None:
    for name, value in properties.items():
        if name.endswith((".replication.factor", ".min.isr")):
            assert value == "1", name


def test_workers_never_create_topics(properties: dict[str, str]) -> None:
    assert properties["auto.create.topics.enable"] == "false"


def test_the_largest_record_of_the_contract_fits(properties: dict[str, str]) -> None:
    assert int(properties["message.max.bytes"]) >= MESSAGE_BYTES


def test_a_group_starts_at_once(properties: dict[str, str]) -> None:
    assert properties["group.initial.rebalance.delay.ms"] == "0"


def test_the_broker_is_quiet_below_warning() -> None:
    assert "rootLogger.level = WARN" in LOG4J


def test_one_more_listener_is_on_loopback_too_and_has_its_own_settings() -> None:
    more = Listener(name="SECURE", protocol="SASL_SSL", port=9094, settings={"ssl.client.auth": "required"})
    text = server_properties(Ports(client=9092, controller=9093), Path("/data"), more)
    found = dict(line.split("=", 1) for line in text.splitlines())
    assert found["advertised.listeners"] == "CLIENT://127.0.0.1:9092,SECURE://127.0.0.1:9094"
    assert found["listeners"].endswith(",SECURE://127.0.0.1:9094")
    assert found["listener.security.protocol.map"].endswith(",SECURE:SASL_SSL")
    assert found["listener.name.secure.ssl.client.auth"] == "required"
