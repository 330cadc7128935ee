"""The captured exchange of a 7821 with UCM 11.5 over a real TCP socket, our registrar in UCM's place (R-PHN-5).

The phone's side is text that no code of ours wrote; the answers are read as bytes and compared line by line.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from base.clock import ManualClock
from tests.services.sip_cast import Desk, snapshot
from tests.services.sip_daemon import HOST, running
from tests.waiting import PATIENCE_S
from tests.wire import sip_messages as captured

MOMENT = datetime(2019, 3, 9, 18, 32, 46, tzinfo=UTC)
TAG = 2121423204

# The server's name and the text for no IPv6 address are not published; together they have 17 characters.

XML = '<?xml version="1.0" encoding="UTF-8"?>'
ALARM_BODY = "\n".join(
    (
        XML,
        "<x-cisco-alarm>",
        '<Alarm Name="DeviceTLInfo">',
        "<ParameterList>",
        '<String name="DeviceName">SEPC80084AA8743</String>',
        '<String name="IPv4Address">192.168.7.104</String>',
        '<String name="IPv6Address">N/A</String>',
        '<String name="CTL_Signature">Not Installed</String>',
        '<String name="CTL_TFTP_Server">N/A</String>',
        f'<String name="ITL_Signature">{captured.ALARM_SIGNATURE.hex(" ").upper()} </String>',
        '<String name="ITL_TFTP_Server">cucm11.example</String>',
        '<String name="StatusCode">3</String>',
        "</ParameterList>",
        "</Alarm>",
        "</x-cisco-alarm>",
    )
)
PART = (
    "Content-Type: application/x-cisco-remotecc-request+xml\r\nContent-Disposition: session;handling=optional\r\n\r\n"
)


def refer(number: int) -> bytes:
    lines = (
        "REFER sip:192.168.7.200 SIP/2.0",
        f"Via: SIP/2.0/TCP {captured.PHONE};branch=z9hG4bK0{number}",
        f'From: "2222" <sip:2222@192.168.7.104>;tag=c80084aa87430{number}',
        "To: <sip:192.168.7.200>",
        f"Call-ID: refer-{number}@192.168.7.104",
        f"CSeq: {1000 + number} REFER",
        "Expires: 10",
        "Max-Forwards: 70",
        "Require: norefersub",
        'Referred-By: "2222" <sip:2222@192.168.7.104>',
        "Refer-To: cid:5098d8fa@192.168.7.104",
        "Content-Id: <5098d8fa@192.168.7.104>",
        "Content-Type: application/x-cisco-alarm+xml",
        "Content-Disposition: session;handling=required",
        f"Content-Length: {len(ALARM_BODY)}",
    )
    return "\r\n".join((*lines, "", ALARM_BODY)).encode()


def register() -> bytes:
    """Header fields as captured. The body has the captured length; what it asks for is what counts to a server."""
    first = "\n".join(
        (
            XML,
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
    frame = f"--uniqueBoundary\r\n{PART}{first}\r\n--uniqueBoundary\r\n{PART}%s\r\n--uniqueBoundary--\r\n"
    second = f"{XML}\n<x-cisco-remotecc-request>\n<optionsind>%s</optionsind>\n</x-cisco-remotecc-request>"
    filler = captured.REGISTER_LENGTH - len(frame % (second % ""))
    body = frame % (second % (" " * filler))
    lines = [f"{name}: {value}" for name, value in captured.REGISTER_HEADERS]
    head = "\r\n".join(("REGISTER sip:192.168.7.200 SIP/2.0", *lines, f"Content-Length: {len(body)}"))
    return f"{head}\r\n\r\n{body}".encode()


def written(status: str, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> bytes:
    """A response as it has to stand on the wire, ``Content-Length`` last."""
    lines = [f"SIP/2.0 {status}", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def accepted(number: int, port: int) -> bytes:
    return written(
        "202 Accepted",
        (
            ("Via", f"SIP/2.0/TCP {captured.PHONE};branch=z9hG4bK0{number}"),
            ("From", f'"2222" <sip:2222@192.168.7.104>;tag=c80084aa87430{number}'),
            ("To", f"<sip:192.168.7.200>;tag={TAG}"),
            ("Date", "Sat, 09 Mar 2019 18:32:46 GMT"),
            ("Call-ID", f"refer-{number}@192.168.7.104"),
            ("CSeq", f"{1000 + number} REFER"),
            ("Contact", f"<sip:192.168.7.200:{port};transport=tcp>"),
        ),
    )


async def test_a_captured_7821_hears_from_us_what_it_heard_from_ucm() -> None:
    """REFER, REFER, REGISTER; 202, 202, 100, 200: every line and every body."""
    assert len(ALARM_BODY) == captured.ALARM_LENGTH
    devices = "devices: [{mac: c80084aa8743, model: 7821, lines: [{number: 2222}]}]"
    desk = Desk(snapshot("11.5", devices=devices), clock=ManualClock(MOMENT))
    desk.registrar.new_tag = lambda: TAG
    async with running(desk) as daemon:
        port = daemon.ports["TCP"]
        trying = written("100 Trying", captured.TRYING_HEADERS)
        answer = written("200 OK", captured.OK_HEADERS, captured.OK_BODY)
        expected = accepted(1, port) + accepted(2, port) + trying + answer
        assert len(trying) in range(319, 322), "as captured"
        assert len(captured.OK_BODY) == captured.ANSWER_LENGTH
        reader, writer = await asyncio.open_connection(HOST, port)
        async with asyncio.timeout(PATIENCE_S):
            for request in (refer(1), refer(2), register()):
                writer.write(request)
            received = await reader.readexactly(len(expected))
            assert received.split(b"\r\n") == expected.split(b"\r\n")
            assert received == expected
            behind = await reader.readuntil(b"\r\n\r\n")
        assert behind.startswith(b"REFER sip:04984998-fe29-08c0-6d47-5593bf4ce606@192.168.7.104:51778"), "check-version"
        assert desk.registrar.alarms["SEPC80084AA8743"].itl_sha1 == captured.ALARM_SIGNATURE
        writer.close()
