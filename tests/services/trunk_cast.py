"""Other ends of SIP trunks: certificates, and sockets that answer OPTIONS as a test wants it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import immutables
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from base.identity import Identity
from cluster.siptrunk import SipTrunk
from cluster.snapshot import TrustEntry, lookup_key
from tests.services.sip_cast import snapshot
from wire.certificates import Certificate, PrivateKey

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

    from cluster.snapshot import ClusterSnapshot

HOST = "127.0.0.1"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NAME = "gateway.lab.example"
RSA_KEY = rsa.generate_private_key(65_537, 2_048)
CA_KEY = ec.generate_private_key(ec.SECP256R1())


def issued(
    name: str = NAME,
    *,
    also: Sequence[str] = (),
    key: PrivateKey = RSA_KEY,
    by: str = "",
    by_key: PrivateKey | None = None,
    begin: datetime = NOW - DAY,
    end: datetime = NOW + DAY,
) -> Certificate:
    """A certificate, self-signed unless somebody else's name and key are given."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(by or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if also:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(item) for item in also]), False)
    return Certificate.from_der(builder.sign(by_key or key, hashes.SHA256()).public_bytes(Encoding.DER))


SELF_SIGNED = Identity(issued(), RSA_KEY)
AUTHORITY = issued("Example CA", key=CA_KEY)


def trusting(*certificates: Certificate, store: str = "CallManager-trust", more: str = "") -> ClusterSnapshot:
    """A snapshot that has them in a trust store."""
    entries = {
        item.sha256: TrustEntry(item.der, lookup_key(item.issuer, item.serial), frozenset({store}), frozenset(), ())
        for item in certificates
    }
    return replace(snapshot(more=more), trusted=immutables.Map(entries))


def trunk(name: str = "gateway", destination: str = HOST, **fields: object) -> SipTrunk:
    """A trunk as a configuration would give it."""
    return SipTrunk.model_validate({"name": name, "destination": destination, **fields})


def secure_trunk(name: str = "secure", destination: str = HOST, **fields: object) -> SipTrunk:
    return trunk(name, destination, **{"security": "encrypted", "subject_names": [NAME], **fields})


def options_answer(request: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A response as text, to a request that was received as text."""
    lines = request.decode().split("\r\n")
    kept = [line for line in lines if line.split(":")[0] in {"Via", "From", "To", "Call-ID", "CSeq"}]
    return "\r\n".join([f"SIP/2.0 {status}", *kept, *headers, "Content-Length: 0", "", ""]).encode()


@dataclass
class FarEnd:
    """What it heard; `answer` makes the bytes that go back, None closes the connection."""

    answer: Callable[[bytes], bytes | None]
    port: int = 0
    heard: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def far_end(
    answer: Callable[[bytes], bytes | None] = options_answer, *, udp: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FarEnd]:
    """A socket on loopback that answers each request."""
    there, loop = FarEnd(answer), asyncio.get_running_loop()
    if udp:
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(there), local_addr=(HOST, 0))
        there.port, close = transport.get_extra_info("sockname")[1], transport.close
    else:
        server = await loop.create_server(lambda: _Stream(there), HOST, 0, ssl=tls)
        there.port, close = server.sockets[0].getsockname()[1], server.close
    try:
        yield there
    finally:
        close()


class _Stream(asyncio.Protocol):
    def __init__(self, there: FarEnd) -> None:
        self._there, self._buffer = there, b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if b"\r\n\r\n" in self._buffer:
            self._there.heard.append(self._buffer)
            answer, self._buffer = self._there.answer(self._buffer), b""
            assert isinstance(self._transport, asyncio.Transport)
            if answer is None:
                self._transport.close()
            else:
                self._transport.write(answer)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, there: FarEnd) -> None:
        self._there = there
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._there.heard.append(data)
        answer = self._there.answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)
