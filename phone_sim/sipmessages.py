"""The SIP messages of a phone, header by header as a captured 7821 wrote them. No socket, no clock, no chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.ciscosip import ALARM_TYPE, MULTIPART, encode_alarm, register_body
from wire.sip import Request, Response

if TYPE_CHECKING:
    from datetime import datetime

    from wire.ciscosip import TrustListAlarm

_SUPPORTED = (
    "replaces,join,sdp-anat,norefersub,resource-priority,extended-refer,X-cisco-callinfo,X-cisco-serviceuri,"
    "X-cisco-escapecodes,X-cisco-service-control,X-cisco-srtp-fallback,X-cisco-monrec,X-cisco-config,"
    "X-cisco-sis-7.0.0,X-cisco-xsi-8.5.1"
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
REQUESTED_S = 3600
"""What the phone asks for; UCM grants 120."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks: the phone on one connection.

    Attributes:
        mac: twelve lower-case hex digits.
        line: directory number.
        contact_user: the line's UUID in the configuration.
        model_number: type number, ``36225`` for an 8865; None when not known, and then the Contact says nothing of it.
        user_agent: ``Cisco-CP8865/12.5.1``.
        server: host of the CallManager.
        local_host: the phone's address.
        local_port: its port on this connection.
        transport: ``UDP``, ``TCP`` or ``TLS``.
        call_id: of the registration.
        tag: of the registration.
        session_id: 20 hex digits.
    """

    mac: str
    line: str
    contact_user: str
    model_number: int | None
    user_agent: str
    server: str
    local_host: str
    local_port: int
    transport: str
    call_id: str
    tag: str
    session_id: str

    @property
    def device(self) -> str:
        """``SEP<MAC>``."""
        return f"SEP{self.mac.upper()}"

    @property
    def contact(self) -> str:
        """The Contact that the phone registers."""
        parameter = f";transport={self.transport.lower()}" if self.transport != "UDP" else ""
        model = f';+u.sip!model.ccm.cisco.com="{self.model_number}"' if self.model_number is not None else ""
        return (
            f"<sip:{self.contact_user}@{self.local_host}:{self.local_port}{parameter}>"
            f';+sip.instance="<urn:uuid:00000000-0000-0000-0000-{self.mac}>"'
            f';+u.sip!devicename.ccm.cisco.com="{self.device}"{model}'
        )


def register(
    caller: Caller,
    *,
    cseq: int,
    branch: str,
    now: datetime,
    last: str,
    load: str,
    inactive_load: str = "",
    expires_s: int,
) -> Request:
    """A REGISTER.

    Args:
        caller: who.
        cseq: number of the request.
        branch: unlike any before.
        now: the phone's time.
        last: why the phone restarted, such as ``initialized`` or ``reset-restart``.
        load: running firmware.
        inactive_load: the other one in its memory; empty when there is none.
        expires_s: `REQUESTED_S`, or 0 to unregister.
    """
    address = f"<sip:{caller.line}@{caller.server}>"
    loads = f"ActiveLoad={_loads(load)} InactiveLoad={_loads(inactive_load)}"
    alarm = f"cisco-alarm:{_ALARM_OF[last]} Name={caller.device} {loads} Last={last}"
    headers = (
        ("Via", _via(caller, branch)),
        ("From", f"{address};tag={caller.tag}"),
        ("To", address),
        ("Call-ID", caller.call_id),
        ("Max-Forwards", "70"),
        ("Session-ID", f"{caller.session_id}{caller.mac};remote={'0' * 32}"),
        ("Date", _date(now)),
        ("CSeq", f"{cseq} REGISTER"),
        ("User-Agent", caller.user_agent),
        ("Contact", caller.contact),
        ("Supported", _SUPPORTED),
        ("Reason", f'SIP;cause=200;text="{alarm}"'),
        ("Expires", str(expires_s)),
        ("Content-Type", MULTIPART),
        ("Mime-Version", "1.0"),
    )
    return Request(headers, register_body(), "REGISTER", f"sip:{caller.server}")


_ALARM_OF = {"cm-closed-tcp": 14, "reset-restart": 23, "initialized": 25, "Device-Initiated-Reset": 25}
"""Why the phone restarted -> number of the alarm, as captured."""


def alarm(caller: Caller, report: TrustListAlarm, *, cseq: int, branch: str, now: datetime, token: str) -> Request:
    """The REFER that tells UCM what trust lists the phone holds; sent before it registers."""
    me = f'"{caller.line}" <sip:{caller.line}@{caller.local_host}>'
    headers = (
        ("Via", _via(caller, branch)),
        ("From", f"{me};tag={caller.tag}"),
        ("To", f"<sip:{caller.server}>"),
        ("Call-ID", f"{token}@{caller.local_host}"),
        ("Session-ID", f"{caller.session_id}{caller.mac};remote={'0' * 32}"),
        ("Date", _date(now)),
        ("CSeq", f"{cseq} REFER"),
        ("User-Agent", caller.user_agent),
        ("Expires", "10"),
        ("Max-Forwards", "70"),
        ("Contact", caller.contact),
        ("Require", "norefersub"),
        ("Referred-By", me),
        ("Refer-To", f"cid:{token}@{caller.local_host}"),
        ("Content-Id", f"<{token}@{caller.local_host}>"),
        ("Content-Type", ALARM_TYPE),
        ("Content-Disposition", "session;handling=required"),
    )
    return Request(headers, encode_alarm(report), "REFER", f"sip:{caller.server}")


def ok(request: Request, status: int = 200, reason: str = "OK", *, tag: str) -> Response:
    """An answer to what the server sent."""
    to = request.require("To")
    headers = (
        *(("Via", via) for via in request.all("Via")),
        ("From", request.require("From")),
        ("To", to if ";tag=" in to else f"{to};tag={tag}"),
        ("Call-ID", request.require("Call-ID")),
        ("CSeq", request.require("CSeq")),
    )
    return Response(headers, b"", status, reason)


def call_id(mac: str, counter: int, first: str, second: str, host: str) -> str:
    """A Call-ID in the phone's manner: parts of the MAC, a counter, two random words.

    Args:
        mac: twelve lower-case hex digits.
        counter: below 65,536.
        first: 8 hex digits.
        second: 8 hex digits.
        host: the phone's address.
    """
    return f"{mac[:8]}-{mac[8:]}{counter & 0xFFFF:04x}-{first}-{second}@{host}"


def _loads(load: str) -> str:
    return load if not load or load.endswith(".loads") else f"{load}.loads"


def _via(caller: Caller, branch: str) -> str:
    return f"SIP/2.0/{caller.transport} {caller.local_host}:{caller.local_port};branch=z9hG4bK{branch}"


def _date(moment: datetime) -> str:
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    time = f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}"
    return f"{day}, {moment.day:02d} {month} {moment.year} {time} GMT"
