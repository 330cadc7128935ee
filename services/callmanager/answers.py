"""Responses as UCM writes them: the header fields of a captured registration, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.ciscosip import (
    BOUNDARY,
    RESPONSE_TYPE,
    SERVICE_CONTROL_TYPE,
    check_version_parts,
    encode_service_control,
    join_parts,
    register_answer,
)
from wire.sip import Request, Response

if TYPE_CHECKING:
    from datetime import datetime

    from wire.ciscosip import ServiceControl

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SUPPORTED = "X-cisco-srtp-fallback,X-cisco-sis-8.0.0"


@dataclass(frozen=True, slots=True)
class Moment:
    """What varies from one response to the next.

    Attributes:
        now: for the Date.
        tag: decimal, for the To.
    """

    now: datetime
    tag: int


def sip_date(moment: datetime) -> str:
    """RFC 1123 date, in English whatever the locale."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    time = f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}"
    return f"{day}, {moment.day:02d} {month} {moment.year} {time} GMT"


def trying(request: Request, moment: Moment) -> Response:
    """100, without a tag."""
    return Response(_echo(request, moment, tagged=False), b"", 100, "Trying")


def registered(request: Request, moment: Moment, *, server: str, expires_s: int, contact: str, new: bool) -> Response:
    """200 to a REGISTER that was granted.

    The Contact of a captured first one is marked as new; that a renewal's is not is inferred from the word.
    """
    headers = _echo(request, moment, tagged=True)
    headers = (
        *headers[:-1],
        ("Server", server),
        headers[-1],
        ("Expires", str(expires_s)),
        ("Contact", f"{contact};x-cisco-newreg" if new else contact),
        ("Supported", _SUPPORTED),
        ("Content-Type", RESPONSE_TYPE),
    )
    return Response(headers, register_answer(), 200, "OK")


def unregistered(request: Request, moment: Moment, *, server: str) -> Response:
    """200 to a REGISTER that ends a registration. Its wire text was not found; it has no contact and no body (ours)."""
    headers = _echo(request, moment, tagged=True)
    return Response((*headers[:-1], ("Server", server), headers[-1], ("Expires", "0")), b"", 200, "OK")


def accepted(request: Request, moment: Moment, *, contact: str) -> Response:
    """202 to a REFER."""
    return Response((*_echo(request, moment, tagged=True), ("Contact", contact)), b"", 202, "Accepted")


def ok(request: Request, moment: Moment) -> Response:
    """200 to anything else, OPTIONS as a keep-alive among it."""
    return Response(_echo(request, moment, tagged=True), b"", 200, "OK")


def refused(request: Request, moment: Moment, status: int, reason: str, *, host: str, why: str) -> Response:
    """A refusal with UCM's kind of Warning, which says why."""
    text = why.replace('"', "'")
    warning = ("Warning", f'399 {host} "{text}"')
    return Response((*_echo(request, moment, tagged=True), warning), b"", status, reason)


@dataclass(frozen=True, slots=True)
class Way:
    """How a request of the server's reaches a phone, or the other end of a trunk.

    Attributes:
        contact_uri: where the phone registered, or the other end is.
        host: of this server.
        port: of this server.
        transport: ``UDP``, ``TCP`` or ``TLS``.
        token: makes branch, tag and Call-ID unlike all others.
        cseq: number of the request.
    """

    contact_uri: str
    host: str
    port: int
    transport: str
    token: str
    cseq: int

    def headers(self, method: str) -> tuple[tuple[str, str], ...]:
        """Those that every request begins with."""
        parameter = f";transport={self.transport.lower()}" if self.transport != "UDP" else ""
        return (
            ("Via", f"SIP/2.0/{self.transport} {self.host}:{self.port};branch=z9hG4bK{self.token}"),
            ("From", f"<sip:{self.host}>;tag={self.token}"),
            ("To", f"<{self.contact_uri}>"),
            ("Call-ID", f"{self.token}@{self.host}"),
            ("CSeq", f"{self.cseq} {method}"),
            ("Max-Forwards", "70"),
            ("Contact", f"<sip:{self.host}:{self.port}{parameter}>"),
        )


def order(control: ServiceControl, way: Way) -> Request:
    """A NOTIFY that orders a phone something (event ``service-control``)."""
    headers = (
        *way.headers("NOTIFY"),
        ("Event", "service-control"),
        ("Subscription-State", "active"),
        ("Content-Type", SERVICE_CONTROL_TYPE),
    )
    return Request(headers, encode_service_control(control), "NOTIFY", way.contact_uri)


def ping(way: Way) -> Request:
    """The OPTIONS that asks the other end of a trunk whether it is there."""
    return Request(way.headers("OPTIONS"), b"", "OPTIONS", way.contact_uri)


def greeting(control: ServiceControl, way: Way) -> Request:
    """The REFER right after a registration began: of which version the phone's files are (``check-version``)."""
    headers = (
        *way.headers("REFER"),
        ("Require", "norefersub"),
        ("Referred-By", f"<sip:{way.host}>"),
        ("Refer-To", f"cid:{way.token}"),
        ("Content-Id", way.token),
        ("Content-Type", f"multipart/mixed;boundary={BOUNDARY}"),
    )
    return Request(headers, join_parts(check_version_parts(control)), "REFER", way.contact_uri)


def _echo(request: Request, moment: Moment, *, tagged: bool) -> tuple[tuple[str, str], ...]:
    """Via (all of them), From, To, Date, Call-ID, CSeq."""
    to = request.require("To")
    if tagged and ";tag=" not in to.lower():
        to = f"{to};tag={moment.tag}"
    return (
        *(("Via", via) for via in request.all("Via")),
        ("From", request.require("From")),
        ("To", to),
        ("Date", sip_date(moment.now)),
        ("Call-ID", request.require("Call-ID")),
        ("CSeq", request.require("CSeq")),
    )
