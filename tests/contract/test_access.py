"""How Kafka is reached: what the variables may say, what clients are told, and that a password shows nowhere."""

from typing import Any

import msgspec
import pytest

from contract import access
from contract.access import Access

PASSWORD = 'sword"fish\\7'
SASL = {
    "HEADGATE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "HEADGATE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
    "HEADGATE_KAFKA_USERNAME": "headgate",
    "HEADGATE_KAFKA_PASSWORD": PASSWORD,
    "HEADGATE_KAFKA_CA_FILE": "/ca.pem",
    "HEADGATE_KAFKA_CERTIFICATE_FILE": "/own.pem",
    "HEADGATE_KAFKA_KEY_FILE": "/own.key",
}


def no_file(name: str) -> str:
    raise AssertionError(f"{name} is not to be read")


def content(name: str) -> str:
    return f"content of {name}"


def tls(**files: Any) -> Any:
    return files


@pytest.mark.parametrize("env", [{}, dict.fromkeys(SASL, "")])
def test_without_a_word_kafka_is_reached_in_the_open(env: dict[str, str]) -> None:
    found = access.from_env(env, no_file)
    assert found == Access()
    assert found.client(tls) == access.OPEN
    assert found.java(no_file) == {"security.protocol": "PLAINTEXT"}


def test_our_own_clients_are_told_by_aiokafkas_names() -> None:
    assert access.from_env(SASL, no_file).client(tls) == {
        "security_protocol": "SASL_SSL",
        "ssl_context": {"cafile": "/ca.pem", "certfile": "/own.pem", "keyfile": "/own.key"},
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "headgate",
        "sasl_plain_password": PASSWORD,
    }


def test_spark_is_told_by_kafkas_names_and_reads_no_file_but_ours() -> None:
    assert access.from_env(SASL, no_file).java(content) == {
        "security.protocol": "SASL_SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": "content of /ca.pem",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": "content of /own.pem",
        "ssl.keystore.key": "content of /own.key",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required"
        r' username="headgate" password="sword\"fish\\7";',
    }


@pytest.mark.parametrize(
    ("protocol", "encrypts", "authenticates"),
    [("PLAINTEXT", False, False), ("SSL", True, False), ("SASL_PLAINTEXT", False, True), ("SASL_SSL", True, True)],
)
def test_each_protocol_is_what_its_name_says(protocol: str, encrypts: bool, authenticates: bool) -> None:
    found = access.from_env(SASL | {"HEADGATE_KAFKA_SECURITY_PROTOCOL": protocol}, no_file)
    assert ("ssl_context" in found.client(tls)) is encrypts
    assert ("sasl_plain_password" in found.client(tls)) is authenticates
    assert any(name.startswith("ssl.") for name in found.java(content)) is encrypts
    assert ("sasl.jaas.config" in found.java(content)) is authenticates


def test_a_password_may_lie_in_a_file_and_its_last_line_end_is_none_of_it() -> None:
    env = SASL | {"HEADGATE_KAFKA_PASSWORD": "", "HEADGATE_KAFKA_PASSWORD_FILE": "/password"}
    assert access.from_env(env, lambda name: f" {name}\r\n").password == " /password"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"HEADGATE_KAFKA_SECURITY_PROTOCOL": "TLS"}, "HEADGATE_KAFKA_SECURITY_PROTOCOL must be one of PLAINTEXT, SSL"),
        ({"HEADGATE_KAFKA_SASL_MECHANISM": "GSSAPI"}, "HEADGATE_KAFKA_SASL_MECHANISM must be one of PLAIN, SCRAM"),
        ({"HEADGATE_KAFKA_USERNAME": ""}, "SASL_SSL needs HEADGATE_KAFKA_USERNAME"),
        ({"HEADGATE_KAFKA_PASSWORD": ""}, "HEADGATE_KAFKA_PASSWORD"),
        ({"HEADGATE_KAFKA_KEY_FILE": ""}, "go together"),
    ],
)
def test_what_does_not_fit_is_named_and_no_password_is_quoted(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named) as refused:
        access.from_env(SASL | wrong, no_file)
    assert PASSWORD not in str(refused.value)


def test_a_password_shows_neither_itself_nor_in_what_others_say() -> None:
    found = access.from_env(SASL, no_file)
    for shown in (repr(found), str(found), f"{[found]}", repr(msgspec.structs.replace(found, username="x"))):
        assert "sword" not in shown
    assert found.hide(f"cannot log in with {PASSWORD}!") == "cannot log in with <hidden>!"
    assert Access().hide("as it is") == "as it is"
