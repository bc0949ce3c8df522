"""Secrets are sealed by the ingress and opened here, at the last moment before a provider call."""

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


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
