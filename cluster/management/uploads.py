"""Certificates as operators bring them: PEM, DER or PKCS#7, one or several."""

from __future__ import annotations

import warnings

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from wire.certificates import Certificate
from wire.errors import Refusal, WireError

MAX_UPLOAD = 256 * 1024
"""Bytes of one upload."""
_MAX_CERTIFICATES = 64
_PEM, _PKCS7 = b"-----BEGIN CERTIFICATE-----", b"-----BEGIN PKCS7-----"


def read_upload(data: bytes) -> list[Certificate]:
    """The certificates of an upload, in its order, at least one.

    Raises:
        Refusal: 413 too long; 400 nothing in it is a certificate.
    """
    if len(data) > MAX_UPLOAD:
        raise Refusal(413, f"an upload of {len(data)} bytes is over the limit of {MAX_UPLOAD}")
    try:
        found = _read(data)
    except WireError as error:
        raise Refusal(400, f"the upload is no certificate in PEM, DER or PKCS#7: {error}") from error
    if not found:
        raise Refusal(400, "the upload holds no certificate in PEM, DER or PKCS#7")
    if len(found) > _MAX_CERTIFICATES:
        raise Refusal(400, f"an upload of {len(found)} certificates is over the limit of {_MAX_CERTIFICATES}")
    return found


def _read(data: bytes) -> list[Certificate]:
    if _PEM in data:
        return Certificate.from_pem_bundle(data)
    if _PKCS7 in data:
        return _from_pkcs7(data, pem=True)
    try:
        return [Certificate.from_der(data)]
    except WireError:
        return _from_pkcs7(data, pem=False)


def _from_pkcs7(data: bytes, *, pem: bool) -> list[Certificate]:
    load = pkcs7.load_pem_pkcs7_certificates if pem else pkcs7.load_der_pkcs7_certificates
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openssl does not sort what DER wants sorted
            found = [item.public_bytes(Encoding.DER) for item in load(data)]
    except Exception as error:  # cryptography raises many kinds for bad PKCS#7, not one
        raise WireError(str(error)) from error
    return [Certificate.from_der(der) for der in found]
