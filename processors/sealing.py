"""Secrets are sealed by the ingress and opened here, at the last moment before a provider call; so is what travels."""

import base64
import binascii
import os
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contract import sealed
from contract.records import Reply, ReplyFinished, RequestReceived

NONCE_BYTES = 12
R = TypeVar("R", bound=Reply)


class Opener:
    """Opens what the ingress sealed: base64 of nonce and AES-GCM ciphertext. Its repr shows no key."""

    def __init__(self, master_key: str) -> None:
        self._cipher = AESGCM(base64.b64decode(master_key))

    def unseal(self, sealed: str) -> str | None:
        """The secret's text; None when it was sealed with another key or is damaged."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()
        except (InvalidTag, binascii.Error, ValueError):
            return None


class Transit:
    """What travels sealed: opens requests, seals replies (contract/sealed.py). Its repr shows no key."""

    def __init__(self, master_key: str) -> None:
        self._master_key = base64.b64decode(master_key)

    def body(self, request: RequestReceived) -> bytes | None:
        """The body of a sealed request; None when it was sealed with another key, for another place, or is damaged."""
        cipher = AESGCM(sealed.key_of(self._master_key, request.request_id))
        nonce, text = request.sealed[:NONCE_BYTES], request.sealed[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, text, sealed.bound_to(request))
        except (InvalidTag, ValueError):
            return None

    def reply(self, reply: R) -> R:
        """The reply for the ingress's eyes alone: its data, or, where it is whole, its body."""
        body = reply.body if isinstance(reply, ReplyFinished) and not reply.attempt else None
        plain = reply.data.encode() if body is None else bytes(body)
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(sealed.key_of(self._master_key, reply.request_id))
        text = nonce + cipher.encrypt(nonce, plain, sealed.bound_to(reply))
        emptied: dict[str, Any] = {"data": ""} if body is None else {"body": msgspec.Raw(b"null")}
        return msgspec.structs.replace(reply, sealed=text, **emptied)
