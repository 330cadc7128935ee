"""A phone against a running cluster: every trust decision over real sockets, release by release."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cluster.parameters import ROLLBACK
from lab.adversary import LyingFileServer, NoFiles, Stranger
from phone_sim.boot import Attempt, Transport
from phone_sim.flash import Item, MemoryFlash
from phone_sim.models import Ability, Model, model
from phone_sim.namedfiles import KINDS
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.report import SERVER, BootReport, Outcome
from phone_sim.servers import TftpServer
from services.tvs.daemon import TvsDaemon
from wire.fileheader import DigestAlgorithm
from wire.phoneconfig import decode_phone_config

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")

HOST = "127.0.0.1"
PUB, SUB = "alpha-pub", "alpha-sub1"
KNOWN, UNKNOWN = "001122334455", "00AABBCCDDEE"
CONFIG = f"SEP{KNOWN}.cnf.xml"
UUIDS = (("soft keys", "standard user"), ("dial rules", "default"))


def server(lab: Lab, node: str = PUB) -> TftpServer:
    ports = lab.ports(node)
    return TftpServer(HOST, ports.tftp, ports.http, ports.https)


def phone(
    lab: Lab,
    *nodes: str,
    flash: MemoryFlash,
    mac: str = KNOWN,
    kind: Model | str = "8865",
    first: TftpServer | None = None,
) -> Phone:
    servers = [server(lab, node) for node in nodes or (PUB,)]
    chosen = model(kind) if isinstance(kind, str) else kind
    return Phone(mac, chosen, [*([first] if first else []), *servers], flash)


def decisions(report: BootReport) -> list[tuple[str, Reason]]:
    """On lists, configurations and servers; what is beside the configuration has a file of tests to itself."""
    return [(item.what, item.reason) for item in report.decisions if item.what not in KINDS]


def arrived(report: BootReport) -> list[tuple[str, Transport]]:
    """Up to the configuration."""
    files = [(item.file, item.transport) for item in report.fetches if item.failure is None]
    return [(name, transport) for name, transport in files if name.endswith((".tlv", ".cnf.xml", ".cnf.xml.sgn"))]


@pytest.fixture
def flash() -> MemoryFlash:
    return MemoryFlash()


# --- from the box to daily life ---


@pytest.mark.parametrize("release", ["8.6", "10.5", "11.5", "12.5", "14"])
async def test_a_new_phone_trusts_the_first_itl_blindly_and_the_rest_by_it(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    """R-SBD-1, R-ITL-7"""
    lab = await make_lab(release)
    report = await phone(lab, flash=flash).boot()
    assert decisions(report) == [("ITL", Reason.LEAP_OF_FAITH), ("configuration", Reason.SIGNED_BY_ITL)]
    assert (report.outcome, report.exit_code, report.config_source) == (Outcome.BOOTED, 0, "server")
    assert report.config is not None
    assert report.config.kind == "device"


@pytest.mark.parametrize("release", ["8.6", "12.5"])
async def test_a_second_boot_finds_everything_unchanged(make_lab: LabMaker, flash: MemoryFlash, release: str) -> None:
    """R-ITL-4: also after the cluster was restarted."""
    lab = await make_lab(release)
    first = await phone(lab, flash=flash).boot()
    assert decisions(await phone(lab, flash=flash).boot())[0] == ("ITL", Reason.UNCHANGED)
    state = lab.laboratory.state
    await lab.laboratory.close()
    restarted = await make_lab(release, state=state)
    third = await phone(restarted, flash=flash).boot()
    assert decisions(third) == [("ITL", Reason.UNCHANGED), ("configuration", Reason.SIGNED_BY_ITL)]
    assert third.trust_lists == first.trust_lists


async def test_what_is_fetched_and_how(make_lab: LabMaker, flash: MemoryFlash) -> None:
    """CTL, ITL, configuration, what it names, each over HTTP first; what is not found is asked over TFTP as well."""
    lab = await make_lab()
    report = await phone(lab, flash=flash).boot()
    definition = lab.store.snapshot.definition
    soft_keys, dial_rules = (definition.stable_uuid(*item) for item in UUIDS)
    assert [(item.file, item.transport, item.failure) for item in report.fetches] == [
        (f"CTLSEP{KNOWN}.tlv", Transport.HTTP, Attempt.NOT_FOUND),
        (f"CTLSEP{KNOWN}.tlv", Transport.TFTP, Attempt.NOT_FOUND),
        (f"ITLSEP{KNOWN}.tlv", Transport.HTTP, None),
        (f"{CONFIG}.sgn", Transport.HTTP, None),
        ("English_United_States/8865-sip.jar.sgn", Transport.HTTP, None),
        ("United_States/g3-tones.xml.sgn", Transport.HTTP, None),
        ("AppDialRules.xml.sgn", Transport.HTTP, Attempt.NOT_FOUND),
        ("AppDialRules.xml.sgn", Transport.TFTP, Attempt.NOT_FOUND),
        (f"SK{soft_keys}.xml.sgn", Transport.HTTP, None),
        (f"DR{dial_rules}.xml.sgn", Transport.HTTP, None),
        ("Ringlist.xml.sgn", Transport.HTTP, None),
    ]


# --- moving to another node ---


async def test_from_release_12_on_the_itl_of_another_node_is_verified_by_the_old_one(
    make_lab: LabMaker, flash: MemoryFlash
) -> None:
    """R-ITL-3, R-ITL-5: ITLRecovery signs for all nodes; TVS is not needed, so it may be down."""
    lab = await make_lab("12.5")
    await phone(lab, PUB, flash=flash).boot()
    await stop_tvs(lab, PUB, SUB)
    report = await phone(lab, SUB, flash=flash).boot()
    assert decisions(report) == [("ITL", Reason.SIGNED_BY_ITL), ("configuration", Reason.SIGNED_BY_ITL)]


@pytest.mark.parametrize("release", ["8.6", "10.5", "11.5"])
async def test_before_release_12_it_takes_tvs_to_move_to_another_node(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    """R-ITL-3, R-ITL-5, R-ITL-7, R-TVS-4: the other node's CallManager signs, and the phone has never seen it."""
    lab = await make_lab(release)
    first = await phone(lab, PUB, flash=flash).boot()
    report = await phone(lab, SUB, flash=flash).boot()
    assert decisions(report) == [("ITL", Reason.SIGNER_VOUCHED_BY_TVS), ("configuration", Reason.SIGNED_BY_ITL)]
    assert report.decisions[0].tvs_server == f"{HOST}:{lab.ports(PUB).tvs}"
    assert report.trust_lists != first.trust_lists
    back = await phone(lab, PUB, flash=flash).boot()
    assert decisions(back)[0] == ("ITL", Reason.SIGNER_VOUCHED_BY_TVS)


@pytest.mark.parametrize("release", ["8.6", "11.5"])
async def test_with_every_tvs_down_the_other_nodes_files_are_refused_and_the_old_ones_kept(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    """R-TVS-5, R-PHN-3"""
    lab = await make_lab(release)
    before = await phone(lab, PUB, flash=flash).boot()
    await stop_tvs(lab, PUB, SUB)
    report = await phone(lab, SUB, flash=flash).boot()
    assert decisions(report) == [("ITL", Reason.TVS_UNREACHABLE), ("configuration", Reason.TVS_UNREACHABLE)]
    assert (report.outcome, report.exit_code, report.config_source) == (Outcome.BOOTED, 1, "flash")
    assert (report.trust_lists, report.config) == (before.trust_lists, before.config)
    assert "refuses the connection" in report.decisions[0].detail


async def test_with_one_tvs_down_the_next_of_the_group_is_asked(make_lab: LabMaker, flash: MemoryFlash) -> None:
    """R-TVS-5"""
    lab = await make_lab("11.5")
    await phone(lab, PUB, flash=flash).boot()
    await stop_tvs(lab, PUB)
    report = await phone(lab, SUB, flash=flash).boot()
    assert decisions(report)[0] == ("ITL", Reason.SIGNER_VOUCHED_BY_TVS)
    assert report.decisions[0].tvs_server == f"{HOST}:{lab.ports(SUB).tvs}"


async def stop_tvs(lab: Lab, *nodes: str) -> None:
    for node in nodes:
        await lab.laboratory.nodes[node].supervisor.stop(TvsDaemon.name)


# --- parameters ---


@pytest.mark.parametrize("release", ["11.5", "12.5", "14"])
async def test_with_advanced_encryption_the_configuration_comes_over_https(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    """R-DL-4, R-DL-2: the server is checked by the ITL before anything is asked of it."""
    lab = await make_lab(release, parameters="{Endpoint Advanced Encryption Algorithms Support: true}")
    report = await phone(lab, flash=flash).boot()
    assert decisions(report) == [
        ("ITL", Reason.LEAP_OF_FAITH),
        (SERVER, Reason.SERVER_IN_ITL),
        ("configuration", Reason.CAME_OVER_TRUSTED_HTTPS),
    ]
    assert arrived(report)[-1] == (f"{CONFIG}.sgn", Transport.HTTPS)
    assert report.exit_code == 0


async def test_without_https_the_configuration_still_comes_signed(make_lab: LabMaker, flash: MemoryFlash) -> None:
    lab = await make_lab(parameters="{Endpoint Advanced Encryption Algorithms Support: true}")
    beyond = replace(server(lab), https_port=_closed_port())
    report = await Phone(KNOWN, model("8865"), [beyond], flash).boot()
    assert arrived(report)[-1] == (f"{CONFIG}.sgn", Transport.HTTP)
    assert decisions(report)[-1] == ("configuration", Reason.SIGNED_BY_ITL)


async def test_sha512_signatures_are_verified_and_refused_by_phones_that_lack_it(
    make_lab: LabMaker, flash: MemoryFlash
) -> None:
    lab = await make_lab("14")
    report = await phone(lab, flash=flash).boot()
    assert report.exit_code == 0
    old = replace(model("8865"), sha512=Ability.NO)
    refused = await phone(lab, flash=MemoryFlash(), kind=old).boot()
    assert decisions(refused) == [("ITL", Reason.DIGEST_NOT_SUPPORTED)]
    assert (refused.outcome, refused.exit_code) == (Outcome.REFUSED, 1)
    assert lab.store.snapshot.release.file_digest is DigestAlgorithm.SHA512


# --- models ---


async def test_a_model_that_knows_tftp_only_boots_over_it(make_lab: LabMaker, flash: MemoryFlash) -> None:
    lab = await make_lab("10.5")
    old = replace(model("7945"), http=Ability.NO)
    report = await phone(lab, flash=flash, kind=old).boot()
    assert arrived(report) == [(f"ITLSEP{KNOWN}.tlv", Transport.TFTP), (f"{CONFIG}.sgn", Transport.TFTP)]
    assert report.exit_code == 0


@pytest.mark.parametrize("release", ["8.6", "12.5"])
async def test_a_model_without_security_by_default_takes_the_unsigned_configuration(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    """R-DL-5"""
    lab = await make_lab(release)
    report = await phone(lab, flash=flash, kind="7960").boot()
    assert decisions(report) == [("configuration", Reason.NO_TRUST_LIST)]
    assert [name for name, _ in arrived(report)] == [CONFIG]
    assert report.trust_lists == ()
    assert report.exit_code == 0


async def test_an_old_phone_with_tls_1_0_asks_tvs(make_lab: LabMaker, flash: MemoryFlash) -> None:
    """7900 phones know TLS 1.0 alone."""
    lab = await make_lab("11.5")
    await phone(lab, PUB, flash=flash, kind="7945").boot()
    report = await phone(lab, SUB, flash=flash, kind="7945").boot()
    assert decisions(report)[0] == ("ITL", Reason.SIGNER_VOUCHED_BY_TVS)


# --- devices that the cluster does not know ---


@pytest.mark.parametrize(
    ("kind", "decided", "file"),
    [
        (
            "8865",
            [("ITL", Reason.LEAP_OF_FAITH), ("default configuration", Reason.SIGNED_BY_ITL)],
            "XMLDefault.cnf.xml.sgn",
        ),
        ("7960", [("default configuration", Reason.NO_TRUST_LIST)], "XMLDefault.cnf.xml"),
    ],
)
async def test_an_unknown_device_gets_the_default_configuration(
    lab: Lab, flash: MemoryFlash, kind: str, decided: list[tuple[str, Reason]], file: str
) -> None:
    """R-DL-5: signed, or unsigned for a model without security by default; the generic ITL serves for both."""
    report = await phone(lab, flash=flash, mac=UNKNOWN, kind=kind).boot()
    assert decisions(report) == decided
    assert arrived(report)[-1] == (file, Transport.HTTP)
    assert report.config is not None
    assert (report.config.kind, report.exit_code) == ("default", 0)


async def test_an_unknown_device_without_auto_registration_has_nothing(make_lab: LabMaker, flash: MemoryFlash) -> None:
    lab = await make_lab(parameters="{Auto-registration: false}")
    report = await phone(lab, flash=flash, mac=UNKNOWN).boot()
    assert decisions(report) == [("ITL", Reason.LEAP_OF_FAITH)]
    assert (report.outcome, report.exit_code) == (Outcome.NO_CONFIG, 1)


# --- phone services ---


@pytest.mark.parametrize("release", ["8.6", "11.5", "12.5", "14"])
async def test_the_directory_opens_once_tvs_has_vouched_for_tomcat(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    """R-SBD-4"""
    lab = await make_lab(release)
    handset = phone(lab, flash=flash)
    await handset.boot()
    report = await handset.open_directory()
    assert report.menu is not None, report.failure
    assert report.decision is not None
    assert report.decision.reason is Reason.SERVER_VOUCHED_BY_TVS


async def test_the_directory_stays_shut_when_no_tvs_answers(lab: Lab, flash: MemoryFlash) -> None:
    """R-TVS-5; the screen says no more than 'Host Not Found'."""
    handset = phone(lab, flash=flash)
    await handset.boot()
    await stop_tvs(lab, PUB, SUB)
    report = await handset.open_directory()
    assert (report.menu, report.reachable) == (None, True)
    assert report.decision is not None
    assert report.decision.reason is Reason.TVS_UNREACHABLE
    assert handset.settings.status_messages[-1].text == "Host Not Found"


# --- rollback ---


@pytest.mark.parametrize("release", ["8.6", "11.5", "12.5"])
async def test_prepared_for_rollback_a_phone_takes_anything_until_it_has_a_full_itl_again(
    make_lab: LabMaker, flash: MemoryFlash, release: str
) -> None:
    """R-RBK-1, R-RBK-2, R-MIG-2"""
    lab = await make_lab(release)
    handset = phone(lab, flash=flash)
    await handset.boot()
    await lab.store.set_parameter(ROLLBACK, "True")
    emptied = await handset.boot()
    assert decisions(emptied)[0] == ("ITL", Reason.SIGNED_BY_ITL)
    assert {function for function, subject in emptied.trust_lists[0].records if not subject} == {"TVS", "TFTP"}
    directory = await handset.open_directory()
    assert directory.menu is None
    assert directory.decision is not None
    assert directory.decision.reason is Reason.TVS_NOT_IN_TRUST_LIST
    plain_directory = await handset.open_directory(f"http://{HOST}:{lab.ports().web}/ccmcip/xmldirectory.jsp")
    assert plain_directory.menu is not None

    foreign = {f"ITLSEP{KNOWN}.tlv": Stranger().itl()}
    async with LyingFileServer(NoFiles(), foreign) as liar:
        moved = await Phone(KNOWN, model("8865"), [replace(server(lab), http_port=liar.port)], flash).boot()
    assert decisions(moved)[0] == ("ITL", Reason.EMPTY_ITL)


async def test_the_default_itl_comes_back_when_the_parameter_is_reset(lab: Lab, flash: MemoryFlash) -> None:
    """R-RBK-2"""
    handset = phone(lab, flash=flash)
    full = (await handset.boot()).trust_lists
    await lab.store.set_parameter(ROLLBACK, "True")
    assert (await handset.boot()).trust_lists != full
    await lab.store.set_parameter(ROLLBACK, "False")
    restored = await handset.boot()
    assert decisions(restored)[0] == ("ITL", Reason.EMPTY_ITL)
    assert [item.records for item in restored.trust_lists] == [item.records for item in full]
    directory = await handset.open_directory()
    assert directory.menu is not None


# --- servers that are not there ---


def _closed_port() -> int:
    with socket.create_server((HOST, 0)) as closed:
        return int(closed.getsockname()[1])


@pytest.fixture
def silent() -> TftpServer:
    """A server of which every port is closed."""
    return TftpServer(HOST, _closed_port(), _closed_port(), _closed_port())


async def test_the_second_tftp_server_serves_when_the_first_is_dead(
    lab: Lab, flash: MemoryFlash, silent: TftpServer
) -> None:
    report = await phone(lab, SUB, flash=flash, first=silent).boot()
    assert report.exit_code == 0
    assert {item.server for item in report.decisions} == {f"{HOST}:{lab.ports(SUB).http}"}
    assert [item.failure for item in report.fetches[:2]] == [Attempt.SILENT, Attempt.SILENT]


async def test_no_server_at_all_leaves_the_phone_as_it_was(lab: Lab, flash: MemoryFlash, silent: TftpServer) -> None:
    before = await phone(lab, flash=flash).boot()
    report = await Phone(KNOWN, model("8865"), [silent, silent], flash).boot()
    assert (report.outcome, report.exit_code) == (Outcome.UNREACHABLE, 4)
    assert (report.trust_lists, report.config) == (before.trust_lists, before.config)


async def test_a_phone_learns_the_tvs_servers_of_its_group(lab: Lab, flash: MemoryFlash) -> None:
    """The TVS list of the configuration is that of the CallManager group, in its order."""
    await phone(lab, flash=flash).boot()
    stored = flash.read(Item.CONFIG)
    assert stored is not None
    servers = decode_phone_config(stored).tvs_servers
    assert [(item.address, item.port) for item in servers] == [(HOST, lab.ports(node).tvs) for node in (PUB, SUB)]
