"""Is a certificate what its CA signed? A small path check with a clock and named reasons.

`cryptography`'s own verifier applies the rules of the web and refuses certificates as UCM and its phones have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from wire.certificates import Certificate

MAX_PATH = 10
NOT_IN_STORE = "CA certificate is not available in the trust-store"
"""UCM's words."""


def build_chain(leaf: Certificate, trusted: Sequence[Certificate], now: datetime) -> tuple[Certificate, ...]:
    """The issuing certificates of `leaf` up to a self-signed one, nearest first; empty when it is self-signed.

    Args:
        leaf: what was signed.
        trusted: the trust store.
        now: against which validities are judged.

    Raises:
        Refusal: 400 with what does not hold.
    """
    chain: list[Certificate] = []
    current = leaf
    while not is_self_signed(current):
        named = [candidate for candidate in trusted if candidate.subject == current.issuer]
        if not named:
            raise Refusal(400, f"{NOT_IN_STORE}: {current.issuer}")
        issuer = next((candidate for candidate in named if signed_by(current, candidate)), None)
        if issuer is None:
            raise Refusal(400, f"the signature of {current.subject} does not verify with its CA {current.issuer}")
        _check_authority(issuer, now)
        chain.append(issuer)
        if len(chain) > MAX_PATH:
            raise Refusal(400, f"the chain of {leaf.subject} is longer than {MAX_PATH} certificates")
        current = issuer
    return tuple(chain)


def check_validity(certificate: Certificate, now: datetime) -> None:
    """Refuses a certificate outside its time.

    Raises:
        Refusal: 400, not yet valid or expired.
    """
    if now > certificate.not_after:
        raise Refusal(400, f"certificate {certificate.subject} expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC")
    if now < certificate.not_before:
        raise Refusal(
            400, f"certificate {certificate.subject} is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"
        )


def is_self_signed(certificate: Certificate) -> bool:
    """Issuer and subject are the same, and the signature is its own key's."""
    return certificate.subject == certificate.issuer and signed_by(certificate, certificate)


def signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """The issuer's key made the signature; SHA-1 counts, MD5 does not."""
    parsed, key = certificate.x509, issuer.public_key
    try:
        digest = parsed.signature_hash_algorithm
        if digest is None or digest.name == "md5":
            return False
        if isinstance(key, rsa.RSAPublicKey):
            padding = parsed.signature_algorithm_parameters
            if not isinstance(padding, PKCS1v15):
                return False
            key.verify(parsed.signature, parsed.tbs_certificate_bytes, padding, digest)
        else:
            key.verify(parsed.signature, parsed.tbs_certificate_bytes, ec.ECDSA(digest))
    except (InvalidSignature, ValueError, TypeError, x509.InvalidVersion, NotImplementedError):
        return False
    except Exception as error:  # an unknown signature algorithm has an exception of its own in each library version
        if type(error).__module__.startswith("cryptography"):
            return False
        raise
    return True


def _check_authority(issuer: Certificate, now: datetime) -> None:
    check_validity(issuer, now)
    try:
        constraints = issuer.x509.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        constraints = None
    if constraints is None or not constraints.ca:
        raise Refusal(400, f"{issuer.subject} is no CA: its certificate may not sign others")
