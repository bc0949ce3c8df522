"""An authority for one test, and what it has signed: a certificate for 127.0.0.1 and one for a client. All PEM."""

import datetime
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Files(NamedTuple):
    """`server`: key and certificate in one file, as Kafka's key store wants them."""

    ca: Path
    server: Path
    client_certificate: Path
    client_key: Path


def make(home: Path, now: datetime.datetime) -> Files:
    """Make them all in `home`; good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("headgate tests", key, key, None, now)
    files = Files(home / "ca.pem", home / "server.pem", home / "client.pem", home / "client.key")
    files.ca.write_bytes(_pem(ca))
    for certificate_at, key_at in ((files.server, files.server), (files.client_certificate, files.client_key)):
        own = ec.generate_private_key(ec.SECP256R1())
        signed = _certificate(certificate_at.stem, own, key, ca, now)
        key_at.write_bytes(_key_pem(own))
        with certificate_at.open("ab") as file:
            file.write(_pem(signed))
    return files


def _certificate(
    name: str,
    own: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate | None,
    now: datetime.datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    key_id = x509.SubjectKeyIdentifier.from_public_key(own.public_key())
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if ca is None else ca.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=ca is None, path_length=None), critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(loopback, critical=False)
        .sign(signing, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
