"""The factory: a CA that gives phones their manufacturer installed certificates (MIC).

Its certificate and key lie in ``manufacturing/ca.pem`` of the state folder, readable by their owner alone, from the
first phone on. The clusters of that folder trust it as real ones trust their manufacturer: in CAPF-trust and
CallManager-trust.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from base.identity import Identity
from cluster.issuing import years_later
from phone_sim.credentials import decode_credential, encode_credential
from wire.certificates import Certificate
from wire.errors import OperatorError, WireError

if TYPE_CHECKING:
    from cluster.store import ClusterStore

TRUST_STORES = ("CAPF-trust", "CallManager-trust")
_CA_YEARS, _MIC_YEARS = 20, 10
_KEY_SIZE = 2_048
_SERIAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class ManufacturingCa:
    """The CA of one state folder."""

    identity: Identity

    @classmethod
    def of(cls, state: Path, now: datetime | None = None) -> ManufacturingCa:
        """The folder's CA, made when there is none yet.

        Raises:
            OperatorError: it cannot be read or written.
        """
        found = cls.existing(state)
        if found is not None:
            return found
        made = cls(_make_authority(now or datetime.now(UTC)))
        _write_privately(_path(state), encode_credential(made.identity))
        return cls.existing(state) or made  # whoever made it first

    @classmethod
    def existing(cls, state: Path) -> ManufacturingCa | None:
        """The folder's CA, None when it has none.

        Raises:
            OperatorError: it cannot be read.
        """
        path = _path(state)
        try:
            return cls(decode_credential(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, WireError) as error:
            raise OperatorError(f"the manufacturing CA in {path} cannot be read: {error}") from error

    def mic(self, mac: str, model: str, now: datetime | None = None) -> Identity:
        """A new MIC with its key, for ``CP-<model>-SEP<MAC>``, valid 10 years.

        Args:
            mac: twelve upper-case hex digits.
            model: ``8861``.
            now: start of validity; the present when None.
        """
        key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_SIZE)
        begin = (now or datetime.now(UTC)).replace(microsecond=0)
        number = hashlib.sha256(mac.encode()).hexdigest()[:8].upper()
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.SERIAL_NUMBER, f"PID:CP-{model} SN:SIM{number}"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"CP-{model}-SEP{mac}"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ucmsim"),
            ]
        )
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        authority = self.identity.certificate.x509
        builder = (
            _builder(subject, authority.subject, key.public_key(), begin, _MIC_YEARS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        return Identity(_signed(builder, self.identity.private_key), key)


async def trust_manufacturer(store: ClusterStore, authority: ManufacturingCa) -> None:
    """Lets a cluster accept the MICs of this CA; what it trusts already makes no new revision.

    Raises:
        OperatorError: the database refuses.
    """
    for name in TRUST_STORES:
        await store.add_trust(name, [authority.identity.certificate])


def _path(state: Path) -> Path:
    return state / "manufacturing" / "ca.pem"


def _make_authority(now: datetime) -> Identity:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_SIZE)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"ucmsim Manufacturing CA {secrets.token_hex(4)}"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ucmsim"),
        ]
    )
    builder = (
        _builder(name, name, key.public_key(), now.replace(microsecond=0), _CA_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
    )
    return Identity(_signed(builder, key), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, begin: datetime, years: int
) -> x509.CertificateBuilder:
    serial = int.from_bytes(bytes([secrets.randbelow(127) + 1]) + secrets.token_bytes(_SERIAL_BYTES - 1), "big")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(years_later(begin, years))
    )


def _signed(builder: x509.CertificateBuilder, key: object) -> Certificate:
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - as made here
    return Certificate.from_der(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _write_privately(path: Path, data: bytes) -> None:
    """Whole or not at all, mode 0600; one that is there already stays."""
    temporary = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        raise OperatorError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            if temporary:
                Path(temporary).unlink()
