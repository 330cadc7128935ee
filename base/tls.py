"""TLS contexts for both ends.

Python's ssl module loads keys from files only; the PEM passes through an anonymous memory file, so that no private key
touches the disk. Certificates are judged by our own code after the handshake (with a clock and a reason), so client
contexts verify nothing here.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from base.identity import Identity


def server_context(
    identities: Sequence[Identity],
    *,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ciphers: str | None = None,
) -> ssl.SSLContext:
    """A server's context; with an RSA and an EC identity OpenSSL picks by what the client offers.

    Args:
        identities: at most one for each key type.
        minimum: lowest version accepted; below TLS 1.2 the security level drops to 0, as old phones need.
        maximum: highest version offered.
        ciphers: OpenSSL cipher string for TLS 1.2 and below; the library's default when None.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, minimum, maximum, ciphers)
    for identity in identities:
        _load(context, identity)
    return context


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
    _set_versions(context, minimum, maximum, ciphers)
    if identity is not None:
        _load(context, identity)
    return context


def _set_versions(
    context: ssl.SSLContext, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion, ciphers: str | None
) -> None:
    legacy = minimum < ssl.TLSVersion.TLSv1_2
    if legacy:
        ciphers = (ciphers or "DEFAULT") + ":@SECLEVEL=0"
    if ciphers is not None:
        context.set_ciphers(ciphers)
    context.minimum_version = minimum
    context.maximum_version = maximum


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    pem = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for certificate in (identity.certificate, *identity.chain):
        pem += certificate.pem.encode("ascii")
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as memory:
        memory.write(pem)
        memory.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
