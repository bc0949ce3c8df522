"""Records on topics, in the order a request meets them.

Each record carries `v`; changes only add fields with defaults, so every golden example under
tests/contract/examples must decode for ever. Times are epoch milliseconds unless a name says otherwise.
"""

from typing import Literal

import msgspec

Kind = Literal["user", "service_principal"]


class Requester(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `name`: a user's e-mail or a service principal's application id."""

    name: str
    kind: Kind = "user"
    groups: tuple[str, ...] = ()
    admin: bool = False


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Kafka producer's query lies on `gateway.submissions`, and where its answer goes.

    `key`: the producer's, in base64. `reply_topic`: null: nobody is answered. `reply_partition`: null: the key decides.
    `client_request_id`: what the header said; the answer gets the same header.
    """

    partition: int
    offset: int
    key: bytes | None = None
    reply_topic: str | None = None
    reply_partition: int | None = None
    client_request_id: str | None = None


class RequestReceived(msgspec.Struct, frozen=True, kw_only=True):
    """A query accepted by the ingress, on `gateway.requests`.

    `task`: the task the route asks for, empty for `/invocations` (the endpoint decides).
    `config_version`: offset on `gateway.state` that the worker's view must have reached.
    `body`: the caller's JSON object, byte for byte.
    `served_entity`: the one entity that may answer, whatever the split; empty: the split and the fallbacks decide.
    `submitted`: it came by Kafka; its answer goes to the producer's topic, and the ingress hears only that it ended.
    `sealed`: the body, sealed, in base64, where the endpoint masks reversibly; `body` is null then.
    """

    request_id: str
    endpoint: str
    requester: Requester
    received_at_ms: int
    deadline_ms: int
    reply_slot: int
    boot_id: str
    body: msgspec.Raw
    config_version: int = -1
    task: str = ""
    stream: bool = False
    client_request_id: str | None = None
    usage_context: dict[str, str] | None = None
    served_entity: str = ""
    submitted: Submitted | None = None
    sealed: bytes = b""
    v: int = 1


class SubmissionAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a submission, on the producer's own topic. `body`: what an HTTP caller would get with `status`."""

    request_id: str
    client_request_id: str | None
    status: int
    body: msgspec.Raw


class ReplyStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="started"):
    """The first piece of a streamed answer, `seq` 0. `data`: server-sent events, ready to send.

    `attempt` names the worker's try: after a crash another worker starts another one, which must not be mixed in.
    `sealed`: `data`, sealed, in base64, where the endpoint masks reversibly; `data` is empty then.
    """

    request_id: str
    boot_id: str
    attempt: str
    data: str
    served_entity_name: str = ""
    config_version: int = -1
    sealed: bytes = b""
    v: int = 1


class ReplyChunk(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="chunk"):
    """A further piece of a streamed answer; `seq` counts from 1 without gaps. `sealed`: as in `ReplyStarted`."""

    request_id: str
    boot_id: str
    attempt: str
    seq: int
    data: str
    sealed: bytes = b""
    v: int = 1


class ReplyFinished(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="finished"):
    """The whole answer, or the end of a streamed one; the first per request id wins.

    `body`: JSON for a whole answer. `data`: last events of a stream, whose `seq` is the number of pieces before.
    `state_offset`: for an answered command, where its change lies on `gateway.state`.
    `sealed`: `data` of a stream (`attempt` is set), else `body`, sealed; that field is empty or null then.
    """

    request_id: str
    boot_id: str
    status: int
    body: msgspec.Raw = msgspec.Raw(b"null")
    attempt: str = ""
    seq: int = 0
    data: str = ""
    served_entity_name: str = ""
    config_version: int = -1
    state_offset: int = -1
    sealed: bytes = b""
    v: int = 1


Reply = ReplyStarted | ReplyChunk | ReplyFinished


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at one served entity. `status` 0: no answer came."""

    served_entity_name: str
    status: int
    duration_ms: int
    outcome: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a guardrail saw: enough to triage, never the text.

    `start`, `end`: characters of the side's text number `text_index`, in the order of the body.
    `duration_ms`: what the check of that side took. `rules_version`: the version of the rules that found it.
    """

    side: Literal["input", "output"]
    guardrail: str
    outcome: str
    entity_type: str = ""
    start: int = 0
    end: int = 0
    score: float = 0.0
    recogniser: str = ""
    text_index: int = 0
    duration_ms: float = 0.0
    rules_version: str = ""


class PayloadTable(msgspec.Struct, frozen=True, kw_only=True):
    """Which inference table a row belongs to: `catalog`.`schema`.`prefix`_payload."""

    catalog: str
    schema: str
    prefix: str


class RequestLogged(msgspec.Struct, frozen=True, kw_only=True):
    """The event log's row on `gateway.log`: one per request, whatever became of it.

    `execution_duration_ms`: the provider's time alone. `usage_tracked`: a row of endpoint_usage is wanted.
    `payload_table`: set when a payload row is wanted. `refusal`: the name of our "no", else empty.
    `request`, `response`: JSON text; null when over the size limit (see `logging_error_codes`).
    """

    request_id: str
    received_at_ms: int
    endpoint_id: str
    endpoint_name: str
    served_entity_id: str
    served_entity_name: str
    requester: str
    status_code: int
    account_id: str
    workspace_id: str
    client_request_id: str | None = None
    task: str = ""
    streaming: bool = False
    execution_duration_ms: int = 0
    total_duration_ms: int = 0
    time_to_first_token_ms: int | None = None
    input_token_count: int = 0
    output_token_count: int = 0
    input_character_count: int = 0
    output_character_count: int = 0
    usage_context: dict[str, str] | None = None
    request: str | None = None
    response: str | None = None
    logging_error_codes: tuple[str, ...] = ()
    usage_tracked: bool = False
    payload_table: PayloadTable | None = None
    refusal: str = ""
    attempts: tuple[Attempt, ...] = ()
    findings: tuple[Finding, ...] = ()
    config_version: int = -1
    v: int = 1


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The caller hung up: whoever calls the provider for this request stops."""

    request_id: str
    v: int = 1


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A change to the configuration, asked for on `gateway.commands`.

    `action`: a row of `processors.control`, such as `endpoint.create`.
    `target`: the resource's name where the path gives it.
    """

    command_id: str
    action: str
    requester: Requester
    received_at_ms: int
    deadline_ms: int
    reply_slot: int
    boot_id: str
    body: msgspec.Raw
    target: str = ""
    v: int = 1


class WindowSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint's rate-limit windows as of `offset` of its partition of `gateway.requests`.

    `windows`: window key -> list of [epoch second, amount]. `clock_s`: the latest second a request was received in.
    `refused`: offsets up to `offset` that were refused and not yet acknowledged, so that a replay refuses them again.
    """

    endpoint: str
    partition: int
    offset: int
    windows: dict[str, list[tuple[int, int]]]
    clock_s: int = 0
    refused: tuple[int, ...] = ()
    v: int = 1


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A request that `worker` still finishes after its partition has moved; a null value on the topic clears it.

    Without `request` it is that worker's sign of life. When the signs stop, another worker settles it as failed.
    """

    worker: str
    at_ms: int
    request: RequestReceived | None = None
    v: int = 1
