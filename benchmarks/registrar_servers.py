"""Whom the registrar is compared with: Kamailio, and asyncio that answers 200 to anything without a look at it.

Run as a module it is the latter: TCP and UDP on one port.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from benchmarks.cputime import CpuTime
from benchmarks.machine import announce, commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KAMAILIO = "Kamailio"
_HOST = "127.0.0.1"
_START_S = 10.0
_END_S = 5.0

_HEADERS = (
    "Via: SIP/2.0/TCP 127.0.0.1:50000;branch=z9hG4bK00000000",
    "From: <sip:20001@127.0.0.1>;tag=0aff00000001",
    "To: <sip:20001@127.0.0.1>;tag=1234567890",
    "Date: Wed, 25 Nov 2026 12:00:00 GMT",
    "Call-ID: 0aff0000-00010001-00000000-00000000@127.0.0.1",
    "CSeq: 102 REGISTER",
)
_BODY = "x" * 600
_TRYING = "\r\n".join(("SIP/2.0 100 Trying", *_HEADERS, "Content-Length: 0", "", ""))
_GRANTED = "\r\n".join(("SIP/2.0 200 OK", *_HEADERS, f"Content-Length: {len(_BODY)}", "", _BODY))
_ANSWERS = (_TRYING.encode("ascii"), _GRANTED.encode("ascii"))
"""Two, like UCM's, and about as long."""


class _Floor(asyncio.Protocol, asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        stream = cast("asyncio.Transport", self._transport)
        for answer in _ANSWERS:
            stream.write(answer)

    def datagram_received(self, _data: bytes, addr: tuple[str, int]) -> None:
        datagrams = cast("asyncio.DatagramTransport", self._transport)
        for answer in _ANSWERS:
            datagrams.sendto(answer, addr)


async def _serve_floor() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Floor, _HOST, 0, backlog=1_024)
    port = server.sockets[0].getsockname()[1]
    await loop.create_datagram_endpoint(_Floor, local_addr=(_HOST, port))
    announce(port=port)
    async for _ in commands():
        pass
    server.close()


_CONFIGURATION = """\
#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
listen=udp:{host}:{port}
listen=tcp:{host}:{port}
dns=no
rev_dns=no
auto_aliases=no
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 120)
request_route {{
  if ($rm == "REGISTER") {{
    sl_send_reply("100", "Trying");
    save("location");
    exit;
  }}
  sl_send_reply("200", "OK");
}}
"""
"""A registrar with its table in memory: one process for UDP, one for TCP, as ours has one."""


def kamailio_missing() -> str:
    """Why it cannot be measured here; empty when it can."""
    return "" if _program() else "kamailio is not installed"


def _program() -> str:
    return shutil.which("kamailio", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or ""


@contextmanager
def running_kamailio(folder: Path, core: int | None) -> Iterator[tuple[int, CpuTime]]:
    """Its port, and the processor time of all its processes.

    Raises:
        RuntimeError: it does not start.
    """
    port = _free_port()
    path = folder / "kamailio.cfg"
    path.write_text(_CONFIGURATION.format(host=_HOST, port=port), "utf-8")
    command = [_program(), "-f", str(path), "-DD", "-E", "-m", "64", "-M", "8", "-Y", str(folder)]
    with (folder / "kamailio.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    cpu = CpuTime(process.pid)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        _wait_for(port, process)
        yield port, cpu
    finally:
        cpu.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection((_HOST, port), 1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("kamailio does not start") from error
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    asyncio.run(_serve_floor())
