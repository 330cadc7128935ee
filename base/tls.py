"""TLS contexts for both ends.

Python's ssl module loads keys from files only; the PEM passes through an anonymous memory file, so that no private key
touches the disk. Certificates are judged by our own code after the handshake (with a clock and a reason), so client
contexts verify nothing here.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import ssl
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import SignatureAlgorithmOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from base.identity import Identity
    from wire.certificates import Certificate

log = logging.getLogger("ucmsim.tls")

_STRONG_RSA = 2048
_WEAK_SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA1,
        SignatureAlgorithmOID.ECDSA_WITH_SHA1,
        SignatureAlgorithmOID.RSA_WITH_MD5,
    }
)


def server_context(
    identities: Sequence[Identity],
    *,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ciphers: str | None = None,
) -> ssl.SSLContext:
    """A server's context; with an RSA and an EC identity OpenSSL picks by what the client offers.

    OpenSSL's security level would refuse to show short RSA keys and SHA-1 signatures, which UCM may have: with one of
    them the level drops to 0, as it does for old TLS versions.

    Args:
        identities: at most one for each key type.
        minimum: lowest version accepted; below TLS 1.2 old phones are meant.
        maximum: highest version offered.
        ciphers: OpenSSL cipher string for TLS 1.2 and below; the library's default when None.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    weak = any(_is_weak(shown) for identity in identities for shown in (identity.certificate, *identity.chain))
    _set_versions(context, minimum, maximum, ciphers, weak=weak)
    for identity in identities:
        _load(context, identity)
    return context


def ask_for_certificate(context: ssl.SSLContext, authorities: Sequence[Certificate]) -> None:
    """Lets a server ask its clients for a certificate; one without is served, one of an unknown CA is not.

    Authorities are trusted for clients whatever their certificates say: UCM's CAPF certificate has the extended key
    usage of a server only, and OpenSSL would refuse the LSCs that it signed. They need not be self-signed. Those that
    were given before stay.

    Args:
        context: of a server.
        authorities: CAs of client certificates.
    """
    for authority in authorities:
        with _memory_file("authority", _trusted_pem(authority).encode("ascii")) as path:
            try:
                context.load_verify_locations(path)
            except ssl.SSLError as error:  # one that OpenSSL does not read does not count; the others do
                log.warning("client certificates of %s are not accepted: %s", authority.subject, error.reason)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_OPTIONAL


_TRUSTED_FOR_CLIENTS = bytes.fromhex("300c300a06082b06010505070302")
"""What OpenSSL appends to a certificate that is trusted for client authentication: a list of that one purpose."""


def _trusted_pem(certificate: Certificate) -> str:
    body = base64.encodebytes(certificate.der + _TRUSTED_FOR_CLIENTS).decode("ascii")
    return f"-----BEGIN TRUSTED CERTIFICATE-----\n{body}-----END TRUSTED CERTIFICATE-----\n"


def client_context(
    identity: Identity | None = None,
    *,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ciphers: str | None = None,
) -> ssl.SSLContext:
    """A client's context that accepts any server: the caller must judge the peer's certificate before it sends.

    Args:
        identity: presented when the server asks (a phone's LSC or MIC).
        minimum: lowest version offered.
        maximum: highest version offered.
        ciphers: OpenSSL cipher string for TLS 1.2 and below.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    weak = identity is not None and any(_is_weak(shown) for shown in (identity.certificate, *identity.chain))
    _set_versions(context, minimum, maximum, ciphers, weak=weak)
    if identity is not None:
        _load(context, identity)
    return context


def spoken(connection: ssl.SSLObject | None) -> str:
    """Version and cipher suite of a connection that stands: ``TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384``; else empty.

    The version that `ssl.SSLObject.cipher` names beside a suite is the one that introduced the suite.
    """
    cipher = connection.cipher() if connection is not None else None
    return f"{connection.version()} {cipher[0]}" if connection is not None and cipher else ""


def _is_weak(certificate: Certificate) -> bool:
    short = certificate.is_rsa and certificate.public_key.key_size < _STRONG_RSA
    return short or certificate.x509.signature_algorithm_oid in _WEAK_SIGNATURES


def _set_versions(
    context: ssl.SSLContext, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion, ciphers: str | None, *, weak: bool
) -> None:
    if weak or minimum < ssl.TLSVersion.TLSv1_2:
        ciphers = (ciphers or "DEFAULT") + ":@SECLEVEL=0"
    if ciphers is not None:
        context.set_ciphers(ciphers)
    context.minimum_version = minimum
    context.maximum_version = maximum


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    pem = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for certificate in (identity.certificate, *identity.chain):
        pem += certificate.pem.encode("ascii")
    with _memory_file("identity", pem) as path:
        context.load_cert_chain(path)


@contextlib.contextmanager
def _memory_file(name: str, data: bytes) -> Iterator[str]:
    """A file that exists in memory alone; what is yielded is a path to it."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as memory:
        memory.write(data)
        memory.flush()
        yield f"/proc/self/fd/{descriptor}"
