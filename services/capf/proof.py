"""Does a phone have the key of a certificate that the cluster accepts? Pure: message, authorities and time in.

A LSC has the device's name as common name, a MIC ends with it (``CP-8861-SEP<MAC>``). Both have to be signed by the
cluster's CAPF or by a certificate of CAPF-trust, old CAPFs and manufacturers' CAs among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.management.chain import signed_by
from wire.capf import CertificateType, proof_of, sudi_proof_of, verify
from wire.certificates import Certificate
from wire.digests import DigestAlgorithm
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from wire.capf import Message


@dataclass(frozen=True, slots=True)
class Proven:
    """A certificate of which the phone has the key."""

    kind: CertificateType
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Unproven:
    """Why it does not count; `kind` is what was shown.

    Attributes:
        reason: for the trace.
    """

    kind: CertificateType
    reason: str


def judge_proof(
    message: Message, device: str, authorities: Sequence[Certificate], now: datetime
) -> Proven | Unproven | None:
    """Decides on the certificate of an authentication response; None when it shows none.

    Args:
        message: the response.
        device: ``SEP<MAC>``.
        authorities: who may have signed it.
        now: the cluster's time.
    """
    if message.certificate is not None:
        kind = CertificateType.MIC if message.certificate.kind == CertificateType.MIC else CertificateType.LSC
        der = message.certificate.der
        signed = proof_of(device, der)
        signatures = ((DigestAlgorithm.SHA1, message.signed_data), (DigestAlgorithm.SHA512, message.sha2_signed_data))
    elif message.sudi is not None and message.sudi.certificate:
        kind, der = CertificateType.MIC, message.sudi.certificate
        signed = sudi_proof_of(message.session, der)
        sudi = message.sudi
        signatures = (
            (DigestAlgorithm.SHA1, sudi.sha1_signature or None),
            (DigestAlgorithm.SHA512, sudi.sha512_signature or None),
        )
    else:
        return None
    reason, certificate = judge_certificate(der, kind, device, authorities, now)
    if certificate is None:
        return Unproven(kind, reason)
    given = [(digest, signature) for digest, signature in signatures if signature is not None]
    if not given:
        return Unproven(kind, "no signature")
    if not all(verify(certificate, digest, signed, signature) for digest, signature in given):
        return Unproven(kind, "the signature is not that of the certificate's key")
    return Proven(kind, certificate)


def judge_certificate(
    der: bytes, kind: CertificateType, device: str, authorities: Sequence[Certificate], now: datetime
) -> tuple[str, Certificate | None]:
    """The certificate if it is one of this phone that counts now, else None and why not."""
    try:
        certificate = Certificate.from_der(der)
    except WireError as error:
        return str(error), None
    name = certificate.subject.common_name.upper()
    own = name == device or (kind is CertificateType.MIC and name.endswith(f"-{device}"))
    if not own:
        return f"{certificate.subject} is not of {device}", None
    if not certificate.not_before <= now <= certificate.not_after:
        return f"{certificate.subject} is outside its validity", None
    if not any(
        authority.subject == certificate.issuer and signed_by(certificate, authority) for authority in authorities
    ):
        return f"{certificate.issuer} is no CA of this cluster's phones", None
    return "", certificate
