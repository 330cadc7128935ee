"""A server that asks its clients for a certificate: who is served, and by which CA."""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from base.identity import Identity
from base.tls import ask_for_certificate, client_context, server_context
from tests.services.wires import HOST, identity
from wire.certificates import Certificate

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make(name: str, issuer: Identity | None = None, *, ca: bool = False) -> Identity:
    """A CA has the extended key usage of a server only, as UCM's CAPF certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer.certificate.x509.subject if issuer else named(name)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if ca else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder(signer, named(name), key.public_key(), x509.random_serial_number(), BEGIN, END)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    made = builder.sign(issuer.private_key if issuer else key, hashes.SHA256())
    return Identity(Certificate.from_der(made.public_bytes(Encoding.DER)), key)


async def shown_to(context: ssl.SSLContext, client: Identity | None, version: ssl.TLSVersion) -> Certificate | None:
    """What the server sees of a client; an error when it refuses it."""
    seen: list[bytes | None] = []

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.write(b"x")
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(HOST, port, ssl=client_context(client, maximum=version))
        try:
            assert await reader.readexactly(1) == b"x"
        finally:
            writer.transport.abort()
    return Certificate.from_der(seen[0]) if seen[0] else None


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
async def test_who_is_served_by_a_server_that_asks(version: ssl.TLSVersion) -> None:
    """R-DL-2: no certificate is fine, one of a known CA is seen, one of another CA is refused."""
    root = make("root", ca=True)
    capf, other = make("capf", root, ca=True), make("other", ca=True)
    context = server_context([identity("callmanager")])
    ask_for_certificate(context, [capf.certificate])  # its own CA is not known
    lsc, stranger = make("phone", capf), make("stranger", other)
    assert await shown_to(context, None, version) is None
    assert await shown_to(context, lsc, version) == lsc.certificate
    for unwelcome in (stranger, make("pretender", other)):
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await shown_to(context, unwelcome, version)
    ask_for_certificate(context, [other.certificate])
    assert await shown_to(context, stranger, version) == stranger.certificate
    assert await shown_to(context, lsc, version) == lsc.certificate, "the first one stays"
    context.verify_mode = ssl.CERT_NONE
    assert await shown_to(context, make("anybody"), version) is None


async def test_an_authority_that_openssl_cannot_read_does_not_count_and_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    capf = make("capf", ca=True)
    broken = make("broken", ca=True).certificate
    object.__setattr__(broken, "der", b"\x30\x03\x02\x01\x00")
    context = server_context([identity("callmanager")])
    with caplog.at_level(logging.WARNING):
        ask_for_certificate(context, [broken, capf.certificate])
    assert "client certificates of CN=broken are not accepted" in caplog.text
    lsc = make("phone", capf)
    assert await shown_to(context, lsc, ssl.TLSVersion.TLSv1_2) == lsc.certificate
