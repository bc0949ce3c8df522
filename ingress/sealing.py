"""Secrets sealed before they enter a topic: AES-GCM, base64 of nonce (12 bytes) then ciphertext with its tag."""

import base64
import binascii
import os
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contract import sealed as transit
from contract.records import Reply, ReplyFinished, RequestReceived

KEY_BYTES = 32
NONCE_BYTES = 12
MARK = "sealed:"
PLAINTEXT = "_plaintext"


class Unsealable(Exception):
    """The text was not sealed with this key, or was changed since. Says nothing about what it holds."""


def new_key() -> str:
    """A fresh master key, base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def key_bytes(text: str) -> bytes:
    """The master key's bytes; ValueError when it is not base64 of 32 bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"the master key must be base64 of {KEY_BYTES} bytes")
    return key


def encrypted(plain: bytes, key: bytes, bound_to: bytes | None = None) -> bytes:
    """Encrypt; a new nonce each time, so equal texts do not look equal. `bound_to`: to be said again to open it."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to)


def decrypted(data: bytes, key: bytes, bound_to: bytes | None = None) -> bytes:
    """Decrypt what `encrypted` made; `Unsealable` otherwise."""
    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise Unsealable("the secret cannot be opened with this master key") from error


def seal(secret: str | bytes, key: bytes) -> str:
    """Encrypt `secret`, in base64."""
    return base64.b64encode(encrypted(secret.encode() if isinstance(secret, str) else secret, key)).decode()


def opened(sealed: str, key: bytes) -> bytes:
    """Decrypt what `seal` made; `Unsealable` otherwise."""
    try:
        data = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unsealable("the secret is no base64") from error
    return decrypted(data, key)


def unseal(sealed: str, key: bytes) -> str:
    """Decrypt a text that `seal` made; `Unsealable` when it is none."""
    try:
        return opened(sealed, key).decode()
    except UnicodeDecodeError:
        # `from None`: the error's own text would show the secret's bytes
        raise Unsealable("the secret is no text") from None


def request_sealed(record: RequestReceived, master_key: bytes) -> RequestReceived:
    """The record with its body sealed, for the workers alone."""
    key = transit.key_of(master_key, record.request_id)
    sealed = encrypted(bytes(record.body), key, transit.bound_to(record))
    return msgspec.structs.replace(record, body=msgspec.Raw(b"null"), sealed=sealed)


def reply_opened(reply: Reply, master_key: bytes) -> Reply | None:
    """The reply as the worker meant it; None when it was sealed with another key, for another place, or is damaged."""
    try:
        key = transit.key_of(master_key, reply.request_id)
        plain = decrypted(reply.sealed, key, transit.bound_to(reply))
        if isinstance(reply, ReplyFinished) and not reply.attempt:
            return msgspec.structs.replace(reply, body=msgspec.Raw(plain), sealed=b"")
        return msgspec.structs.replace(reply, data=plain.decode(), sealed=b"")
    except (Unsealable, UnicodeDecodeError):
        return None


def plaintexts_sealed(value: Any, seal_one: Callable[[str], str]) -> Any:
    """A JSON value whose `*_plaintext` strings, however deep, are `sealed:` and the sealed text."""
    if isinstance(value, dict):
        return {name: _member(name, inner, seal_one) for name, inner in value.items()}
    if isinstance(value, list):
        return [plaintexts_sealed(inner, seal_one) for inner in value]
    return value


def _member(name: str, value: Any, seal_one: Callable[[str], str]) -> Any:
    if name.endswith(PLAINTEXT) and isinstance(value, str):
        return MARK + seal_one(value)
    return plaintexts_sealed(value, seal_one)
