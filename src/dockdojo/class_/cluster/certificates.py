"""Certificates for scheduler, workers and coordinator, of an authority that exists only while it signs them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dockdojo.class_.cluster.identity import AUTHORITY, ROLES, Role, files_of
from dockdojo.errors import UsageError, reason_of

VALID_DAYS = 400
"""A course's year, and some weeks."""
BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
USES: dict[Role, Iterable[x509.ObjectIdentifier]] = {
    "scheduler": BOTH_SIDES,
    "worker": BOTH_SIDES,
    # It listens to nobody, so nobody shall take it for a scheduler.
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH,),
}


def make_certificates(folder: Path) -> list[Path]:
    """Write an authority's certificate, and one with its key for each role; return the files.

    The authority's own key is not kept: nobody can sign another one. Raises UsageError where a file is there already.
    """
    now = datetime.now(UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(
        "dockdojo class", authority_key, None, authority_key, now, uses=()
    )
    files = {AUTHORITY: (_pem(authority), 0o644)}
    for role in ROLES:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(
            f"dockdojo {role}", key, authority, authority_key, now, uses=USES[role]
        )
        certificate_name, key_name = files_of(role)
        files[certificate_name] = (_pem(made), 0o644)
        files[key_name] = (
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            0o600,
        )
    return _written(folder, files)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    uses: Iterable[x509.ObjectIdentifier],
) -> x509.Certificate:
    """A certificate; without an issuer, an authority's own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_authority = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of several machines differ.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(
            x509.BasicConstraints(
                ca=is_authority, path_length=0 if is_authority else None
            ),
            critical=True,
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _written(folder: Path, files: dict[str, tuple[bytes, int]]) -> list[Path]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in files:
            if os.path.lexists(folder / name):
                raise UsageError(
                    f"{folder / name} is there already, and is not written over.",
                    hint="Name another folder; each set is whole in itself.",
                )
        for name, (raw, mode) in files.items():
            descriptor = os.open(
                folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {reason_of(error)}.") from error
    return [folder / name for name in files]
