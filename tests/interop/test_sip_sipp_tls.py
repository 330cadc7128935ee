"""SIPp over TLS: Debian's has none of its own, so socat carries its TCP through TLS, with a phone's certificate."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.audit import Actor
from cluster.management.ctl import set_mixed_mode
from tests.conftest import lab_config, require_tool
from tests.interop.outside import PATIENCE_S, tool
from tests.interop.test_sip_clients import HOST, ORDER, SCENARIO, SECURE, SECURE_MAC, registered
from tests.openssl_ca import OpensslCa, openssl
from tests.shared_lab import PUB, SharedLab
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def lab(
    tmp_path_factory: pytest.TempPathFactory, state_templates: Callable[[str], Awaitable[Path]]
) -> Iterator[SharedLab]:
    """A mixed cluster with a phone whose profile is encrypted."""
    folder = tmp_path_factory.mktemp("sipp")

    async def template() -> Path:
        return await state_templates("12.5")

    shutil.copytree(asyncio.run(template()), folder / "state")
    config = lab_config()
    cluster = config.clusters[0]
    lines = (cluster.devices[0].lines[0].model_copy(update={"number": "3001"}),)
    secure = cluster.devices[0].model_copy(update={"mac": SECURE_MAC.upper(), "security": "encrypted", "lines": lines})
    cluster = cluster.model_copy(update={"devices": (*cluster.devices, secure)})
    with SharedLab(config.model_copy(update={"clusters": (cluster,)}), folder / "state") as running:
        store = running._laboratory.clusters["alpha"].store
        running.call(lambda: set_mixed_mode(store, Actor("admin", "test")))
        yield running


@pytest.fixture(scope="module")
def credential(lab: SharedLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tool("openssl")
    folder = tmp_path_factory.mktemp("phone")
    authority = OpensslCa.make(folder / "ca")
    store = lab._laboratory.clusters["alpha"].store
    lab.call(lambda: store.add_trust("CAPF-trust", [authority.certificate]))
    key, csr, both = folder / "key.pem", folder / "phone.csr", folder / "both.pem"
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={SECURE}", "-keyout", key, "-out", csr)
    both.write_bytes(authority.sign(csr.read_bytes()).pem.encode() + key.read_bytes())
    return both


@contextmanager
def through_tls(port: int, *options: str) -> Iterator[int]:
    """A plain port whose connections socat carries to a TLS port."""
    program = require_tool("socat")
    with socket.create_server((HOST, 0)) as free:
        plain = free.getsockname()[1]
    there = ",".join((f"OPENSSL:{HOST}:{port}", "verify=0", *options))
    process = subprocess.Popen([program, f"TCP-LISTEN:{plain},bind={HOST},reuseaddr,fork", there])
    try:
        for _ in until(lambda: listens(plain)):
            assert process.poll() is None, "socat does not run"
        yield plain
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def listens(port: int, transport: str = "tcp") -> bool:
    """Without connecting, which would be a client of its own: as the kernel lists it."""
    state = {"tcp": "0A", "udp": "07"}[transport]
    return f"0100007F:{port:04X} 00000000:0000 {state}" in Path(f"/proc/net/{transport}").read_text("ascii")


def sipp(port: int, scenario: Path, folder: Path, calls: int) -> tuple[int, str]:
    errors = folder / "errors"
    ran = tool(
        "sipp", f"{HOST}:{port}", "-sf", scenario, "-m", calls, "-r", 20, "-l", 1, "-t", "t1", "-i", HOST, "-nostdin",
        "-timeout", "30s", "-timeout_error", "-trace_err", "-error_file", errors,
    )  # fmt: skip
    return ran.code, errors.read_text() if errors.exists() else ran.text[-2_000:]


def test_sipp_registers_and_unregisters_over_tls_with_a_certificate(
    lab: SharedLab, credential: Path, tmp_path: Path
) -> None:
    """Twenty times over one connection; the answers have the header fields of a captured one in their order."""
    scenario = tmp_path / "register.xml"
    scenario.write_text(SCENARIO.format(line="3001", device=SECURE, order=ORDER))
    with through_tls(lab.ports().secured_sip, f"cert={credential}") as port:
        code, said = sipp(port, scenario, tmp_path, 20)
    assert code == 0, said
    steps = [
        event.data["what"]
        for event in lab.sink.events
        if event.step == "registration" and event.data["device"] == SECURE
    ]
    assert steps.count("registered") >= 20
    assert steps.count("unregistered by the phone") == steps.count("registered")
    (transport,) = {
        event.data["transport"]
        for event in lab.sink.events
        if event.step == "registration" and event.data["device"] == SECURE
    }
    assert transport == "TLS"


def test_sipp_that_leaves_without_a_word_is_unregistered(lab: SharedLab, credential: Path, tmp_path: Path) -> None:
    whole = SCENARIO.format(line="3001", device=SECURE, order=ORDER)
    begin, end = whole.index("  <send retrans", whole.index("</recv>")), whole.index("  <Reference")
    scenario = tmp_path / "register.xml"
    scenario.write_text(whole[:begin] + '  <pause milliseconds="500"/>\n' + whole[end:])
    with through_tls(lab.ports().secured_sip, f"cert={credential}") as port:
        code, said = sipp(port, scenario, tmp_path, 1)
    assert code == 0, said
    for _ in until(lambda: SECURE not in registered(lab)):
        pass
    last = [e.data["what"] for e in lab.sink.events if e.step == "registration" and e.data["device"] == SECURE][-1]
    assert last == "connection closed"


def test_sipp_without_a_certificate_is_refused(lab: SharedLab, tmp_path: Path) -> None:
    scenario = tmp_path / "register.xml"
    scenario.write_text(SCENARIO.format(line="3001", device=SECURE, order=ORDER))
    with through_tls(lab.ports().secured_sip) as port:
        code, said = sipp(port, scenario, tmp_path, 1)
    assert code != 0
    assert "showed no certificate" in said
    assert registered(lab).get(SECURE) is None


OPTIONS = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="options">
  <send retrans="500"><![CDATA[
    OPTIONS sip:[remote_ip] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:[local_ip]>;tag=[call_number]
    To: <sip:[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 OPTIONS
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <recv response="200"></recv>
</scenario>
"""


@pytest.mark.parametrize("mode", ["u1", "t1"])
def test_sipp_is_answered_options(lab: SharedLab, tmp_path: Path, mode: str) -> None:
    scenario = tmp_path / "options.xml"
    scenario.write_text(OPTIONS)
    server = f"{HOST}:{lab.ports(PUB).sip}"
    ran = tool("sipp", server, "-sf", scenario, "-m", 20, "-t", mode, "-i", HOST, "-nostdin", "-timeout", "30s")
    assert ran.code == 0, ran.text[-2_000:]
