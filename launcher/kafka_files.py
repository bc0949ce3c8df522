"""What the broker is configured with, as text; pure."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from contract.topics import MESSAGE_BYTES


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's two listeners on 127.0.0.1: clients', and the controller's own."""

    client: int
    controller: int


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """One more listener on 127.0.0.1 beside the clients' open one, such as one with TLS and SASL.

    `settings`: Kafka's, under the listener's own prefix. `scram`: users as Kafka's storage tool takes them.
    `broker`: settings of the whole broker.
    """

    name: str
    protocol: str
    port: int
    settings: Mapping[str, str] = {}
    scram: tuple[str, ...] = ()
    broker: Mapping[str, str] = {}


def server_properties(ports: Ports, logs: Path, more: Listener | None = None) -> str:
    """`server.properties` of one node that is broker and controller; nothing listens off loopback."""
    own: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "listeners": f"CLIENT://127.0.0.1:{ports.client},CONTROLLER://127.0.0.1:{ports.controller}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{ports.client}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": logs,
    }
    if more is not None:
        for key in ("listeners", "advertised.listeners"):
            own[key] = f"{own[key]},{more.name}://127.0.0.1:{more.port}"
        own["listener.security.protocol.map"] = f"{own['listener.security.protocol.map']},{more.name}:{more.protocol}"
        own |= {f"listener.name.{more.name.lower()}.{key}": value for key, value in more.settings.items()}
        own |= more.broker
    return "".join(f"{key}={value}\n" for key, value in {**own, **ONE_NODE, **SMALL}.items())


ONE_NODE: Mapping[str, object] = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "message.max.bytes": MESSAGE_BYTES,
    "replica.fetch.max.bytes": MESSAGE_BYTES,
}
# Defaults are for machines that do nothing else: 50 partitions of offsets, 128 MB of cleaner buffer.
SMALL: Mapping[str, object] = {
    "num.partitions": 4,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 2,
    "share.coordinator.state.topic.num.partitions": 2,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "num.replica.fetchers": 1,
    "background.threads": 2,
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    "log.segment.bytes": 256 * 1024 * 1024,
}
# One JSON object a line, as every other part writes: contract/logs.py.
LOG4J = """status = ERROR
appender.lines.type = Console
appender.lines.name = lines
appender.lines.target = SYSTEM_ERR
appender.lines.layout.type = PatternLayout
appender.lines.layout.pattern = {"at":"%d{yyyy-MM-dd'T'HH:mm:ss.SSS}","level":"%p","part":"broker",\
"event":"%enc{%m}{JSON}","logger":"%c{1}","exception":"%enc{%throwable{8}}{JSON}"}%n
appender.lines.layout.alwaysWriteExceptions = false
rootLogger.level = WARN
rootLogger.appenderRef.lines.ref = lines
# The only controller there is warns at every start that it is now the active one.
logger.quiet.name = org.apache.kafka.controller.QuorumController
logger.quiet.level = ERROR
"""
