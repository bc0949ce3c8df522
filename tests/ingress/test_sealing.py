"""Sealing: what leaves the ingress cannot be read without the key, and nothing shows it by accident."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress import sealing
from ingress.sealing import Unsealable
from processors.sealing import Opener

KEY = b"k" * 32


@given(st.text())
def test_what_is_sealed_opens_again_here_and_at_the_worker(text: str) -> None:
    sealed = sealing.seal(text, KEY)
    assert sealing.unseal(sealed, KEY) == text
    assert Opener(base64.b64encode(KEY).decode()).unseal(sealed) == text


@given(st.binary())
def test_bytes_that_are_no_text_survive(value: bytes) -> None:
    assert sealing.opened(sealing.seal(value, KEY), KEY) == value


def test_equal_secrets_do_not_look_equal() -> None:
    assert sealing.seal("same", KEY) != sealing.seal("same", KEY)


def test_a_secret_is_not_to_be_seen_in_what_is_sealed() -> None:
    sealed = sealing.seal("sk-very-secret", KEY)
    assert "secret" not in sealed and b"secret" not in base64.b64decode(sealed)


DAMAGED = {"empty": "", "no base64": "no base64!", "short": "QUJD", "another key": sealing.seal("x", b"o" * 32)}


@pytest.mark.parametrize("sealed", DAMAGED.values(), ids=DAMAGED)
def test_another_key_or_a_damaged_text_is_said_without_the_text(sealed: str) -> None:
    with pytest.raises(Unsealable) as caught:
        sealing.unseal(sealed, KEY)
    assert not sealed or sealed not in str(caught.value)


def test_bytes_that_are_no_text_are_not_quoted() -> None:
    with pytest.raises(Unsealable) as caught:
        sealing.unseal(sealing.seal(b"\xffhush", KEY), KEY)
    assert caught.value.__cause__ is None and "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"k" * 31).decode(), "€" * 44])
def test_a_master_key_that_is_none_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes") as caught:
        sealing.key_bytes(text)
    assert not text or text not in str(caught.value)


def test_a_new_key_is_a_key() -> None:
    assert len(sealing.key_bytes(sealing.new_key())) == 32


def test_plaintext_twins_are_sealed_however_deep_and_all_else_stays() -> None:
    body = {
        "config": {"served_entities": [{"openai_api_key_plaintext": "sk", "n": 1}, {"token_plaintext": None}]},
        "openai_api_key": "{{secrets/s/k}}",
    }
    sealed = sealing.plaintexts_sealed(body, str.upper)
    assert sealed == {
        "config": {"served_entities": [{"openai_api_key_plaintext": "sealed:SK", "n": 1}, {"token_plaintext": None}]},
        "openai_api_key": "{{secrets/s/k}}",
    }


def test_a_caller_cannot_pass_off_a_text_as_sealed() -> None:
    forged = sealing.plaintexts_sealed({"key_plaintext": "sealed:QUJD"}, lambda text: sealing.seal(text, KEY))
    assert sealing.unseal(forged["key_plaintext"].removeprefix(sealing.MARK), KEY) == "sealed:QUJD"
