"""What a REGISTER is refused for, as functions that return what they looked for or raise `Refused`.

In which words UCM refuses is not published: codes and texts are ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cluster.ciphers import NULL_SUITE
from cluster.parameters import AUTO_REGISTRATION, read_bool
from cluster.phonefiles import security_in_effect
from services.capf.proof import judge_certificate
from wire.capf import CertificateType
from wire.errors import WireError
from wire.sip import parse_address

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.devices import Device
    from cluster.snapshot import ClusterSnapshot
    from services.callmanager.registrations import Registration, Source
    from wire.sip import Address, Request

DEVICE_NAME = "+u.sip!devicename.ccm.cisco.com"
MODEL = "+u.sip!model.ccm.cisco.com"
DEFAULT_EXPIRES_S = 3600
_INSTANCE = re.compile(r"<urn:uuid:[0-9a-f-]{24}([0-9a-f]{12})>", re.IGNORECASE)
_VIA = re.compile(r"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*[A-Za-z0-9-]{1,16}[ \t]+[^\s;,]", re.IGNORECASE)
_CALL_ID = re.compile(r"[!-~]{1,1024}")
_DEVICE = re.compile(r"SEP[0-9A-F]{12}")


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request that is refused.

    Attributes:
        status: SIP status.
        reason: its phrase.
        why: for the Warning.
    """

    def __init__(self, status: int, reason: str, why: str) -> None:
        super().__init__(why)
        self.status, self.reason, self.why = status, reason, why


def check_readable(request: Request) -> None:
    """What every answer repeats has to be what it is called: Via, From, To and Call-ID (RFC 3261, 8.2 and 20)."""
    if not _VIA.match(request.require("Via")):
        raise Refused(400, "Bad Request", f"Via {request.require('Via')[:40]!r} cannot be read")
    if not _CALL_ID.fullmatch(request.require("Call-ID")):
        raise Refused(400, "Bad Request", f"Call-ID {request.require('Call-ID')[:40]!r} cannot be read")
    for name in ("From", "To"):
        try:
            parse_address(request.require(name))
        except WireError as error:
            raise Refused(400, "Bad Request", f"{name}: {error}") from error


def device_name(contact: Address) -> str:
    """The device that a Contact names, by its name or by the MAC address in its instance identifier."""
    name = (contact.parameter(DEVICE_NAME) or "").upper()
    if not name:
        instance = _INSTANCE.search(contact.parameter("+sip.instance") or "")
        name = f"SEP{instance[1].upper()}" if instance else ""
    if not _DEVICE.fullmatch(name):
        raise Refused(400, "Bad Request", "the Contact names no device")
    return name


def unknown_device(name: str, snapshot: ClusterSnapshot) -> Refused | None:
    """Why a device that the cluster does not know is refused; None when it may register itself (R-DL-5)."""
    if not read_bool(snapshot.parameter(AUTO_REGISTRATION)):
        return Refused(404, "Not Found", f"{name} is no device of this cluster, and auto-registration is off")
    if snapshot.definition.auto_registration is None:
        return Refused(404, "Not Found", f"{name} is no device of this cluster, which has no numbers to give it")
    return None


def wanted_lines(request: Request, device: Device, *, all_lines: bool) -> tuple[str, ...]:
    """The lines that a REGISTER is for: the one in its To, or all.

    A phone that has only the default configuration knows no number; it gives its own name instead (ours).
    """
    line = parse_address(request.require("To")).user
    known = tuple(item.number for item in device.lines)
    if known and line.upper() == device.name:
        return known
    if line not in known:
        raise Refused(404, "Not Found", f"{line[:40] or 'no line'} is no directory number of {device.name}")
    return known if all_lines else (line,)


def expires(request: Request, contact: Address | None) -> int:
    """Seconds that a REGISTER asks for."""
    text = (contact.parameter("expires") if contact else None) or request.get("Expires") or str(DEFAULT_EXPIRES_S)
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise Refused(400, "Bad Request", f"Expires {text[:20]!r} is no number of seconds")
    return int(text)


def check_security(device: Device, source: Source, snapshot: ClusterSnapshot, now: datetime) -> None:
    """A device comes over the transport of its phone security profile, and over TLS with its own certificate."""
    name, security = device.name, security_in_effect(snapshot, device)
    secure = security != "non-secure"
    if secure and source.transport != "TLS":
        raise Refused(403, "Forbidden", f"{name} has to register over TLS: its profile is {security}")
    if not secure and source.transport == "TLS":
        raise Refused(403, "Forbidden", f"{name} is not secure here and may not register over TLS")
    if not secure:
        return
    if source.cipher == NULL_SUITE and security != "authenticated":
        raise Refused(403, "Forbidden", f"{name} has to encrypt: its profile is {security}, and {NULL_SUITE} does not")
    if source.certificate is None:
        raise Refused(403, "Forbidden", f"{name} showed no certificate")
    shown, authorities = source.certificate.der, snapshot.phone_authorities
    why, certificate = judge_certificate(shown, CertificateType.MIC, name, authorities, now)
    if certificate is None:
        raise Refused(403, "Forbidden", f"the TLS certificate does not count: {why}")


def check_other_client(held: Registration | None, source: Source, contact_uri: str, now: datetime) -> None:
    """A registration is renewed or ended from where it came, or by who has the same contact."""
    if held is None or held.expires_at <= now or held.source.address == source.address:
        return
    if contact_uri not in {binding.contact_uri for binding in held.bindings}:
        raise Refused(403, "Forbidden", "Registration is active for another client")
