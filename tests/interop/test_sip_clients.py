"""SIPp, baresip, openssl and another parser of SIP against our registrar and messages (R-PHN-5, R-DL-5)."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sipmessage

from cluster.audit import Actor
from cluster.management.ctl import set_mixed_mode
from cluster.management.phones import registered_phones
from phone_sim import sipmessages
from services.callmanager import answers
from services.callmanager.answers import Moment, Way
from tests.conftest import lab_config, require_tool
from tests.interop.outside import PATIENCE_S, tool
from tests.openssl_ca import OpensslCa, openssl
from tests.phone_sim.test_registration import ALARM, CAPTURED
from tests.services.sip_cast import other, register
from tests.shared_lab import PUB, SharedLab
from tests.waiting import until
from tests.wire.sip_messages import CONTACT
from wire.ciscosip import ServiceControl
from wire.sip import Message, Request, Response, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from cluster.management.phones import RegisteredPhone

pytestmark = pytest.mark.interop

HOST = "127.0.0.1"
SECURE_MAC, SECURE = "00112233aaaa", "SEP00112233AAAA"


@pytest.fixture(scope="module")
def lab(
    tmp_path_factory: pytest.TempPathFactory, state_templates: Callable[[str], Awaitable[Path]]
) -> Iterator[SharedLab]:
    """Its registrations come and go; nothing else of it changes."""
    folder = tmp_path_factory.mktemp("sip")

    async def template() -> Path:
        return await state_templates("12.5")

    shutil.copytree(asyncio.run(template()), folder / "state")
    config = lab_config()
    cluster = config.clusters[0]
    secure = cluster.devices[0].model_copy(
        update={
            "mac": SECURE_MAC.upper(),
            "security": "encrypted",
            "lines": (cluster.devices[0].lines[0].model_copy(update={"number": "3001"}),),
        }
    )
    cluster = cluster.model_copy(update={"devices": (*cluster.devices, secure)})
    with SharedLab(config.model_copy(update={"clusters": (cluster,)}), folder / "state") as running:
        store = running._laboratory.clusters["alpha"].store
        running.call(lambda: set_mixed_mode(store, Actor("admin", "test")))
        yield running


def registered(lab: SharedLab) -> dict[str, RegisteredPhone]:
    store = lab._laboratory.clusters["alpha"].store
    return {phone.device: phone for phone in lab.call(lambda: registered_phones(store))}


# ---------------------------------------------------------------- SIPp

SCENARIO = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="register">
  <send retrans="500"><![CDATA[
    REGISTER sip:[remote_ip] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:{line}@[remote_ip]>;tag=[call_number]
    To: <sip:{line}@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 REGISTER
    Max-Forwards: 70
    Contact: <sip:{line}@[local_ip]:[local_port];transport=[transport]>;+u.sip!devicename.ccm.cisco.com="{device}"
    Expires: 3600
    Content-Length: 0

  ]]></send>
  <recv response="100"><action>
    <ereg regexp="^SIP/2.0 100 Trying.*Via:.*From:.*To:.*Date:.*Call-ID:.*CSeq: 1 REGISTER.*Content-Length: 0"
          search_in="msg" check_it="true" assign_to="1"/>
  </action></recv>
  <recv response="200"><action>
    <ereg regexp="^SIP/2.0 200 OK.*{order}" search_in="msg" check_it="true" assign_to="2"/>
  </action></recv>
  <send retrans="500"><![CDATA[
    REGISTER sip:[remote_ip] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:{line}@[remote_ip]>;tag=[call_number]
    To: <sip:{line}@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 2 REGISTER
    Contact: *
    Expires: 0
    Content-Length: 0

  ]]></send>
  <recv response="100" optional="true"></recv>
  <recv response="200"></recv>
  <Reference variables="1,2"/>
</scenario>
"""


ORDER = ".*".join(
    (
        "Via:",
        "From:",
        "To:[^;]*;tag=[0-9]+",
        "Date: ..., .. ... .... ..:..:.. GMT",
        "Call-ID:",
        "Server: Cisco-CUCM12.5",
        "CSeq: 1 REGISTER",
        "Expires: 120",
        "Contact:[^;]*;.*;x-cisco-newreg",
        "Supported: X-cisco-srtp-fallback,X-cisco-sis-8.0.0",
        "Content-Type: application/x-cisco-remotecc-response.xml",
        "Content-Length: 381",
    )
)
"""Of the header fields of a captured 200."""


@pytest.mark.parametrize("mode", ["u1", "t1", "tn"])
def test_sipp_registers_and_unregisters_again_and_again(lab: SharedLab, tmp_path: Path, mode: str) -> None:
    """100 and 200 with the header fields of a captured registration in their order, and the length of its body."""
    scenario = tmp_path / "register.xml"
    scenario.write_text(SCENARIO.format(line="2001", device="SEP001122334455", order=ORDER))
    server = f"{HOST}:{lab.ports().sip}"
    ran = tool(
        "sipp", server, "-sf", scenario, "-m", 40, "-r", 40, "-l", 1, "-t", mode, "-max_socket", 100, "-i", HOST,
        "-nostdin", "-timeout", "30s", "-timeout_error", "-trace_err", "-error_file", tmp_path / "errors",
    )  # fmt: skip
    errors = tmp_path / "errors"
    assert ran.code == 0, errors.read_text() if errors.exists() else ran.text[-2_000:]


# ---------------------------------------------------------------- baresip

BARESIP = """
poll_method epoll
sip_listen {host}:0
{tls}
audio_player aubridge,x
audio_source aubridge,x
module_path {modules}
module uuid.so
module g711.so
module_app account.so
module_app menu.so
"""


class Baresip:
    """A softphone of others, as a device of the cluster by its instance identifier."""

    def __init__(self, folder: Path, account: str, mac: str, tls: str = "") -> None:
        program = require_tool("baresip")
        modules = next(path for path in ("/usr/lib/baresip/modules", "/usr/lib64/baresip/modules") if _exists(path))
        folder.mkdir(exist_ok=True)
        (folder / "config").write_text(BARESIP.format(host=HOST, tls=tls, modules=modules))
        (folder / "uuid").write_text(f"00000000-0000-0000-0000-{mac}")
        (folder / "accounts").write_text(account + "\n")
        self._output = (folder / "output").open("w+")
        self.process = subprocess.Popen(
            [program, "-f", folder, "-s", "-v"], stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT
        )

    @property
    def output(self) -> str:
        self._output.seek(0)
        return self._output.read()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self._output.close()


def _exists(path: str) -> bool:
    return Path(path).is_dir()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_registers_as_a_device_and_leaves(lab: SharedLab, tmp_path: Path, transport: str) -> None:
    account = f"<sip:2002@{HOST}:{lab.ports().sip};transport={transport}>;regint=60"
    phone = Baresip(tmp_path / "baresip", account, "001122334456")
    try:
        for _ in until(lambda: "SEP001122334456" in registered(lab)):
            assert phone.process.poll() is None, phone.output
        row = registered(lab)["SEP001122334456"]
        assert (row.node, row.transport, row.lines, row.itl) == (PUB, transport.upper(), ("2002",), "Unknown")
        for _ in until(lambda: "200 OK" in phone.output):
            pass
        phone.end()
        for _ in until(lambda: "SEP001122334456" not in registered(lab)):
            pass
    finally:
        phone.close()


@pytest.fixture(scope="module")
def credential(lab: SharedLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of the secure device, of a CA that the cluster came to trust while it ran (R-TVS-3)."""
    require_tool("openssl")
    folder = tmp_path_factory.mktemp("phone")
    authority = OpensslCa.make(folder / "ca")
    store = lab._laboratory.clusters["alpha"].store
    lab.call(lambda: store.add_trust("CAPF-trust", [authority.certificate]))
    key, csr = folder / "key.pem", folder / "phone.csr"
    openssl(
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN=CP-8865-{SECURE}", "-keyout", key, "-out", csr
    )
    both = folder / "both.pem"
    both.write_bytes(authority.sign(csr.read_bytes()).pem.encode() + key.read_bytes())
    return both


def test_baresip_registers_over_tls_with_a_certificate(lab: SharedLab, credential: Path, tmp_path: Path) -> None:
    account = f"<sip:3001@{HOST}:{lab.ports().secured_sip};transport=tls>;regint=60"
    phone = Baresip(tmp_path / "baresip", account, SECURE_MAC, f"sip_certificate {credential}")
    try:
        for _ in until(lambda: SECURE in registered(lab)):
            assert phone.process.poll() is None, phone.output
        assert registered(lab)[SECURE].transport == "TLS"
        phone.end()
        for _ in until(lambda: SECURE not in registered(lab)):
            pass
    finally:
        phone.close()


# ---------------------------------------------------------------- openssl


def over_tls(lab: SharedLab, message: Request, *options: object) -> str:
    server = f"{HOST}:{lab.ports().secured_sip}"
    command = [require_tool("openssl"), "s_client", "-quiet", "-connect", server, *map(str, options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(encode(message))
        process.stdin.flush()
        received = b""
        while b"Content-Length: 381" not in received and b"Warning" not in received:
            data = process.stdout.read1(4_096)  # type: ignore[attr-defined]
            if not data:
                break
            received += data
        return received.decode()
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdin.close()
        process.stdout.close()


def test_openssl_registers_with_the_devices_certificate_and_not_without(lab: SharedLab, credential: Path) -> None:
    request = register(SECURE_MAC, "3001", supported="")
    assert "403 Forbidden" in over_tls(lab, request)
    assert "SIP/2.0 200 OK" in over_tls(lab, request, "-cert", credential, "-key", credential)


def test_openssl_with_a_strangers_certificate_is_turned_away_in_the_handshake(lab: SharedLab, tmp_path: Path) -> None:
    stranger = OpensslCa.make(tmp_path / "stranger", f"/CN={SECURE}")
    own = ("-cert", stranger.folder / "ca.pem", "-key", stranger.folder / "ca.key")
    assert over_tls(lab, register(SECURE_MAC, "3001"), *own) == ""


# ---------------------------------------------------------------- another parser

NOW = datetime(2019, 3, 9, 18, 32, 46, tzinfo=UTC)
MOMENT = Moment(NOW, 2121423204)
WAY = Way("sip:04984998@192.168.7.104:51778;transport=tcp", "192.168.7.200", 5060, "TCP", "abc123", 101)
CONTROL = ServiceControl("check-version", "call@192.168.7.104", "1555108264-18843a73")
ASKED = register()
MESSAGES: dict[str, Message] = {
    "REGISTER": sipmessages.register(
        CAPTURED, cseq=113, branch="66da98ae", now=NOW, last="initialized", load="sip78xx.12-1-1-12", expires_s=3600
    ),
    "REFER with the trust lists": sipmessages.alarm(CAPTURED, ALARM, cseq=1000, branch="1", now=NOW, token="5098d8fa"),
    "a phone's answer": sipmessages.ok(answers.order(CONTROL, WAY), tag="1"),
    "100": answers.trying(ASKED, MOMENT),
    "200": answers.registered(ASKED, MOMENT, server="Cisco-CUCM11.5", expires_s=120, contact=CONTACT, new=True),
    "200 to the last": answers.unregistered(ASKED, MOMENT, server="Cisco-CUCM11.5"),
    "202": answers.accepted(other("REFER"), MOMENT, contact="<sip:192.168.7.200:5060;transport=tcp>"),
    "403": answers.refused(ASKED, MOMENT, 403, "Forbidden", host="pub", why='not "this" way'),
    "NOTIFY": answers.order(CONTROL, WAY),
    "REFER with the versions": answers.greeting(CONTROL, WAY),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_another_parser_reads_our_messages_as_we_meant_them(message: Message) -> None:
    read = sipmessage.Message.parse(encode(message))
    assert read.body == message.body
    assert read.content_length == len(message.body)
    assert (read.call_id, str(read.cseq)) == (message.get("Call-ID"), message.get("CSeq"))
    assert [str(via) for via in read.via] == list(message.all("Via"))
    assert str(read.from_address.uri) in message.require("From")
    assert str(read.to_address.uri) in message.require("To")
    for contact in read.contact or []:
        assert str(contact.uri) in message.require("Contact")
        for name, value in contact.parameters.items():
            assert name.lower() in message.require("Contact").lower()
            assert (value or "").strip('"') in message.require("Contact")
    if isinstance(message, Request):
        assert isinstance(read, sipmessage.Request)
        assert (read.method, str(read.uri)) == (message.method, message.uri)
    else:
        assert isinstance(message, Response)
        assert isinstance(read, sipmessage.Response)
        assert (read.code, read.phrase) == (message.status, message.reason)
