"""What the tests of CAPF share: a snapshot with a phone to serve, and a phone's messages, laid out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from base.identity import Identity
from cluster.lsc import issue_lsc
from cluster.phonesecurity import PENDING, Authentication, CapfOrder, KeyOrder, Operation, PhoneSecurity
from cluster.purposes import Purpose
from wire.capf import (
    CertificateType,
    Command,
    Curve,
    Message,
    PhoneCertificate,
    ReasonCode,
    Sudi,
    proof_of,
    sign,
    sudi_proof_of,
)
from wire.digests import DigestAlgorithm

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import PrivateKey

DEVICE, OTHER = "SEP001122334455", "SEP001122334456"
STRING = "24680"
SESSION = 0x0A0B0C0D
NOW = datetime(2026, 12, 1, tzinfo=UTC)
INSTALL, DELETE, TROUBLESHOOT = Operation.INSTALL, Operation.DELETE, Operation.TROUBLESHOOT
BY_STRING, BY_NULL = Authentication.STRING, Authentication.NULL_STRING
BY_LSC, BY_MIC = Authentication.LSC, Authentication.MIC
SHA1, SHA512 = DigestAlgorithm.SHA1, DigestAlgorithm.SHA512


@cache
def key(kind: str) -> PrivateKey:
    """``rsa1024``, ``ec256`` …; made once."""
    size = int(kind.lstrip("rsaec"))
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65_537, key_size=size)
    return ec.generate_private_key({256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}[size])


def spki(kind: str) -> bytes:
    return key(kind).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def scheduled(
    operation: Operation = INSTALL,
    authentication: Authentication = BY_NULL,
    key_order: KeyOrder = KeyOrder.RSA,
    *,
    complete_by: datetime | None = None,
    rsa_size: int = 1024,
) -> PhoneSecurity:
    string = STRING if authentication is BY_STRING else ""
    order = CapfOrder(operation, authentication, string, key_order, rsa_size, 256, complete_by)
    status = PENDING if operation is not Operation.NONE else "None"
    return PhoneSecurity(order, status, scheduled=7, revision=7)


def with_security(snapshot: ClusterSnapshot, security: PhoneSecurity, *, advanced: bool = False) -> ClusterSnapshot:
    overrides = {**snapshot.overrides, "Endpoint Advanced Encryption Algorithms Support": str(advanced)}
    return replace(snapshot, phone_security={DEVICE: security}, overrides=overrides)


def lsc_for(snapshot: ClusterSnapshot, device: str = DEVICE, kind: str = "rsa1024") -> Identity:
    authority = snapshot.require("alpha-pub", Purpose.CAPF).identity
    made = issue_lsc(authority, device, key(kind).public_key(), snapshot.changed_at)
    return Identity(made, key(kind))


def hello(device: str | None = DEVICE, *, version: int | None = 3, session: int = SESSION, **more: object) -> Message:
    """An authentication response."""
    message = Message(Command.AUTH_RESPONSE, session, reason=ReasonCode.SUCCESS, version=version, device_name=device)
    return replace(message, **more)  # type: ignore[arg-type]


def with_certificate(
    identity: Identity, kind: CertificateType = CertificateType.LSC, *, session: int = SESSION, signer: str = ""
) -> Message:
    """An authentication response that proves a certificate; `signer` names another key to sign with."""
    der, private_key = identity.certificate.der, key(signer) if signer else identity.private_key
    data = proof_of(DEVICE, der)
    return hello(
        session=session,
        certificate=PhoneCertificate(kind, der),
        signed_data=sign(private_key, SHA1, data),
        sha2_signed_data=sign(private_key, SHA512, data),
    )


def with_sudi(identity: Identity, *, session: int = SESSION, signed_session: int = SESSION) -> Message:
    der = identity.certificate.der
    data = sudi_proof_of(signed_session, der)
    sudi = Sudi(der, sign(identity.private_key, SHA1, data), sign(identity.private_key, SHA512, data))
    return hello(session=session, sudi=sudi)


def said(command: Command, reason: int | None = ReasonCode.SUCCESS, **more: object) -> Message:
    return replace(Message(command, SESSION, reason=reason), **more)  # type: ignore[arg-type]


def key_made(kind: str = "rsa1024") -> Message:
    return said(Command.KEY_GENERATE_RESPONSE, public_key=spki(kind))


STORED = said(Command.STORE_RESPONSE)
NO_KEY = said(Command.KEY_GENERATE_RESPONSE, ReasonCode.INVALID_ELEMENT)
IN_PROGRESS = said(Command.IN_PROGRESS, None)
CURVES = {"ec256": Curve.SECP256R1, "ec384": Curve.SECP384R1, "ec521": Curve.SECP521R1}
