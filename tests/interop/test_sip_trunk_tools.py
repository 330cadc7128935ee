"""SIPp and openssl as other ends of SIP trunks (R-ECC-2)."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cluster.ciphers import TLS_CIPHER_CHOICES
from cluster.management.trunks import IN_SERVICE
from tests.conftest import require_tool
from tests.interop.outside import PATIENCE_S
from tests.interop.test_sip_sipp_tls import listens
from tests.openssl_ca import openssl
from tests.services.test_sip_trunks import states
from tests.services.trunk_cast import HOST, NAME
from tests.shared_lab import PUB
from tests.waiting import until
from wire.certificates import Certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import LabMaker

pytestmark = pytest.mark.interop

ANSWERS_OPTIONS = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="answers OPTIONS">
  <recv request="OPTIONS"><action>
    <ereg regexp="^OPTIONS sip:.*Via: SIP/2.0/.*From:.*To:.*Call-ID:.*CSeq: [0-9]+ OPTIONS" search_in="msg"
          check_it="true" assign_to="1"/>
  </action></recv>
  <send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:];tag=[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0

  ]]></send>
  <Reference variables="1"/>
</scenario>
"""


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


@contextmanager
def program(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    name, *arguments = command
    process = subprocess.Popen(
        [require_tool(str(name)), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize(("transport", "mode"), [("udp", "u1"), ("tcp", "t1")])
async def test_a_trunk_to_sipp_is_in_service(make_lab: LabMaker, tmp_path: Path, transport: str, mode: str) -> None:
    scenario = tmp_path / "options.xml"
    scenario.write_text(ANSWERS_OPTIONS)
    port = free_port(socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
    with program("sipp", "-sf", scenario, "-i", HOST, "-p", port, "-t", mode, "-nostdin", "-m", 2):
        for _ in until(lambda: listens(port, transport)):
            pass
        trunk = f"name: sipp, destination: {HOST}, destination_port: {port}, transport: {transport}"
        lab = await make_lab(more=f"sip_trunks: [{{{trunk}}}]")
        found = await states(lab, IN_SERVICE, 2)
        assert {item.reason for item in found.values()} == {"200 OK"}


@pytest.mark.parametrize("label", TLS_CIPHER_CHOICES)
async def test_openssl_is_offered_the_choices_suites_in_order_and_shown_our_certificate(
    make_lab: LabMaker, tmp_path: Path, label: str
) -> None:
    """As a server openssl follows its client's order, with both kinds of certificate at hand."""
    files = []
    for kind in (("rsa:2048",), ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        key, certificate = tmp_path / f"{kind[0][:2]}.key", tmp_path / f"{kind[0][:2]}.pem"
        openssl(
            "req", "-x509", "-newkey", *kind, "-nodes", "-subj", f"/CN={NAME}", "-days", 2, "-keyout", key,
            "-out", certificate,
        )  # fmt: skip
        files.append((certificate, key))
    (rsa, rsa_key), (ec, ec_key) = files
    port = free_port(socket.SOCK_STREAM)
    arguments = (
        "s_server", "-accept", f"{HOST}:{port}", "-cert", rsa, "-key", rsa_key, "-dcert", ec, "-dkey", ec_key,
        "-verify", 1, "-naccept", 1,
    )  # fmt: skip
    with program("openssl", *arguments) as server:
        for _ in until(lambda: listens(port)):
            pass
        trunk = f"name: gw, destination: {HOST}, destination_port: {port}, security: encrypted"
        more = f"sip_trunks: [{{{trunk}, subject_names: [{NAME}], callmanager_group: one}}]\n    callmanager_groups: "
        groups = f"[{{name: one, members: [{PUB}]}}, {{name: Default, members: [{PUB}]}}]"
        lab = await make_lab(parameters=f'{{"TLS Ciphers": "{label}"}}', more=more + groups)
        both = [Certificate.from_pem(path.read_bytes()) for path in (rsa, ec)]
        await lab.store.add_trust("CallManager-trust", both)
        assert server.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            told = (await asyncio.to_thread(server.stdout.read)).decode("utf-8", "replace")
    suites = TLS_CIPHER_CHOICES[label]
    assert re.search(r"Shared ciphers:(\S+)", told)[1].split(":") == list(suites)  # type: ignore[index]
    assert f"CIPHER is {suites[0]}" in told
    assert "CN = alpha-pub" in told or "CN=alpha-pub" in told
