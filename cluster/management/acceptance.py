"""May this certificate come in? What is asked of a single one; its chain is `cluster.management.chain`'s affair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import SignatureAlgorithmOID

from cluster.management.chain import extension
from cluster.management.fields import FIPS_RSA_MINIMUM, RSA_LENGTHS
from cluster.parameters import FIPS_MODE, read_bool
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cluster.snapshot import ClusterSnapshot, PendingRequest
    from wire.certificates import Certificate, PublicKey

OTHER_KEY = "CSR public key and certificate public key do not match"
OTHER_NAMES = "CSR SAN and certificate SAN does not match"
"""Both are UCM's words."""
_EC_MINIMUM = 256


class StaleRequest(Refusal):
    """An upload for a signing request that is used up, replaced or never was (R-CRT-4)."""

    def __init__(self, message: str) -> None:
        super().__init__(409, message)


def matching(uploaded: Iterable[Certificate], pending: PendingRequest) -> Certificate:
    """The uploaded certificate that answers the request.

    Raises:
        StaleRequest: none has its key.
        Refusal: 400, the one that has names others than were asked for.
    """
    csr = x509.load_der_x509_csr(pending.der)
    wanted = csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for certificate in uploaded:
        if _spki(certificate.public_key) == wanted:
            asked = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            given = extension(certificate, x509.SubjectAlternativeName)
            if given is None or _dns_names(asked) != _dns_names(given):
                raise Refusal(400, OTHER_NAMES)
            return certificate
    raise StaleRequest(OTHER_KEY)


def check_strength(snapshot: ClusterSnapshot, certificate: Certificate) -> None:
    """Refuses keys that are shorter than the shortest that an own certificate may have, and MD5 (both ours).

    Raises:
        Refusal: 400.
    """
    key, subject = certificate.public_key, certificate.subject
    fips = read_bool(snapshot.parameter(FIPS_MODE))
    least = _EC_MINIMUM
    if isinstance(key, rsa.RSAPublicKey):
        least = FIPS_RSA_MINIMUM if fips else min(RSA_LENGTHS)
    if key.key_size < least:
        kind = "RSA" if certificate.is_rsa else "EC"
        mode = " in FIPS mode" if fips else ""
        raise Refusal(400, f"the {kind} key of {subject} has {key.key_size} bits; the least{mode} is {least}")
    if certificate.x509.signature_algorithm_oid == SignatureAlgorithmOID.RSA_WITH_MD5:
        raise Refusal(400, f"certificate {subject} is signed with MD5")


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _dns_names(names: x509.SubjectAlternativeName) -> frozenset[str]:
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))
