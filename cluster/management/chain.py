"""Is a certificate what its CA signed? A small path check with a clock and named reasons.

`cryptography`'s own verifier applies the rules of the web and refuses certificates as UCM and its phones have them.
Beside signatures and validity it asks what RFC 5280 asks of a CA: CA:TRUE, the key usage to sign certificates, and a
path length that is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from wire.certificates import Certificate

Extension = TypeVar("Extension", bound=x509.ExtensionType)

MAX_PATH = 10
NOT_IN_STORE = "CA certificate is not available in the trust-store"
"""UCM's words."""


def build_chain(leaf: Certificate, trusted: Sequence[Certificate], now: datetime) -> tuple[Certificate, ...]:
    """The issuing certificates of `leaf` up to a self-signed one, nearest first; empty when it is self-signed.

    Args:
        leaf: what was signed.
        trusted: what the trust store holds of the issuers' names.
        now: against which validities are judged.

    Raises:
        Refusal: 400 with what does not hold.
    """
    chain: list[Certificate] = []
    current = leaf
    while not is_self_signed(current):
        current = _issuer_of(current, trusted, len(chain), now)
        chain.append(current)
        if len(chain) > MAX_PATH:
            raise Refusal(400, f"the chain of {leaf.subject} is longer than {MAX_PATH} certificates")
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


def extension(certificate: Certificate, kind: type[Extension]) -> Extension | None:
    """An extension of a certificate, None when it has none of that kind.

    Raises:
        Refusal: 400, its extensions cannot be read.
    """
    try:
        return certificate.x509.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except Exception as error:  # a duplicate, a name of an unknown type, bad DER: each has a kind of its own
        raise Refusal(400, f"the extensions of {certificate.subject} cannot be read: {error}") from error


def _issuer_of(certificate: Certificate, trusted: Sequence[Certificate], below: int, now: datetime) -> Certificate:
    """The first of the trusted certificates that signed it and may have; `below` CAs already stand under it."""
    named = [candidate for candidate in trusted if candidate.subject == certificate.issuer]
    if not named:
        raise Refusal(400, f"{NOT_IN_STORE}: {certificate.issuer}")
    signers = [candidate for candidate in named if signed_by(certificate, candidate)]
    if not signers:
        raise Refusal(400, f"the signature of {certificate.subject} does not verify with its CA {certificate.issuer}")
    refusals: list[Refusal] = []
    for signer in signers:
        try:
            _check_authority(signer, below, now)
        except Refusal as refusal:
            refusals.append(refusal)
        else:
            return signer
    raise refusals[0]


def _check_authority(issuer: Certificate, below: int, now: datetime) -> None:
    check_validity(issuer, now)
    constraints, usage = extension(issuer, x509.BasicConstraints), extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        raise Refusal(400, f"{issuer.subject} is no CA: its certificate may not sign others")
    if usage is not None and not usage.key_cert_sign:
        raise Refusal(400, f"the key usage of {issuer.subject} does not allow it to sign certificates")
    if constraints.path_length is not None and below > constraints.path_length:
        raise Refusal(400, f"{issuer.subject} allows {constraints.path_length} CA(s) below itself, not {below}")
