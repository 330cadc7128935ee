"""What Cisco phones and UCM put into the bodies of SIP messages: registration options, alarms, service control.

The registration bodies are laid out like those of a captured 7821 with UCM 11.5, of which the lengths are published:
the request has 1313 bytes, the answer 381. The alarm has 569 bytes with its addresses; which text it has for no IPv6
address is not published and chosen here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from xml.etree.ElementTree import Element

BOUNDARY = "uniqueBoundary"
MULTIPART = f"multipart/mixed; boundary={BOUNDARY}"
REQUEST_TYPE = "application/x-cisco-remotecc-request+xml"
RESPONSE_TYPE = "application/x-cisco-remotecc-response+xml"
ALARM_TYPE = "application/x-cisco-alarm+xml"
SERVICE_CONTROL_TYPE = "text/plain"
MAX_PARTS = 16
MAX_XML = 32_768

_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_NO_ADDRESS = "N/A"
_OPTIONS = (
    "joinreq",
    "cfwdall-anyline",
    "coaching",
    "oosalarm",
    "rpid-orig-called",
    "x-cisco-number",
    "bfcp",
    "ix",
    "gatewayrecording",
    "conferenceDisplayInstance",
)
_SUBSCRIBABLE = (("dialog", "hook status"), ("dialog", "shared line"), ("presence", "blf speed dial"))
_BULK_REGISTER = "\n".join(
    (
        _XML,
        "<x-cisco-remotecc-request>",
        "<bulkregisterreq>",
        '<contact all="true">',
        "<register></register>",
        "</contact>",
        "</bulkregisterreq>",
        "</x-cisco-remotecc-request>",
        "",
    )
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body.

    Attributes:
        content_type: without parameters, lower case.
        content: its bytes.
    """

    content_type: str
    content: bytes


def join_parts(parts: Iterable[Part]) -> bytes:
    """A multipart body as phones and UCM write it."""
    out = b""
    for part in parts:
        head = f"Content-Type: {part.content_type}\r\nContent-Disposition: session;handling=optional\r\n\r\n"
        out += f"--{BOUNDARY}\r\n{head}".encode("ascii") + part.content + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode("ascii")


def split_parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of a body; one that is not multipart is its own only part.

    Raises:
        WireError: the parts cannot be told apart, or there are too many.
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if not kind.startswith("multipart/"):
        return [Part(kind, body)] if body else []
    found = re.search(r'boundary\s*=\s*"?([^";\s]{1,70})', parameters, re.IGNORECASE)
    if found is None:
        raise WireError("multipart body without a boundary")
    marker = b"--" + found[1].encode("utf-8", "replace")
    pieces = (b"\r\n" + body).split(b"\r\n" + marker)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise WireError("multipart body is not closed by its boundary")
    if len(pieces) - 2 > MAX_PARTS:
        raise WireError(f"multipart body with more than {MAX_PARTS} parts")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank:
        raise WireError("part of a multipart body without a blank line")
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return Part(value.partition(";")[0].strip().lower(), content)
    return Part("text/plain", content)


@cache
def register_body() -> bytes:
    """The body of a phone's REGISTER: register all lines, and the options that it offers."""
    lines = [_XML, "<x-cisco-remotecc-request>", "  <optionsind>", '    <combine max="6">', "      <remotecc>"]
    lines += ["        <status></status>", "      </remotecc>", "      <service-control></service-control>"]
    lines.append("    </combine>")
    for tag, usage in _SUBSCRIBABLE:
        lines += [f'    <{tag} usage="{usage}">', "      <unot></unot>", "      <sub></sub>", f"    </{tag}>"]
    lines += [f"    <{name}></{name}>" for name in _OPTIONS]
    lines += ["  </optionsind>", "</x-cisco-remotecc-request>"]
    options = "\n".join(lines)
    return join_parts(Part(REQUEST_TYPE, text.encode("ascii")) for text in (_BULK_REGISTER, options))


@cache
def register_answer() -> bytes:
    """The body of UCM's 200 to it: of each offer the unsolicited notification is taken, and what UCM supports."""
    lines = ["<x-cisco-remotecc-response>", "<response>", "<code>200</code>", "<optionsind>", '<combine max="6">']
    lines += ["<remotecc><status/></remotecc>", "<service-control/>", "</combine>"]
    lines += [f'<{tag} usage="{usage}"><unot/></{tag}>' for tag, usage in _SUBSCRIBABLE]
    lines += ["<joinreq></joinreq>", "<ix/>", "<bfcp/>", "</optionsind>", "</response>"]
    return ("\n".join([*lines, "</x-cisco-remotecc-response>", ""]) + "\r\n").encode("ascii")


def registers_all_lines(parts: Iterable[Part]) -> bool:
    """Whether a REGISTER's body asks for all lines at once.

    Raises:
        WireError: a part is no XML that can be read.
    """
    return any(_asks_for_all(part.content) for part in parts if part.content_type == REQUEST_TYPE)


@lru_cache(maxsize=32)
def _asks_for_all(content: bytes) -> bool:
    """Phones of one firmware all send the same, every two minutes."""
    contact = _parse(content, "registration").find("bulkregisterreq/contact")
    return contact is not None and contact.get("all") == "true"


@dataclass(frozen=True, slots=True)
class TrustListAlarm:
    """``DeviceTLInfo``: what trust lists a phone holds, sent before it registers.

    Attributes:
        device: ``SEP<MAC>``.
        ipv4: the phone's address.
        ctl_sha1: checksum of the CTL; None when there is none.
        ctl_server: where the CTL came from; empty when there is none.
        itl_sha1: checksum of the ITL; None when there is none.
        itl_server: where the ITL came from.
        status: 1 to 9, see the phone's `TrustListAlarm`.
    """

    device: str
    ipv4: str
    ctl_sha1: bytes | None
    ctl_server: str
    itl_sha1: bytes | None
    itl_server: str
    status: int


_NOT_INSTALLED = "Not Installed"
_SHA1_BYTES = 20


def encode_alarm(alarm: TrustListAlarm) -> bytes:
    """Writes the body of the REFER that carries it.

    Raises:
        WireError: a text that would not survive as XML, or a status or checksum that no phone sends.
    """
    values = {
        "DeviceName": alarm.device,
        "IPv4Address": alarm.ipv4,
        "IPv6Address": _NO_ADDRESS,
        "CTL_Signature": _signature(alarm.ctl_sha1),
        "CTL_TFTP_Server": alarm.ctl_server or _NO_ADDRESS,
        "ITL_Signature": _signature(alarm.itl_sha1),
        "ITL_TFTP_Server": alarm.itl_server or _NO_ADDRESS,
        "StatusCode": str(alarm.status),
    }
    digests = [digest for digest in (alarm.ctl_sha1, alarm.itl_sha1) if digest is not None]
    if not 0 <= alarm.status <= 999 or any(len(digest) != _SHA1_BYTES for digest in digests):
        raise WireError("alarm with a status or a checksum that cannot be written")
    for text in (alarm.device, alarm.ipv4, alarm.ctl_server, alarm.itl_server):
        if not text.isprintable() or set("<>&") & set(text) or text != text.strip() or text == _NO_ADDRESS:
            raise WireError(f"alarm text {text[:40]!r} cannot be written")
    lines = [_XML, "<x-cisco-alarm>", '<Alarm Name="DeviceTLInfo">', "<ParameterList>"]
    lines += [f'<String name="{name}">{value}</String>' for name, value in values.items()]
    return "\n".join([*lines, "</ParameterList>", "</Alarm>", "</x-cisco-alarm>"]).encode("utf-8")


def decode_alarm(body: bytes) -> TrustListAlarm:
    """Reads it.

    Raises:
        WireError: it is another alarm, incomplete, or no XML that can be read.
    """
    root = _parse(body, "alarm")
    alarm = root.find("Alarm") if root.tag == "x-cisco-alarm" else None
    if alarm is None or alarm.get("Name") != "DeviceTLInfo":
        raise WireError("alarm is not DeviceTLInfo")
    values = {item.get("name", ""): (item.text or "").strip() for item in alarm.iter("String")}
    status = values.get("StatusCode", "")
    if not (status.isascii() and status.isdecimal() and len(status) <= 3):
        raise WireError("alarm without a status code")
    return TrustListAlarm(
        device=values.get("DeviceName", ""),
        ipv4=values.get("IPv4Address", ""),
        ctl_sha1=_read_signature(values.get("CTL_Signature", "")),
        ctl_server=_read_server(values.get("CTL_TFTP_Server", "")),
        itl_sha1=_read_signature(values.get("ITL_Signature", "")),
        itl_server=_read_server(values.get("ITL_TFTP_Server", "")),
        status=int(status),
    )


def _signature(sha1: bytes | None) -> str:
    return _NOT_INSTALLED if sha1 is None else "".join(f"{byte:02X} " for byte in sha1)


def _read_signature(text: str) -> bytes | None:
    if text in {_NOT_INSTALLED, "", _NO_ADDRESS}:
        return None
    try:
        digest = bytes.fromhex(text)
    except ValueError as error:
        raise WireError(f"alarm signature {text[:20]!r} is not hexadecimal") from error
    if len(digest) != _SHA1_BYTES:
        raise WireError(f"alarm signature of {len(digest)} bytes, not {_SHA1_BYTES}")
    return digest


def _read_server(text: str) -> str:
    return "" if text == _NO_ADDRESS else text


ACTIONS = ("reset", "restart", "check-version", "call-preservation", "apply-config")


@dataclass(frozen=True, slots=True)
class ServiceControl:
    """A ``service-control`` body: what UCM orders a phone to do.

    Attributes:
        action: one of `ACTIONS`.
        register_call_id: Call-ID of the phone's REGISTER, without braces.
        config_version: version stamp of the configuration; empty when not told.
        others: further ``name -> value``, as written.
    """

    action: str
    register_call_id: str = ""
    config_version: str = ""
    dialplan_version: str = ""
    softkey_version: str = ""
    others: tuple[tuple[str, str], ...] = ()


_STAMPS: Mapping[str, str] = {
    "registercallid": "register_call_id",
    "configversionstamp": "config_version",
    "dialplanversionstamp": "dialplan_version",
    "softkeyversionstamp": "softkey_version",
}


_KNOWN = frozenset({"action", *_STAMPS})
_OTHER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


def encode_service_control(control: ServiceControl) -> bytes:
    """Writes it, one ``name=value`` a line.

    Raises:
        WireError: an unknown action, or a value with braces or what cannot be printed.
    """
    if control.action not in ACTIONS:
        raise WireError(f"service-control action {control.action!r} is unknown")
    stamps = (
        control.register_call_id,
        control.config_version,
        control.dialplan_version,
        control.softkey_version,
    )
    if any(set("{}") & set(stamp) or stamp != stamp.strip() for stamp in stamps):
        raise WireError("service-control stamp with braces or blanks around it")
    if any(
        not _OTHER.fullmatch(name) or name.lower() in _KNOWN or value != value.strip() for name, value in control.others
    ):
        raise WireError("service-control line that would be read otherwise")
    lines = [
        f"action={control.action}",
        f"RegisterCallId={{{control.register_call_id}}}",
        f"ConfigVersionStamp={{{control.config_version}}}",
        f"DialplanVersionStamp={{{control.dialplan_version}}}",
        f"SoftkeyVersionStamp={{{control.softkey_version}}}",
        *(f"{name}={value}" for name, value in control.others),
    ]
    if any(not line.isprintable() for line in lines):
        raise WireError("service-control value with characters that cannot be printed")
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8")


def decode_service_control(body: bytes) -> ServiceControl:
    """Reads it as phones do: names in any case, blanks after ``=`` skipped, lines that are no pair passed over.

    Raises:
        WireError: no known action, or not text.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("service-control body is not UTF-8") from error
    action, known, others = "", {}, []
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            continue
        if name.lower() == "action":
            action = value.lower()
        elif name.lower() in _STAMPS:
            known[_STAMPS[name.lower()]] = value.strip("{}")
        else:
            others.append((name, value))
    if action not in ACTIONS:
        raise WireError(f"service-control action {action[:40]!r} is unknown")
    return ServiceControl(action, others=tuple(others), **known)


def check_version_parts(control: ServiceControl) -> list[Part]:
    """What a server sends right after a registration: the version stamps, in company of what else it has to say.

    Observed of CallManager Express, and in the same pattern of UCM: the forwarding of all calls and the message waiting
    lamps are always told. With no call control here there is never anything on them; that text is ours.
    """
    updates = (
        ("cfwdallupdate", "<fwdaddress></fwdaddress><tovoicemail>off</tovoicemail>"),
        ("bulkupdate", '<contact all="true"><mwi>no</mwi></contact>'),
    )
    parts = [
        Part(
            REQUEST_TYPE,
            "\n".join(
                (
                    _XML,
                    "<x-cisco-remotecc-request>",
                    f"<{name}>",
                    inner,
                    f"</{name}>",
                    "</x-cisco-remotecc-request>",
                    "",
                )
            ).encode("ascii"),
        )
        for name, inner in updates
    ]
    return [*parts, Part(SERVICE_CONTROL_TYPE, encode_service_control(control))]


def service_control_in(content_type: str, body: bytes) -> ServiceControl | None:
    """The order in a message's body; None when it has no part that could be one.

    Raises:
        WireError: there is such a part, and it cannot be read.
    """
    for part in split_parts(content_type, body):
        if part.content_type == SERVICE_CONTROL_TYPE:
            return decode_service_control(part.content)
    return None


def _parse(data: bytes, what: str) -> Element:
    if len(data) > MAX_XML:
        raise WireError(f"{what} of {len(data)} bytes is over the limit of {MAX_XML}")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise WireError(f"{what} is no XML that can be read: {error!r}") from error
    return root
