import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contract import codec
from contract.refusals import Refusal
from contract.state import Secret, SecretScope, View
from processors.providers.secrets import SEALED, lookup
from processors.sealing import Opener

KEY, OTHER = bytes(32), bytes(31) + b"x"
VALUE = "sk-very-secret"
ANN = "ann@example.com"


def sealed(value: str, key: bytes = KEY) -> str:
    nonce = bytes(12)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, value.encode(), None)).decode()


def opener() -> Opener:
    return Opener(base64.b64encode(KEY).decode())


def view(key: bytes = KEY) -> View:
    stored = Secret(scope="team", key="openai", sealed=sealed(VALUE, key), updated_at_ms=0)
    found = View()
    scope = SecretScope(name="team", manager="ann@example.com", created_at_ms=0, acls={"bob@example.com": "READ"})
    found.fold("scope/team", codec.encode(scope), 0)
    found.fold("secret/team/openai", codec.encode(stored), 0)
    return found


def refused(said: str, key: bytes = KEY) -> Refusal:
    refusal = lookup(view(key), opener().unseal)(ANN)(said)
    assert isinstance(refusal, Refusal)
    assert VALUE not in repr(refusal)
    return refusal


def test_a_reference_is_opened() -> None:
    assert lookup(view(), opener().unseal)(ANN)("{{secrets/team/openai}}") == VALUE


@pytest.mark.parametrize(("creator", "gets"), [(ANN, True), ("bob@example.com", True), ("eve@example.com", False)])
def test_a_creator_gets_the_secrets_they_may_read(creator: str, gets: bool) -> None:
    said = lookup(view(), opener().unseal)(creator)("{{secrets/team/openai}}")
    assert said == VALUE if gets else isinstance(said, Refusal) and said.name == "unreadable_secret"


def test_a_sealed_value_is_opened() -> None:
    assert lookup(View(), opener().unseal)(ANN)(SEALED + sealed(VALUE)) == VALUE


def test_a_secret_is_looked_up_as_it_is_now() -> None:
    found = view()
    secret = lookup(found, opener().unseal)(ANN)
    found.fold("secret/team/openai", None, 1)
    assert isinstance(secret("{{secrets/team/openai}}"), Refusal)


@pytest.mark.parametrize("said", ["{{secrets/team/none}}", "{{secrets/none/openai}}"])
def test_a_missing_secret_is_refused_by_scope_and_key(said: str) -> None:
    scope, key = said.strip("{}").split("/")[1:]
    refusal = refused(said)
    assert refusal.status == 400
    assert refusal.message == f"Secret does not exist with scope: {scope} and key: {key}"


@pytest.mark.parametrize("said", [VALUE, "", "{{secrets/team}}", "{{secrets/a/b/c}}", " {{secrets/team/openai}}"])
def test_a_literal_key_is_refused_and_not_repeated(said: str) -> None:
    assert refused(said).name == "no_secret_reference"


@pytest.mark.parametrize("said", ["{{secrets/team/openai}}", SEALED + sealed(VALUE, OTHER)])
def test_what_another_master_key_has_sealed_is_refused(said: str) -> None:
    assert refused(said, OTHER).status == 400


@pytest.mark.parametrize("damaged", ["", "!", "AAAA", sealed(VALUE)[:-8] + "AAAAAAA="])
def test_damaged_ciphertext_is_no_text(damaged: str) -> None:
    assert opener().unseal(damaged) is None


def test_an_opener_shows_no_key() -> None:
    assert base64.b64encode(KEY).decode() not in repr(opener())
