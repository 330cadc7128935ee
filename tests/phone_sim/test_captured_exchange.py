"""The captured exchange of a 7821 with UCM 11.5 over a real TCP socket, our phone in its place (R-PHN-5).

UCM's side is text that no code of ours wrote; what the phone sends is read as bytes and compared line by line. Of the
captured values those are matched by their shape that differ from one registration to the next.
"""

from __future__ import annotations

import asyncio
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from base.clock import ManualClock
from base.trace import Trace
from phone_sim.registration import Identity, Registration
from tests.phone_sim.tiny_callmanager import HOST
from tests.waiting import PATIENCE_S, eventually
from tests.wire import sip_messages as captured
from wire.ciscosip import TrustListAlarm
from wire.configmembers import CallManagerNode
from wire.phoneconfig import Line, PhoneConfig

if TYPE_CHECKING:
    from phone_sim.clients.stream import Tls

MAC, SERVER, PHONE = "c80084aa8743", "192.168.7.200", "192.168.7.104"
WORD = "[0-9a-f]{8}"
ALARM = TrustListAlarm("SEPC80084AA8743", "", None, "", captured.ALARM_SIGNATURE, "cucm11.example", status=3)
"""The server's name is not published; its length is what the captured length leaves for it."""
IDENTITY = Identity(MAC, 621, "Cisco-CP7821/12.1.1", "sip78xx.12-1-1-12", "reset-restart", ALARM)

REFER_FIELDS = (
    "Via", "From", "To", "Call-ID", "Session-ID", "Date", "CSeq", "User-Agent", "Expires", "Max-Forwards", "Contact",
    "Require", "Referred-By", "Refer-To", "Content-Id", "Content-Type", "Content-Disposition", "Content-Length",
)  # fmt: skip
"""Of the alarm's fields the capture shows those from CSeq on without an order; ours is kept."""


class Ucm:
    """Says what UCM said, with the request's own Via, From, To, Call-ID and CSeq."""

    def __init__(self) -> None:
        self.heard: list[tuple[list[str], bytes]] = []
        self.phone = ""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("peername")
        self.phone = f"{host}:{port}"
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n").split("\r\n")
            except asyncio.IncompleteReadError:
                return
            body = await reader.readexactly(int(head[-1].removeprefix("Content-Length: ")))
            self.heard.append((head, body))
            writer.write(self._answer(head))

    def _answer(self, head: list[str]) -> bytes:
        fields = dict(line.split(": ", 1) for line in head[1:])
        date = ("Date", "Sat, 09 Mar 2019 18:32:46 GMT")
        tagged = ("To", f"{fields['To']};tag=2121423204")
        call = [("Call-ID", fields["Call-ID"])]
        begin = [("Via", fields["Via"]), ("From", fields["From"])]
        cseq = ("CSeq", fields["CSeq"])
        if head[0].startswith("REFER"):
            contact = ("Contact", f"<sip:{SERVER}:5060;transport=tcp>")
            return self._written("202 Accepted", [*begin, tagged, date, *call, cseq, contact])
        trying = self._written("100 Trying", [*begin, ("To", fields["To"]), date, *call, cseq])
        rest = [("Expires", "120"), ("Contact", f"{fields['Contact']};x-cisco-newreg"), *captured.OK_HEADERS[-2:]]
        server = ("Server", "Cisco-CUCM11.5")
        return trying + self._written("200 OK", [*begin, tagged, date, *call, server, cseq, *rest], captured.OK_BODY)

    def _written(self, status: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
        lines = [f"SIP/2.0 {status}", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def no_tls(_server: str) -> Tls:
    raise AssertionError("nobody speaks TLS here")


async def test_our_phone_says_what_a_captured_7821_said() -> None:
    ucm = Ucm()
    server = await asyncio.start_server(ucm.serve, HOST, 0)
    config = PhoneConfig(
        call_managers=(CallManagerNode(HOST, server.sockets[0].getsockname()[1], 0),),
        lines=(Line(1, "2222", contact="04984998-fe29-08c0-6d47-5593bf4ce606"),),
        transport_layer_protocol=1,
    )
    clock = ManualClock(datetime(2019, 3, 9, 18, 32, 45, tzinfo=UTC))
    phone = Registration(IDENTITY, config, no_tls, clock=clock, trace=Trace(), chance=random.Random(1))
    running = asyncio.create_task(phone.run())
    async with server:
        async with asyncio.timeout(PATIENCE_S):
            await eventually(lambda: phone.status.text == "Registered")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    (refer, alarm), (register, body) = ucm.heard[:2]

    assert len(alarm) == captured.ALARM_LENGTH - len(PHONE) + len(HOST), "the address is ours"
    assert b'<String name="StatusCode">3</String>' in alarm
    assert refer[0] == f"REFER sip:{HOST} SIP/2.0"
    assert [line.split(": ")[0] for line in refer[1:]] == list(REFER_FIELDS)
    assert "CSeq: 1000 REFER" in refer
    assert "Require: norefersub" in refer

    assert len(body) == captured.REGISTER_LENGTH
    assert register[0] == f"REGISTER sip:{HOST} SIP/2.0"
    expected = [f"{name}: {value}" for name, value in captured.REGISTER_HEADERS]
    expected.append(f"Content-Length: {captured.REGISTER_LENGTH}")
    assert len(register[1:]) == len(expected)
    for line, wanted in zip(register[1:], expected, strict=True):
        assert re.fullmatch(shape(wanted, ucm.phone), line), (line, wanted)


VARIES = {
    "66da98ae": WORD,
    "c80084aa8743001411d7279b-7ecf20ad": f"{MAC}[0-9a-f]{{4}}{WORD}-{WORD}",
    "c80084aa-87430003-255b99f4-783a63d4": f"c80084aa-8743[0-9a-f]{{4}}-{WORD}-{WORD}",
    "cead41d700105000a000": "[0-9a-f]{20}",
    "CSeq: 113": "CSeq: [0-9]+",
    "InactiveLoad=sip78xx.10-3-1-12.loads": "InactiveLoad=",  # the simulated phone has one firmware
}
"""Captured -> what takes its place."""


def shape(line: str, phone: str) -> str:
    """The pattern of a captured line, for a phone and a server at other addresses."""
    line = line.replace(captured.PHONE, phone).replace(PHONE, HOST).replace(SERVER, HOST)
    pattern = re.escape(line)
    for value, shape_of_it in VARIES.items():
        pattern = pattern.replace(re.escape(value), shape_of_it)
    return pattern
