"""A registrar without sockets, and phones that write their own SIP: strings, as a capture has them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import immutables

from base.clock import ManualClock
from cluster.config import parse_config
from cluster.parameters import SECURITY_MODE
from cluster.snapshot import ClusterSnapshot, TrustEntry, lookup_key
from services.callmanager.registrar import Reaction, Registrar
from services.callmanager.registrations import Source
from wire.ciscosip import register_body
from wire.sip import Request, Response, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.callmanager.registrations import Registration
    from wire.certificates import Certificate
    from wire.sip import Message

START = datetime(2027, 3, 9, 18, 32, 46, tzinfo=UTC)
MAC, NAME, LINE = "001122334455", "SEP001122334455", "2001"
SECURE_MAC, SECURE_NAME = "00112233aaaa", "SEP00112233AAAA"
THREE_LINES_MAC, THREE_LINES = "00112233bbbb", "SEP00112233BBBB"
STRANGER_MAC, STRANGER = "00112233cccc", "SEP00112233CCCC"
SUPPORTED = "replaces,X-cisco-service-control"

_CLUSTER = """
clusters:
  - name: alpha
    release: "{release}"
    nodes: [{{name: alpha-pub, publisher: true, address: 192.168.7.200}}]
    {devices}
    {more}
"""
_DEVICES = """devices:
      - {mac: 001122334455, model: 8865, lines: [{number: 2001}]}
      - {mac: 00112233aaaa, model: 8865, lines: [{number: 3001}], security: encrypted}
      - {mac: 00112233bbbb, model: 8865, lines: [{number: 4001}, {number: 4002}, {number: 4003}]}
      - {mac: 00112233dddd, model: 8865}
"""
NUMBERS = "auto_registration: {first: '0500', last: '0501'}"


def snapshot(
    release: str = "12.5",
    parameters: dict[str, str] | None = None,
    more: str = "",
    devices: str = _DEVICES,
    authorities: Sequence[Certificate] = (),
) -> ClusterSnapshot:
    """A mixed cluster of which only its definition and parameters matter."""
    text = _CLUSTER.format(release=release, devices=devices, more=more)
    return ClusterSnapshot(
        revision=1,
        changed_at=START,
        configured=1,
        configured_at=START,
        definition=parse_config(text, "test.yaml", {}).clusters[0],
        overrides={SECURITY_MODE: "1", **(parameters or {})},
        own={},
        trusted=immutables.Map({trusted.sha256: _authority(trusted) for trusted in authorities}),
        by_issuer_serial=immutables.Map(),
        stamps={},
    )


def _authority(certificate: Certificate) -> TrustEntry:
    stores, key = frozenset({"CAPF-trust"}), lookup_key(certificate.issuer, certificate.serial)
    return TrustEntry(certificate.der, key, stores, frozenset(), ())


@dataclass
class Desk:
    """A registrar at 127.0.0.1, its clock, and what it told."""

    view: ClusterSnapshot = field(default_factory=snapshot)
    granted_s: int = 120
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    told: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        tags = itertools.count(2121423204)
        self.registrar = Registrar(
            "alpha-pub",
            "192.168.7.200",
            lambda: self.view,
            lambda: next(tags) % (1 << 31),
            lambda what, registration: self.told.append((what, registration.device)),
            granted_s=self.granted_s,
        )

    def take(self, request: Message, source: Source | None = None) -> Reaction:
        assert isinstance(request, Request)
        return self.registrar.receive(request, source or tcp(), self.clock.now(), port=5060)

    def answer(self, request: Message, source: Source | None = None) -> Response:
        """The last answer, which is the final one."""
        final = self.take(request, source).answers[-1]
        assert isinstance(final, Response)
        return final

    def registered(self) -> dict[str, tuple[str, ...]]:
        return {item.device: item.lines for item in self.registrar.registrations}

    def of(self, device: str) -> Registration:
        found = self.registrar.registrations.get(device)
        assert found is not None
        return found


def tcp(port: int = 51778, address: str = "192.168.7.104") -> Source:
    return Source("TCP", address, port, f"TCP {address}:{port}")


def udp(port: int = 5060, address: str = "192.168.7.104") -> Source:
    return Source("UDP", address, port, f"UDP {address}:{port}")


def tls(certificate: Certificate | None, port: int = 51999) -> Source:
    return Source("TLS", "192.168.7.104", port, f"TLS 192.168.7.104:{port}", certificate)


def register(
    mac: str = MAC,
    line: str = LINE,
    *,
    contact: str | None = None,
    parameters: str | None = None,
    expires: str | None = "3600",
    call_id: str = "call-1@192.168.7.104",
    cseq: int = 101,
    bulk: bool = True,
    supported: str = SUPPORTED,
    via: str = "SIP/2.0/TCP 192.168.7.104:51778;branch=z9hG4bK66da98ae",
    content_type: str = "multipart/mixed; boundary=uniqueBoundary",
    body: bytes | None = None,
) -> Request:
    """A REGISTER as text, read by the codec."""
    if parameters is None:
        parameters = f';+u.sip!devicename.ccm.cisco.com="SEP{mac.upper()}";+u.sip!model.ccm.cisco.com="36225"'
    if contact is None:
        contact = f"<sip:04984998@192.168.7.104:51778;transport=tcp>{parameters}"
    if body is None:
        body = register_body() if bulk else b""
    lines = [
        "REGISTER sip:192.168.7.200 SIP/2.0",
        f"Via: {via}",
        f"From: <sip:{line}@192.168.7.200>;tag=c80084aa",
        f"To: <sip:{line}@192.168.7.200>",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} REGISTER",
        f"Contact: {contact}",
        f"Supported: {supported}",
        *([f"Expires: {expires}"] if expires is not None else []),
        *([f"Content-Type: {content_type}"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    message = decode("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    assert isinstance(message, Request)
    return message


def other(method: str, *headers: str, body: bytes = b"") -> Request:
    """Any other request."""
    lines = [
        f"{method} sip:192.168.7.200 SIP/2.0",
        "Via: SIP/2.0/TCP 192.168.7.104:51778;branch=z9hG4bK1",
        'From: "2001" <sip:2001@192.168.7.104>;tag=1',
        "To: <sip:192.168.7.200>",
        "Call-ID: other@192.168.7.104",
        f"CSeq: 1000 {method}",
        *headers,
        f"Content-Length: {len(body)}",
    ]
    message = decode("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    assert isinstance(message, Request)
    return message
