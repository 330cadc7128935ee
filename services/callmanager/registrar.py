"""Who is registered, who may register, and what their phones reported: requests in, messages out. No socket, no clock.

A REGISTER names its device in the Contact (``+u.sip!devicename.ccm.cisco.com``) or by the MAC address in its instance
identifier, and its line in the To. UCM grants 120 s whatever is asked; a phone that is silent longer is unregistered.

What a registration is refused for is not published in UCM's words; codes and texts are ours, in `_Refusal`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from services.callmanager import answers
from services.callmanager.answers import Moment
from wire.ciscosip import ALARM_TYPE, decode_alarm, registers_all_lines, split_parts
from wire.errors import WireError
from wire.sip import Request, Response, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cluster.definition import Device
    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate
    from wire.ciscosip import TrustListAlarm
    from wire.sip import Address, Message

GRANTED_S = 120
"""Seconds that UCM grants; observed."""
MAX_SILENT_DEVICES = 10_000
"""Devices whose alarm is kept though they never registered."""
_DEVICE_NAME = "+u.sip!devicename.ccm.cisco.com"
_MODEL = "+u.sip!model.ccm.cisco.com"
_INSTANCE = re.compile(r"<urn:uuid:[0-9a-f-]{24}([0-9a-f]{12})>", re.IGNORECASE)
_DEVICE = re.compile(r"SEP[0-9A-F]{12}")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from.

    Attributes:
        transport: ``UDP``, ``TCP`` or ``TLS``.
        key: names the connection, or the address for UDP; answers and orders go there.
        certificate: what a TLS client showed; None without.
    """

    transport: str
    address: str
    port: int
    key: str
    certificate: Certificate | None = None


class ItlStatus(Enum):
    """How a phone's ITL compares with the one that its TFTP server has, in the words of UCM's phone list."""

    MATCH = "Match"
    MISMATCH = "MisMatch"
    NOT_INSTALLED = "Not Installed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered phone.

    Attributes:
        device: ``SEP<MAC>``.
        lines: directory numbers that are registered.
        contact: value of the Contact, as sent.
        contact_uri: the URI in it.
        call_id: of the REGISTER; orders name it.
        expires_at: when it ends unless it is renewed.
        source: where it came from last.
        model: type number that the phone gave; empty when it gave none.
        since: when it registered first.
    """

    device: str
    lines: tuple[str, ...]
    contact: str
    contact_uri: str
    call_id: str
    expires_at: datetime
    source: Source
    model: str
    since: datetime


class _Refusal(Exception):  # noqa: N818 - an answer, not a failure
    def __init__(self, status: int, reason: str, why: str) -> None:
        super().__init__(why)
        self.status, self.reason, self.why = status, reason, why


@dataclass
class Registrar:
    """The registrations of one node.

    Attributes:
        node: its name.
        host: address that phones know it by.
        view: gives the present snapshot.
        new_tag: gives a number below 2^31 that is not guessed easily.
        on_change: told of each registration that began or ended, with the reason.
        registrations: by device.
        alarms: what phones reported of their trust lists, by device.
    """

    node: str
    host: str
    view: Callable[[], ClusterSnapshot]
    new_tag: Callable[[], int]
    on_change: Callable[[str, Registration], None] = lambda _what, _registration: None
    registrations: dict[str, Registration] = field(default_factory=dict)
    alarms: dict[str, TrustListAlarm] = field(default_factory=dict)

    def receive(self, message: Message, source: Source, now: datetime, *, port: int) -> list[Message]:
        """Takes a message and returns what goes back the same way.

        Args:
            message: from a phone.
            source: where it came from.
            now: the cluster's time.
            port: on which it was received, for the Contact of answers.
        """
        if isinstance(message, Response):
            return []
        moment = Moment(now, self.new_tag())
        try:
            return self._answer(message, source, moment, port)
        except _Refusal as refusal:
            return [self._refuse(message, moment, refusal)]
        except WireError as error:
            return [self._refuse(message, moment, _Refusal(400, "Bad Request", str(error)))]

    def _answer(self, request: Request, source: Source, moment: Moment, port: int) -> list[Message]:
        match request.method:
            case "REGISTER":
                return [answers.trying(request, moment), self._register(request, source, moment)]
            case "REFER":
                return [self._refer(request, source, moment, port)]
            case "OPTIONS" | "NOTIFY" | "SUBSCRIBE":
                return [answers.ok(request, moment)]
            case "ACK" | "CANCEL":
                return []
            case method:
                raise _Refusal(501, "Not Implemented", f"{method}: this simulator has no call control")

    def expire(self, now: datetime) -> list[Registration]:
        """Ends registrations that were not renewed; returns them."""
        ended = [item for item in self.registrations.values() if item.expires_at <= now]
        for item in ended:
            self._end(item, "expired")
        return ended

    def disconnected(self, key: str) -> list[Registration]:
        """A connection is gone: its phones are no longer registered."""
        ended = [item for item in self.registrations.values() if item.source.key == key]
        for item in ended:
            self._end(item, "connection closed")
        return ended

    def itl_status(self, device: str, current: bytes) -> ItlStatus:
        """How a device's ITL compares with `current`, the SHA-1 of what its TFTP server serves."""
        alarm = self.alarms.get(device)
        if alarm is None:
            return ItlStatus.UNKNOWN
        if alarm.itl_sha1 is None:
            return ItlStatus.NOT_INSTALLED
        return ItlStatus.MATCH if alarm.itl_sha1 == current else ItlStatus.MISMATCH

    # ------------------------------------------------------------------ REGISTER

    def _register(self, request: Request, source: Source, moment: Moment) -> Response:
        contact_text = request.require("Contact")
        if contact_text.strip() == "*":
            return self._unregister(request, self._by_call_id(request), moment)
        contact = parse_address(contact_text)
        device = self._device(contact)
        if self._expires(request, contact) == 0:
            return self._unregister(request, self.registrations.get(device.name), moment)
        line = parse_address(request.require("To")).user
        lines = self._lines(request, device, line)
        self._check_security(device, source)
        previous = self.registrations.get(device.name)
        self._check_other_client(previous, contact, source, moment.now)
        registration = Registration(
            device=device.name,
            lines=lines if previous is None else tuple(dict.fromkeys((*previous.lines, *lines))),
            contact=contact_text,
            contact_uri=contact.uri,
            call_id=request.require("Call-ID"),
            expires_at=moment.now + timedelta(seconds=GRANTED_S),
            source=source,
            model=contact.parameter(_MODEL) or "",
            since=moment.now if previous is None else previous.since,
        )
        self.registrations[device.name] = registration
        self.on_change("registered" if previous is None else "renewed", registration)
        return answers.registered(
            request, moment, server=self._server(), expires_s=GRANTED_S, contact=_bare(contact_text)
        )

    def _unregister(self, request: Request, registration: Registration | None, moment: Moment) -> Response:
        if registration is not None:
            self._end(registration, "unregistered by the phone")
        return answers.unregistered(request, moment, server=self._server())

    def _end(self, registration: Registration, why: str) -> None:
        self.registrations.pop(registration.device, None)
        self.alarms.pop(registration.device, None)  # UCM deletes what it knows of the ITL with the registration
        self.on_change(why, registration)

    def _by_call_id(self, request: Request) -> Registration | None:
        call_id = request.require("Call-ID")
        return next((item for item in self.registrations.values() if item.call_id == call_id), None)

    def _device(self, contact: Address) -> Device:
        name = (contact.parameter(_DEVICE_NAME) or "").upper()
        if not name:
            instance = _INSTANCE.search(contact.parameter("+sip.instance") or "")
            name = f"SEP{instance[1].upper()}" if instance else ""
        if not _DEVICE.fullmatch(name):
            raise _Refusal(400, "Bad Request", "the Contact names no device")
        device = self.view().devices.get(name)
        if device is None:
            raise _Refusal(404, "Not Found", f"{name} is no device of this cluster")
        return device

    @staticmethod
    def _lines(request: Request, device: Device, line: str) -> tuple[str, ...]:
        known = tuple(item.number for item in device.lines)
        if line not in known:
            raise _Refusal(404, "Not Found", f"{line or 'no line'} is no directory number of {device.name}")
        parts = split_parts(request.get("Content-Type") or "", request.body)
        return known if registers_all_lines(parts) else (line,)

    @staticmethod
    def _check_security(device: Device, source: Source) -> None:
        secure = device.security != "non-secure"
        if secure and source.transport != "TLS":
            raise _Refusal(
                403, "Forbidden", f"{device.name} has to register over TLS: its profile is {device.security}"
            )
        if not secure and source.transport == "TLS":
            raise _Refusal(403, "Forbidden", f"{device.name} has a non-secure profile and may not register over TLS")
        if secure and (source.certificate is None or not _is_of(source.certificate, device.name)):
            raise _Refusal(403, "Forbidden", f"the TLS certificate is not that of {device.name}")

    @staticmethod
    def _check_other_client(previous: Registration | None, contact: Address, source: Source, now: datetime) -> None:
        if previous is None or previous.expires_at <= now:
            return
        if previous.source.address != source.address and previous.contact_uri != contact.uri:
            raise _Refusal(403, "Forbidden", "Registration is active for another client")

    @staticmethod
    def _expires(request: Request, contact: Address) -> int:
        text = contact.parameter("expires") or request.get("Expires") or "3600"
        if not (text.isascii() and text.isdecimal() and len(text) <= 10):
            raise _Refusal(400, "Bad Request", f"Expires {text[:20]!r} is no number of seconds")
        return int(text)

    # ------------------------------------------------------------------ REFER

    def _refer(self, request: Request, source: Source, moment: Moment, port: int) -> Response:
        kind = (request.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind == ALARM_TYPE:
            alarm = decode_alarm(request.body)
            if len(self.alarms) < MAX_SILENT_DEVICES and alarm.device in self.view().devices:
                self.alarms[alarm.device] = replace(alarm, ipv4=alarm.ipv4 or source.address)
        parameter = f";transport={source.transport.lower()}" if source.transport != "UDP" else ""
        return answers.accepted(request, moment, contact=f"<sip:{self.host}:{port}{parameter}>")

    def _refuse(self, request: Request, moment: Moment, refusal: _Refusal) -> Response:
        return answers.refused(request, moment, refusal.status, refusal.reason, host=self.node, why=refusal.why)

    def _server(self) -> str:
        return f"Cisco-CUCM{self.view().definition.release}"


def _bare(contact: str) -> str:
    """The Contact without an ``expires`` of its own: the granted time is in the header field."""
    return re.sub(r";\s*expires\s*=\s*\d+", "", contact, flags=re.IGNORECASE)


def _is_of(certificate: Certificate, device: str) -> bool:
    """A phone's LSC has its name as CN, a MIC ``CP-<model>-SEP<MAC>``."""
    return certificate.subject.common_name.upper().endswith(device)
