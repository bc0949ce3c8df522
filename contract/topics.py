"""Every topic, one row each. Created by `headgate topics`; workers never create any."""

from typing import Literal

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MESSAGE_BYTES = 12 * 1024 * 1024  # a body of 4 MiB, written as JSON text inside JSON, at its worst
RECORD_BYTES = MESSAGE_BYTES - 64 * 1024  # of what a record carries; the rest is for what stands beside it


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. `retention_ms` is None for compacted ones."""

    name: str
    key: str
    value: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None = None
    about: str = ""


REQUESTS = Topic(
    name="gateway.requests",
    key="endpoint name when the endpoint has rate limits, else request id",
    value="RequestReceived",
    partitions=8,
    cleanup="delete",
    retention_ms=HOUR_MS,
    about="queries accepted by the ingress",
)
REPLIES = Topic(
    name="gateway.replies",
    key="request id; the partition is the ingress's slot",
    value="ReplyStarted, ReplyChunk or ReplyFinished",
    partitions=16,
    cleanup="delete",
    retention_ms=10 * MINUTE_MS,
    about="answers on their way back",
)
LOG = Topic(
    name="gateway.log",
    key="request id",
    value="RequestLogged",
    partitions=4,
    cleanup="delete",
    retention_ms=7 * DAY_MS,
    about="the event log: one row per request",
)
COMMANDS = Topic(
    name="gateway.commands",
    key="resource",
    value="Command",
    partitions=1,
    cleanup="delete",
    retention_ms=HOUR_MS,
    about="changes to the configuration, asked for",
)
STATE = Topic(
    name="gateway.state",
    key="resource",
    value="the resource as it is now (contract/state.py)",
    partitions=1,
    cleanup="compact",
    about="the configuration, written by `manage` alone",
)
WINDOWS = Topic(
    name="gateway.windows",
    key="endpoint name; same partition as its requests",
    value="WindowSnapshot",
    partitions=REQUESTS.partitions,
    cleanup="compact",
    about="rate-limit windows, for the partition's next owner",
)
HANDOVERS = Topic(
    name="gateway.handovers",
    key="request id, or worker for its sign of life",
    value="HandedOver",
    partitions=1,
    cleanup="compact",
    about="requests a worker still finishes after their partition moved",
)
CANCELS = Topic(
    name="gateway.cancels",
    key="request id",
    value="Cancelled",
    partitions=1,
    cleanup="delete",
    retention_ms=10 * MINUTE_MS,
    about="callers that hung up",
)
SUBMISSIONS = Topic(
    name="gateway.submissions",
    key="the producer's own; its answer gets the same",
    value="the JSON body of a query; token and reply topic in headers (docs/kafka.md)",
    partitions=4,
    cleanup="delete",
    retention_ms=HOUR_MS,
    about="queries from Kafka producers",
)
DEAD_LETTERS = Topic(
    name="gateway.dead_letters",
    key="original key",
    value="original bytes; reason, topic, partition, offset in headers",
    partitions=1,
    cleanup="delete",
    retention_ms=14 * DAY_MS,
    about="what could not be read or handled",
)
ALL = (REQUESTS, REPLIES, LOG, COMMANDS, STATE, WINDOWS, HANDOVERS, CANCELS, SUBMISSIONS, DEAD_LETTERS)
