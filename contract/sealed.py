"""What travels sealed between ingress and workers: which requests, under which key, bound to what.

For an endpoint with reversible masking the caller's own values lie on no topic in clear. Each house does its own
AES-GCM (a nonce of 12 bytes, then the ciphertext with its tag); here is what both must agree on.
"""

import hmac

from contract.endpoint import Endpoint
from contract.records import Reply, ReplyStarted, RequestReceived

LABEL = b"headgate transit 1 "


def is_reversible(endpoint: Endpoint | None) -> bool:
    """Whether values masked in the endpoint's requests are put back into its answers."""
    gateway = endpoint.ai_gateway if endpoint is not None else None
    guardrails = gateway.guardrails if gateway is not None else None
    side = guardrails.input if guardrails is not None else None
    if side is None or not side.beyond.reversible:
        return False
    return side.pii.behavior == "MASK" and not side.beyond.observe  # who only observes masks nothing


def key_of(master_key: bytes, request_id: str) -> bytes:
    """The key of one request's records, 32 bytes: a key of its own each, so that random nonces never run short."""
    return hmac.digest(master_key, LABEL + request_id.encode(), "sha256")


def bound_to(record: RequestReceived | Reply) -> bytes:
    """What the seal of a record is bound to: moved to another place it does not open."""
    if isinstance(record, RequestReceived):
        return f"request {record.request_id}".encode()
    seq = 0 if isinstance(record, ReplyStarted) else record.seq
    kind = record.__struct_config__.tag
    return f"reply {record.request_id} {kind} {record.attempt} {seq}".encode()
