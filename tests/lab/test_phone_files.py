"""The files beside the configuration, from a real cluster to a phone's flash, and those who tamper with them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from base.trace import Trace
from cluster.purposes import Purpose
from lab.adversary import LyingFileServer, NoFiles, Stranger
from lab.reports import print_boot
from phone_sim.boot import Attempt, Transport
from phone_sim.clients.tftp import fetch
from phone_sim.flash import MemoryFlash
from phone_sim.models import Ability, model
from phone_sim.namedfiles import KINDS, Kind
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.report import BootReport, Outcome
from phone_sim.servers import TftpServer
from services.tvs.daemon import TvsDaemon
from wire.fileheader import DigestAlgorithm
from wire.signedfile import decode_signed_file, sign_file
from wire.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.story.text import Language
    from tests.conftest import Lab, LabMaker

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")

HOST, MAC = "127.0.0.1", "001122334455"
PUB, SUB = "alpha-pub", "alpha-sub1"
SERVED = [kind.value for kind in Kind if kind is not Kind.APP_DIAL_RULES]
"""What a cluster has without a word about it."""
LISTED: dict[Language, list[str]] = {
    "en": [kind.value for kind in Kind],
    "ja": [
        "ユーザ ロケール",
        "ネットワーク ロケール",
        "アプリケーション ダイヤル ルール",
        "ソフトキー",
        "ダイヤル テンプレート",
        "呼出音リスト",
    ],
}


def server(lab: Lab, node: str = PUB, http_port: int | None = None) -> TftpServer:
    ports = lab.ports(node)
    return TftpServer(HOST, ports.tftp, http_port or ports.http, ports.https)


def phone(lab: Lab, flash: MemoryFlash, node: str = PUB, *, kind: str = "8865", http_port: int | None = None) -> Phone:
    return Phone(MAC, model(kind), [server(lab, node, http_port)], flash)


def beside(report: BootReport) -> dict[str, Reason]:
    return {item.what: item.reason for item in report.decisions if item.what in KINDS}


@pytest.fixture
def flash() -> MemoryFlash:
    return MemoryFlash()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The operator's own files."""
    folder = tmp_path / "tftp"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("release", ["8.6", "10.5", "11.5", "12.5", "14"])
async def test_a_default_cluster_serves_and_signs_all_that_its_configurations_name(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    report = await phone(await make_lab(release), flash).boot()
    assert beside(report) == dict.fromkeys(SERVED, Reason.SIGNED_BY_ITL)
    assert [file.kind for file in report.files] == SERVED
    assert report.exit_code == 0


async def test_a_model_that_knows_tftp_only_gets_them_over_it(make_lab: LabMaker, flash: MemoryFlash) -> None:
    lab = await make_lab("10.5")
    old = replace(model("7945"), http=Ability.NO)
    report = await Phone(MAC, old, [server(lab)], flash).boot()
    assert beside(report) == dict.fromkeys(SERVED, Reason.SIGNED_BY_ITL)
    assert {item.transport for item in report.fetches} == {Transport.TFTP}


async def test_a_model_without_security_by_default_gets_them_unsigned(lab: Lab, flash: MemoryFlash) -> None:
    report = await phone(lab, flash, kind="7960").boot()
    assert beside(report) == dict.fromkeys(SERVED, Reason.NO_TRUST_LIST)
    assert not [item.file for item in report.fetches if item.file.endswith(".sgn")]


async def test_both_nodes_and_both_transports_give_the_same_content(lab: Lab, flash: MemoryFlash) -> None:
    first = await phone(lab, flash).boot()
    other = await phone(lab, MemoryFlash(), SUB).boot()
    assert first.files == other.files


async def test_a_signer_of_another_node_is_vouched_for_by_tvs(make_lab: LabMaker, flash: MemoryFlash) -> None:
    """R-ITL-7, R-TVS-4: the lists and the configuration come from one node, the rest from another."""
    lab = await make_lab("8.6")
    await phone(lab, flash).boot()
    other = lab.store.snapshot.require(SUB, Purpose.CALLMANAGER)
    body = decode_signed_file(await over_tftp(lab, "Ringlist.xml.sgn")).body
    signed = signed_by(SigningKey.of(other.certificate, other.private_key), {"Ringlist.xml.sgn": body})
    async with LyingFileServer(NoFiles(), signed) as liar:
        report = await phone(lab, flash, http_port=liar.port).boot()
    assert beside(report)["ring list"] is Reason.SIGNER_VOUCHED_BY_TVS
    assert beside(report)["soft keys"] is Reason.SIGNED_BY_ITL
    assert report.exit_code == 0


async def over_tftp(lab: Lab, name: str) -> bytes:
    return await fetch(HOST, lab.ports().tftp, name, timeout_s=5, trace=Trace())


def signed_by(signer: SigningKey, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        name: sign_file(name, body, signer=signer, digest=DigestAlgorithm.SHA1, timestamp=1)
        for name, body in files.items()
    }


def proxied(proxy: Stranger, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Files as a proxy TFTP serves them: signed by its own key."""
    issued = proxy.issued(Purpose.CALLMANAGER)
    return signed_by(SigningKey.of(issued.certificate, issued.private_key), files)


COMMON = ("English_United_States/8865-sip.jar.sgn", "United_States/g3-tones.xml.sgn", "Ringlist.xml.sgn")


async def test_a_proxy_tftp_is_not_trusted_with_common_files_until_the_home_cluster_knows_it(
    lab: Lab, flash: MemoryFlash
) -> None:
    """What the home cluster has for this phone alone comes through; what is common, the proxy signs itself."""
    before = await phone(lab, flash).boot()
    proxy = Stranger("proxy")
    truth = {name: decode_signed_file(await over_tftp(lab, name)).body for name in COMMON}
    async with LyingFileServer(NoFiles(), proxied(proxy, truth)) as server_of_proxy:
        refused = await phone(lab, flash, http_port=server_of_proxy.port).boot()
        await lab.store.add_trust("CallManager-trust", [proxy.issued(Purpose.CALLMANAGER).certificate])
        mended = await phone(lab, flash, http_port=server_of_proxy.port).boot()
    assert (refused.outcome, refused.exit_code, refused.config_source) == (Outcome.BOOTED, 1, "server")
    assert [(item.subject, item.reason) for item in refused.refusals] == [
        (name, Reason.TVS_DOES_NOT_KNOW) for name in COMMON
    ]
    assert refused.files == before.files
    texts = [message.text for message in refused.status_messages]
    assert texts.count("Error Updating Locale") == 2
    assert "invalid file Ringlist.xml.sgn, authenticated fail." in texts
    assert mended.exit_code == 0
    assert beside(mended)["ring list"] is Reason.SIGNER_VOUCHED_BY_TVS


async def test_with_every_tvs_down_a_file_of_an_unknown_signer_is_refused(lab: Lab, flash: MemoryFlash) -> None:
    """R-TVS-5"""
    await phone(lab, flash).boot()
    for node in (PUB, SUB):
        await lab.laboratory.nodes[node].supervisor.stop(TvsDaemon.name)
    truth = {"Ringlist.xml.sgn": b"<CiscoIPPhoneRingList/>"}
    async with LyingFileServer(NoFiles(), proxied(Stranger("proxy"), truth)) as liar:
        report = await phone(lab, flash, http_port=liar.port).boot()
    assert [(item.what, item.reason) for item in report.refusals] == [("ring list", Reason.TVS_UNREACHABLE)]
    assert report.outcome is Outcome.BOOTED


async def test_a_tampered_file_is_refused_and_the_true_one_taken_at_the_next_reset(
    lab: Lab, flash: MemoryFlash
) -> None:
    before = await phone(lab, flash).boot()
    true = await over_tftp(lab, "Ringlist.xml.sgn")
    assert b"Chirp1" in true
    tampered = {"Ringlist.xml.sgn": true.replace(b"Chirp1", b"Chirp3")}
    async with LyingFileServer(NoFiles(), tampered) as liar:
        report = await phone(lab, flash, http_port=liar.port).boot()
    assert beside(report)["ring list"] is Reason.BAD_SIGNATURE
    assert report.files == before.files
    assert (await phone(lab, flash).boot()).exit_code == 0


async def test_another_of_the_clusters_own_files_does_not_pass_for_the_one_asked_for(
    lab: Lab, flash: MemoryFlash
) -> None:
    replayed = {"Ringlist.xml.sgn": await over_tftp(lab, "DistinctiveRingList.xml.sgn")}
    async with LyingFileServer(NoFiles(), replayed) as liar:
        report = await phone(lab, flash, http_port=liar.port).boot()
    assert beside(report)["ring list"] is Reason.WRONG_FILE_NAME


async def test_an_operators_own_files_are_signed_and_taken(
    make_lab: LabMaker, flash: MemoryFlash, directory: Path
) -> None:
    (directory / "Ringlist.xml").write_bytes(b"<CiscoIPPhoneRingList></CiscoIPPhoneRingList>")
    (directory / "AppDialRules.xml").write_bytes(b"<DialRules/>")
    lab = await make_lab(more=f"tftp_directory: {directory}")
    report = await phone(lab, flash).boot()
    assert beside(report) == {kind.value: Reason.SIGNED_BY_ITL for kind in Kind}
    sizes = {file.kind: file.size for file in report.files}
    assert (sizes["ring list"], sizes["application dial rules"]) == (45, 12)
    for language, names in LISTED.items():
        screen = io.StringIO()
        print_boot(Console(file=screen, width=200), report, language)
        lines = screen.getvalue().splitlines()
        listed = [line.strip().partition(":")[0] for line in lines if line.endswith((" bytes", " バイト"))]
        assert listed == names


async def test_an_operators_file_that_no_phone_can_read_is_refused_by_name(
    make_lab: LabMaker, flash: MemoryFlash, directory: Path
) -> None:
    (directory / "Ringlist.xml").write_bytes(b"<CiscoIPPhoneRingList><Ring/></CiscoIPPhoneRingList>")
    report = await phone(await make_lab(more=f"tftp_directory: {directory}"), flash).boot()
    assert [(item.what, item.reason) for item in report.refusals] == [("ring list", Reason.UNREADABLE)]
    assert "DisplayName" in report.refusals[0].detail


async def test_a_locale_without_files_is_said_and_harmless(make_lab: LabMaker, flash: MemoryFlash) -> None:
    lab = await make_lab()
    definition = lab.store.snapshot.definition
    strange = {"user_locale": "Klingon", "network_locale": "Qonos"}
    devices = tuple(device.model_copy(update=strange) for device in definition.devices)
    await lab.store.install(definition.model_copy(update={"devices": devices}))
    report = await phone(lab, flash).boot()
    missing = [item.file for item in report.fetches if item.failure is Attempt.NOT_FOUND and "/" in item.file]
    assert missing == ["Klingon/8865-sip.jar.sgn"] * 2 + ["Qonos/g3-tones.xml.sgn"] * 2
    assert [message.text for message in report.status_messages].count("Error Updating Locale") == 2
    assert report.exit_code == 0


async def test_phones_of_two_models_share_all_files_but_the_locale(lab: Lab, flash: MemoryFlash) -> None:
    first = await phone(lab, flash).boot()
    second = await Phone("001122334456", model("7841"), [server(lab)], MemoryFlash()).boot()
    names = [{file.name for file in report.files} for report in (first, second)]
    assert names[0] ^ names[1] == {"English_United_States/8865-sip.jar", "English_United_States/7841-sip.jar"}
