"""How Kafka is reached: who we are there, and what protects the way. The same variables for every house.

No file is opened here: `read` and `tls` are handed in by whoever may.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL = PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
LOGIN_MODULES: Mapping[str, str] = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
OPEN: Mapping[str, Any] = {"security_protocol": PLAINTEXT}
HIDDEN = "<hidden>"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs besides the brokers' addresses. Files are PEM; no `ca_file`: those the machine trusts.

    `certificate_file`, `key_file`: the client's own, where the broker wants one.
    """

    protocol: str = PLAINTEXT
    mechanism: str = "PLAIN"
    username: str = ""
    password: str = ""
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    def __repr__(self) -> str:  # whatever shows the settings must not show the password
        return f"Access(protocol={self.protocol!r}, username={self.username!r})"

    @property
    def authenticates(self) -> bool:
        """Whether a name and a password are sent."""
        return self.protocol.startswith("SASL_")

    @property
    def encrypts(self) -> bool:
        """Whether the way is TLS."""
        return self.protocol.endswith("SSL")

    def hide(self, text: str) -> str:
        """A text that others wrote, without the password."""
        return text.replace(self.password, HIDDEN) if self.password else text

    def client(self, tls: Callable[..., Any]) -> dict[str, Any]:
        """The options of aiokafka's clients. `tls`: its `create_ssl_context`; OSError for a file it cannot use."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.encrypts:
            options["ssl_context"] = tls(cafile=self.ca_file, certfile=self.certificate_file, keyfile=self.key_file)
        if self.authenticates:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options

    def java(self, read: Callable[[str], str]) -> dict[str, str]:
        """The options of Kafka's own clients. `read`: a file's text; OSError where there is none."""
        options = {"security.protocol": self.protocol}
        if self.encrypts and self.ca_file:
            options |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": read(self.ca_file)}
        if self.encrypts and self.certificate_file and self.key_file:
            options |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.certificate.chain": read(self.certificate_file),
                "ssl.keystore.key": read(self.key_file),
            }
        if self.authenticates:
            login = f"{LOGIN_MODULES[self.mechanism]} required"
            login += f" username={_quoted(self.username)} password={_quoted(self.password)};"
            options |= {"sasl.mechanism": self.mechanism, "sasl.jaas.config": login}
        return options


def _quoted(text: str) -> str:
    """A text as JAAS reads it.

    >>> print(_quoted('say "hi"'))
    "say \\"hi\\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def from_env(env: Mapping[str, str], read: Callable[[str], str]) -> Access:
    """What `HEADGATE_KAFKA_*` say; an empty one is as good as none.

    ValueError names a variable that does not fit. `read`: a file's text; OSError where there is none.
    """
    protocol = _one_of(PROTOCOLS, env, "HEADGATE_KAFKA_SECURITY_PROTOCOL", PLAINTEXT)
    mechanism = _one_of(LOGIN_MODULES, env, "HEADGATE_KAFKA_SASL_MECHANISM", "PLAIN")
    certificate_file, key_file = env.get("HEADGATE_KAFKA_CERTIFICATE_FILE"), env.get("HEADGATE_KAFKA_KEY_FILE")
    if bool(certificate_file) != bool(key_file):
        raise ValueError("HEADGATE_KAFKA_CERTIFICATE_FILE and HEADGATE_KAFKA_KEY_FILE go together")
    found = Access(
        protocol=protocol,
        mechanism=mechanism,
        ca_file=env.get("HEADGATE_KAFKA_CA_FILE") or None,
        certificate_file=certificate_file or None,
        key_file=key_file or None,
    )
    if not found.authenticates:
        return found
    username, password = env.get("HEADGATE_KAFKA_USERNAME"), _password(env, read)
    if not username or not password:
        raise ValueError(f"{protocol} needs HEADGATE_KAFKA_USERNAME and HEADGATE_KAFKA_PASSWORD or its file")
    return msgspec.structs.replace(found, username=username, password=password)


def _one_of(known: Any, env: Mapping[str, str], name: str, default: str) -> str:
    said = env.get(name) or default
    if said not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}")
    return said


def _password(env: Mapping[str, str], read: Callable[[str], str]) -> str:
    file = env.get("HEADGATE_KAFKA_PASSWORD_FILE")
    return env.get("HEADGATE_KAFKA_PASSWORD") or (read(file).rstrip("\r\n") if file else "")
