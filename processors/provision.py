"""`headgate topics`: creates what `contract/topics.py` lists and brings existing topics up to it."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from contract import logs
from contract.access import OPEN
from contract.topics import ALL, MESSAGE_BYTES, Topic
from processors.bus import secured
from processors.settings import Settings

log = logging.getLogger(__name__)
COMPACTED_SEGMENT_BYTES = 16 * 1024 * 1024


def settings_of(topic: Topic) -> dict[str, str]:
    """The topic's configuration in Kafka's words."""
    wanted = {"cleanup.policy": topic.cleanup, "max.message.bytes": str(MESSAGE_BYTES)}
    if topic.retention_ms is not None:
        return {**wanted, "retention.ms": str(topic.retention_ms)}
    return {**wanted, "segment.bytes": str(COMPACTED_SEGMENT_BYTES), "min.cleanable.dirty.ratio": "0.1"}


async def provision(brokers: str, replication: int, security: Mapping[str, Any] = OPEN) -> list[str]:
    """Create missing topics, add partitions, set configurations; names of the topics created."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, **security)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [topic for topic in ALL if topic.name not in there]
        if missing:
            answer = await admin.create_topics([_new(topic, replication) for topic in missing])
            _check(answer.topic_errors)
        for topic in ALL:
            if topic.name in there:
                await _extend(admin, topic)
        return [topic.name for topic in missing]
    finally:
        await admin.close()


def _new(topic: Topic, replication: int) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, replication, topic_configs=settings_of(topic))


def _check(errors: list[tuple[str, int, str]]) -> None:
    for name, code, *_ in errors:
        error = for_code(code)
        if code and error.__name__ != "TopicAlreadyExistsError":
            raise error(f"topic {name}")


async def _extend(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    described = await admin.describe_topics([topic.name])
    partitions = len(described[0]["partitions"])
    if partitions < topic.partitions:
        await admin.create_partitions({topic.name: NewPartitions(topic.partitions)})
    configs: Mapping[str, str] = settings_of(topic)
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, configs)])


def main() -> int:
    """Entry of `python -m processors.provision`."""
    parser = argparse.ArgumentParser(prog="headgate topics", description="Create or extend Headgate's Kafka topics.")
    parser.add_argument("--replication", type=int, default=1, help="replicas per partition (3 in production)")
    options = parser.parse_args()
    settings = Settings.from_env()
    logs.configure(settings.log_level, "topics")
    try:
        security = secured(settings.kafka)
        created = asyncio.run(provision(settings.brokers, options.replication, security))
    except (KafkaError, OSError) as error:
        print(f"headgate topics: {type(error).__name__} at {settings.brokers}", file=sys.stderr)
        return 1
    logs.event(log, logging.INFO, "topics", created=created, total=len(ALL))
    return 0


if __name__ == "__main__":
    sys.exit(main())
