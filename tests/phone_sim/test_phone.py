"""Whole boots over real sockets, from files that another tool made where there are some."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from base.trace import MemorySink, Trace
from phone_sim.boot import Attempt, Transport
from phone_sim.clients.http import HttpLimits
from phone_sim.flash import DirectoryFlash, Flash, Item, MemoryFlash, Owner
from phone_sim.messages import TrustListAlarm
from phone_sim.models import model
from phone_sim.options import Timeouts
from phone_sim.phone import Phone, normal_mac
from phone_sim.reasons import Reason
from phone_sim.report import BootReport, Outcome
from phone_sim.servers import TftpServer
from tests.phone_sim.cast import (
    APP,
    CCM_TFTP,
    CONFIG_NAME,
    ITL_RECORDS,
    MAC,
    PUB,
    RECOVERY,
    ROGUE,
    SAST,
    SUB,
    TFTP,
    TOMCAT,
    TVS,
    TVS_SERVER,
    flipped,
    list_bytes,
    signed_bytes,
    vector,
)
from tests.phone_sim.tiny_cluster import HOST, UNBIDDEN, TinyCluster, asked_unbidden
from wire.errors import OperatorError
from wire.trustlist import MAX_PHONE_FILE_SIZE, TrustRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ITL_NAME, CTL_NAME, PLAIN_NAME = f"ITLSEP{MAC}.tlv", f"CTLSEP{MAC}.tlv", f"SEP{MAC}.cnf.xml"
QUICK = Timeouts(HttpLimits(connect_s=5, transfer_s=5), tftp_s=5, tvs_connect_s=5)
SUB_ITL = list_bytes(SUB, (SUB.record(SAST), SUB.record(CCM_TFTP), TVS_SERVER.record(TVS)))
MENU = b"<CiscoIPPhoneMenu><Title>Directories</Title></CiscoIPPhoneMenu>"
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
async def cluster() -> AsyncIterator[TinyCluster]:
    """A cluster with the ITL of the vectors and a configuration signed by its publisher."""
    async with TinyCluster() as tiny:
        tiny.files[ITL_NAME] = vector("ITLFile.tlv")
        tiny.files[CONFIG_NAME] = signed_bytes(PUB, tiny.config())
        yield tiny


def make_phone(
    cluster: TinyCluster, flash: Flash | None = None, name: str = "8865", sink: MemorySink | None = None
) -> Phone:
    clock = ManualClock(NOW)
    return Phone(
        MAC,
        model(name),
        [cluster.server],
        flash or MemoryFlash(),
        clock=clock,
        trace=Trace(sink, clock),
        timeouts=QUICK,
    )


def reasons(report: BootReport) -> dict[str, Reason]:
    return {item.what: item.reason for item in report.decisions}


def screen(report: BootReport) -> list[str]:
    return [message.text for message in report.status_messages]


async def test_first_boot_trusts_the_first_itl_blindly_and_the_configuration_by_it(
    cluster: TinyCluster,
) -> None:
    flash = MemoryFlash()
    report = await make_phone(cluster, flash).boot()
    assert report.outcome is Outcome.BOOTED
    assert report.exit_code == 0
    assert reasons(report) == {"ITL": Reason.LEAP_OF_FAITH, "configuration": Reason.SIGNED_BY_ITL}
    assert screen(report) == ["File Not Found <CTLFile.tlv>", "ITL installed", f"SEP{MAC}.cnf.xml"]
    assert report.alarm is TrustListAlarm.ITL_INITIAL_SUCCESS
    assert report.config_source == "server"
    assert flash.read(Item.ITL) == vector("ITLFile.tlv")
    assert flash.read(Item.CONFIG) == cluster.config()
    assert flash.read(Item.CONFIG_AS_RECEIVED) == cluster.files[CONFIG_NAME]


async def test_files_are_asked_for_in_the_order_of_real_phones_each_over_http_and_then_tftp(
    cluster: TinyCluster,
) -> None:
    await make_phone(cluster).boot()
    assert cluster.asked == [
        f"HTTP {CTL_NAME}",
        f"TFTP {CTL_NAME}",
        f"HTTP {ITL_NAME}",
        f"HTTP {CONFIG_NAME}",
        *asked_unbidden(),
    ]


async def test_the_signed_configuration_of_the_vectors_is_accepted_as_it_is(cluster: TinyCluster) -> None:
    for name in (CONFIG_NAME, f"sha512/{CONFIG_NAME}"):
        cluster.files[CONFIG_NAME] = vector(name)
        report = await make_phone(cluster).boot()
        assert report.exit_code == 0
        assert report.config is not None
        assert report.config.version_stamp == "{0123-4567}"
        assert report.config.call_managers == ("127.0.1.1",)


async def test_second_boot_finds_the_itl_unchanged(cluster: TinyCluster) -> None:
    phone = make_phone(cluster)
    await phone.boot()
    report = await phone.boot()
    assert reasons(report) == {"ITL": Reason.UNCHANGED, "configuration": Reason.SIGNED_BY_ITL}
    assert screen(report) == ["File Not Found <CTLFile.tlv>", f"SEP{MAC}.cnf.xml"]
    assert report.alarm is TrustListAlarm.TL_SUCCESS


async def test_trust_survives_the_power_cut(cluster: TinyCluster, tmp_path: Path) -> None:
    owner = Owner(MAC, "8865")
    await make_phone(cluster, DirectoryFlash.create(tmp_path, owner)).boot()
    cluster.files[ITL_NAME] = vector("rogue/ITLFile.tlv")
    report = await make_phone(cluster, DirectoryFlash.create(tmp_path, owner)).boot()
    assert reasons(report)["ITL"] is Reason.TVS_DOES_NOT_KNOW


async def test_phone_keeps_its_old_itl_when_a_stranger_signed_the_new_one(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    phone = make_phone(cluster, flash)
    await phone.boot()
    cluster.files[ITL_NAME] = vector("rogue/ITLFile.tlv")
    report = await phone.boot()
    assert reasons(report) == {"ITL": Reason.TVS_DOES_NOT_KNOW, "configuration": Reason.SIGNED_BY_ITL}
    assert report.outcome is Outcome.BOOTED
    assert report.exit_code == 1
    assert [item.subject for item in report.refusals] == [ITL_NAME]
    assert report.alarm is TrustListAlarm.TL_FAILED_OLD_ITL
    assert "Trust List update failed" in screen(report)
    assert flash.read(Item.ITL) == vector("ITLFile.tlv")
    assert cluster.asked.count("TVS query") == 1


async def test_phone_keeps_its_old_configuration_when_the_new_one_was_tampered_with(
    cluster: TinyCluster,
) -> None:
    flash = MemoryFlash()
    phone = make_phone(cluster, flash)
    await phone.boot()
    old = flash.read(Item.CONFIG)
    cluster.files[CONFIG_NAME] = flipped(signed_bytes(PUB, cluster.config("https://evil:8443/")))
    report = await phone.boot()
    assert reasons(report)["configuration"] is Reason.BAD_SIGNATURE
    assert report.outcome is Outcome.BOOTED
    assert report.config_source == "flash"
    assert report.exit_code == 1
    assert screen(report)[-1] == f"invalid file {CONFIG_NAME}, authenticated fail."
    assert report.status_messages[-1].reason == "bad_signature"
    assert flash.read(Item.CONFIG) == old


async def test_a_signed_configuration_with_an_external_entity_is_refused_and_nothing_is_read_for_it(
    cluster: TinyCluster, tmp_path: Path
) -> None:
    """Trusted it is; that does not make it a configuration."""
    secret = tmp_path / "secret"
    secret.write_text("not for phones")
    phone = make_phone(cluster)
    before = (await phone.boot()).config
    entity = f'<!DOCTYPE device [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'.encode()
    plain = cluster.config()
    declared, _, rest = plain.partition(b"<device")
    hostile = declared + entity + b"<device" + rest.replace(b"</device>", b"<userLocale>&x;</userLocale></device>")
    cluster.files[CONFIG_NAME] = signed_bytes(PUB, hostile)
    report = await phone.boot()
    (refused,) = report.refusals
    assert (refused.what, refused.reason) == ("configuration", Reason.UNREADABLE)
    assert "document type" in refused.detail
    assert report.config == before
    assert "not for phones" not in json.dumps(report.as_json())


async def test_unsigned_configuration_is_refused_by_a_phone_with_an_itl(cluster: TinyCluster) -> None:
    cluster.files[CONFIG_NAME] = cluster.config()
    report = await make_phone(cluster).boot()
    assert reasons(report)["configuration"] is Reason.UNSIGNED
    assert report.outcome is Outcome.REFUSED
    assert report.exit_code == 1
    assert report.config is None


async def test_tvs_vouches_for_the_signer_of_a_new_itl(cluster: TinyCluster) -> None:
    phone = make_phone(cluster)
    await phone.boot()
    cluster.tvs.knows(SUB, SAST, CCM_TFTP)
    cluster.files[ITL_NAME] = SUB_ITL
    cluster.files[CONFIG_NAME] = signed_bytes(SUB, cluster.config())
    report = await phone.boot()
    assert reasons(report) == {"ITL": Reason.SIGNER_VOUCHED_BY_TVS, "configuration": Reason.SIGNED_BY_ITL}
    itl = report.decision("ITL")
    assert itl is not None
    assert (itl.via, itl.tvs_server) == ("TVS", f"{HOST}:{cluster.tvs.port}")
    assert "Trust List updated" in screen(report)
    assert report.exit_code == 0


async def test_the_second_tvs_answers_when_the_first_is_down(cluster: TinyCluster) -> None:
    phone = make_phone(cluster)
    await phone.boot()
    await cluster.stop_first_tvs()
    cluster.backup_tvs.knows(SUB, SAST)
    cluster.files[ITL_NAME] = SUB_ITL
    report = await phone.boot()
    itl = report.decision("ITL")
    assert itl is not None
    assert itl.accepted
    assert itl.tvs_server == f"{HOST}:{cluster.backup_tvs.port}"


async def test_a_tvs_with_a_certificate_that_the_itl_does_not_list_is_not_believed(
    cluster: TinyCluster,
) -> None:
    records = (RECOVERY.record(SAST), PUB.record(CCM_TFTP), ROGUE.record(TVS))
    cluster.files[ITL_NAME] = list_bytes(RECOVERY, records)
    phone = make_phone(cluster)
    await phone.boot()
    cluster.tvs.knows(SUB, SAST)
    cluster.files[ITL_NAME] = SUB_ITL
    report = await phone.boot()
    assert reasons(report)["ITL"] is Reason.TVS_UNREACHABLE
    assert "TVS query" not in cluster.asked


async def test_a_trust_list_update_empties_the_tvs_cache(cluster: TinyCluster) -> None:
    cluster.tvs.knows(TOMCAT, APP)
    port = await cluster.serve_menu(TOMCAT, MENU)
    url = f"https://{HOST}:{port}/directory"
    phone = make_phone(cluster)
    await phone.boot()
    await phone.open_directory(url)
    await phone.open_directory(url)
    assert cluster.asked.count("TVS verify") == 1
    cluster.files[ITL_NAME] = list_bytes(RECOVERY, timestamp=1_799_000_000)
    await phone.boot()
    await phone.open_directory(url)
    assert cluster.asked.count("TVS verify") == 2


async def test_tvs_answers_are_remembered_over_a_power_cut_until_their_time_is_over(
    cluster: TinyCluster,
) -> None:
    cluster.tvs.knows(TOMCAT, APP)
    port = await cluster.serve_menu(TOMCAT, MENU)
    url, flash = f"https://{HOST}:{port}/directory", MemoryFlash()
    phone = make_phone(cluster, flash)
    await phone.boot()
    await phone.open_directory(url)
    again = make_phone(cluster, flash)
    assert (await again.open_directory(url)).menu is not None
    assert cluster.asked.count("TVS verify") == 1
    later = ManualClock(datetime(2026, 12, 3, tzinfo=UTC))
    two_days_on = Phone(MAC, model("8865"), [cluster.server], flash, clock=later, timeouts=QUICK)
    assert (await two_days_on.open_directory(url)).menu is not None
    assert cluster.asked.count("TVS verify") == 2


async def test_a_ctl_is_fetched_before_the_itl_and_judges_it(cluster: TinyCluster) -> None:
    cluster.files[CTL_NAME] = vector("CTLFile.tlv")
    cluster.files[ITL_NAME] = list_bytes(PUB)
    phone = make_phone(cluster)
    report = await phone.boot()
    assert reasons(report) == {
        "CTL": Reason.LEAP_OF_FAITH,
        "ITL": Reason.SIGNED_BY_CTL,
        "configuration": Reason.SIGNED_BY_CTL,
    }
    assert screen(report)[0] == "CTL and ITL installed"
    assert report.alarm is TrustListAlarm.TL_INITIAL_SUCCESS
    assert phone.settings.cluster_mode == "mixed"


async def test_the_generic_itl_is_taken_when_there_is_none_for_the_phone(cluster: TinyCluster) -> None:
    cluster.files["ITLFile.tlv"] = cluster.files.pop(ITL_NAME)
    report = await make_phone(cluster).boot()
    assert report.exit_code == 0
    assert cluster.asked[2:5] == [f"HTTP {ITL_NAME}", f"TFTP {ITL_NAME}", "HTTP ITLFile.tlv"]


async def test_everything_over_tftp_where_http_is_closed(cluster: TinyCluster) -> None:
    cluster.tftp_files.update(cluster.files)
    async with TinyCluster() as closed:
        closed_port = closed.server.http_port
    server = TftpServer(HOST, cluster.server.tftp_port, closed_port, closed_port)
    report = await Phone(MAC, model("8865"), [server], MemoryFlash(), timeouts=QUICK).boot()
    assert report.exit_code == 0
    assert {item.transport for item in report.decisions} == {Transport.TFTP}


async def test_an_itl_over_64_kib_is_not_loaded_and_the_first_boot_ends(cluster: TinyCluster) -> None:
    many = (*ITL_RECORDS, *(SUB.record(TFTP) for _ in range(40)))
    cluster.files[ITL_NAME] = list_bytes(RECOVERY, many)
    assert len(cluster.files[ITL_NAME]) > MAX_PHONE_FILE_SIZE
    report = await make_phone(cluster).boot()
    assert reasons(report) == {"ITL": Reason.TOO_LARGE}
    assert report.outcome is Outcome.REFUSED
    assert report.alarm is TrustListAlarm.TL_FAILED_NO_TL
    assert screen(report)[-1] == "Trust List update failed"


async def test_an_unknown_device_gets_the_signed_default_configuration(cluster: TinyCluster) -> None:
    del cluster.files[CONFIG_NAME]
    body = b"<Default><autoRegistration>enabled</autoRegistration></Default>"
    cluster.files["XMLDefault.cnf.xml.sgn"] = signed_bytes(PUB, body, name="XMLDefault.cnf.xml.sgn")
    report = await make_phone(cluster).boot()
    assert reasons(report)["default configuration"] is Reason.SIGNED_BY_ITL
    assert report.exit_code == 0
    assert report.config is not None
    assert report.config.kind == "default"
    assert f"File not found {CONFIG_NAME}" in screen(report)
    assert screen(report)[-1] == "XMLDefault.cnf.xml"


async def test_nothing_for_the_device_and_nothing_in_flash(cluster: TinyCluster) -> None:
    del cluster.files[CONFIG_NAME]
    report = await make_phone(cluster).boot()
    assert report.outcome is Outcome.NO_CONFIG
    assert report.exit_code == 1


async def test_a_7960_asks_for_no_list_and_takes_the_unsigned_configuration(cluster: TinyCluster) -> None:
    cluster.files[PLAIN_NAME] = cluster.config()
    report = await make_phone(cluster, name="7960").boot()
    assert cluster.asked == [f"HTTP {PLAIN_NAME}", *asked_unbidden("")]
    assert reasons(report) == {"configuration": Reason.NO_TRUST_LIST}
    assert report.exit_code == 0


async def test_a_7965_refuses_sha_512(cluster: TinyCluster) -> None:
    cluster.files[CONFIG_NAME] = vector(f"sha512/{CONFIG_NAME}")
    report = await make_phone(cluster, name="7965").boot()
    assert reasons(report)["configuration"] is Reason.DIGEST_NOT_SUPPORTED


async def test_no_server_at_all(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    await make_phone(cluster, flash).boot()
    async with TinyCluster() as gone:
        pass
    timeouts = Timeouts(tftp_s=0.3)
    report = await Phone(MAC, model("8865"), [gone.server], flash, timeouts=timeouts).boot()
    assert report.outcome is Outcome.UNREACHABLE
    assert report.exit_code == 4
    assert screen(report) == ["TFTP timeout"]
    assert report.config_source == "flash"


@pytest.mark.parametrize(("name", "said"), [("8865", "DNS unknown host"), ("DX650", "DNS unknown IPv4 Host")])
async def test_a_server_whose_name_has_no_address(name: str, said: str) -> None:
    report = await Phone(MAC, model(name), [TftpServer("no..name")], MemoryFlash()).boot()
    assert {item.failure for item in report.fetches} == {Attempt.UNKNOWN_HOST}
    assert (report.outcome, screen(report)) == (Outcome.UNREACHABLE, [said])


async def test_a_server_that_answers_without_the_file_is_no_missing_file() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"no HTTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as http:
        server = TftpServer("127.0.0.1", 1, http.sockets[0].getsockname()[1], 1)
        report = await Phone(MAC, model("8865"), [server], MemoryFlash(), timeouts=Timeouts(tftp_s=0.3)).boot()
    assert report.outcome is Outcome.NO_CONFIG
    assert set(screen(report)) == {"TFTP error", "No Trust List installed"}


async def test_the_second_tftp_server_is_used_when_the_first_is_gone(cluster: TinyCluster) -> None:
    async with TinyCluster() as gone:
        pass
    servers, timeouts = [gone.server, cluster.server], Timeouts(tftp_s=0.3)
    report = await Phone(MAC, model("8865"), servers, MemoryFlash(), timeouts=timeouts).boot()
    assert report.exit_code == 0
    asked = [fetch.server for fetch in report.fetches if fetch.failure is None]
    assert asked == [f"{HOST}:{cluster.server.http_port}"] * 2


async def test_the_configuration_comes_unsigned_over_https_when_the_itl_says_so(cluster: TinyCluster) -> None:
    cluster.files[ITL_NAME] = vector("v11/ITLFile.tlv")
    cluster.https_files[CONFIG_NAME] = cluster.config()
    report = await make_phone(cluster).boot()
    assert cluster.asked[3:] == [f"HTTPS {CONFIG_NAME}", *asked_unbidden()]  # the others do not go over HTTPS
    assert [item.reason for item in report.decisions] == [
        Reason.LEAP_OF_FAITH,
        Reason.SERVER_IN_ITL,
        Reason.CAME_OVER_TRUSTED_HTTPS,
    ]
    assert report.exit_code == 0


async def test_an_https_server_that_is_not_trusted_is_passed_over_for_http() -> None:
    async with TinyCluster(https_party=ROGUE) as cluster:
        cluster.files[ITL_NAME] = vector("v11/ITLFile.tlv")
        cluster.files[CONFIG_NAME] = signed_bytes(PUB, cluster.config())
        cluster.https_files[CONFIG_NAME] = cluster.config("https://evil:8443/")
        report = await make_phone(cluster).boot()
    assert f"HTTPS {CONFIG_NAME}" not in cluster.asked
    assert cluster.asked[3:] == [f"HTTP {CONFIG_NAME}", *asked_unbidden()]
    assert reasons(report)["server"] is Reason.TVS_NOT_CONFIGURED
    assert reasons(report)["configuration"] is Reason.SIGNED_BY_ITL
    assert report.exit_code == 0


async def test_an_empty_itl_makes_the_phone_take_unsigned_files_and_any_itl(cluster: TinyCluster) -> None:
    phone = make_phone(cluster)
    await phone.boot()
    blanks = tuple(TrustRecord.blank("alpha-pub", function, bytes(4)) for function in (TFTP, TVS))
    cluster.files[ITL_NAME] = list_bytes(RECOVERY, (RECOVERY.record(SAST), *blanks))
    assert (await phone.boot()).decision("ITL") is not None
    cluster.files[ITL_NAME] = vector("rogue/ITLFile.tlv")
    cluster.files[PLAIN_NAME] = cluster.config()
    del cluster.files[CONFIG_NAME]
    report = await phone.boot()
    assert reasons(report)["ITL"] is Reason.EMPTY_ITL


async def test_an_empty_itl_makes_the_phone_ask_for_the_unsigned_configuration(cluster: TinyCluster) -> None:
    cluster.files[ITL_NAME] = list_bytes(RECOVERY, (RECOVERY.record(SAST),))
    cluster.files[PLAIN_NAME] = cluster.config()
    del cluster.files[CONFIG_NAME]
    report = await make_phone(cluster).boot()
    assert reasons(report)["configuration"] is Reason.EMPTY_ITL
    both = [[f"HTTP {name}{end}", f"TFTP {name}{end}"] for name in UNBIDDEN for end in (".sgn", "")]
    assert cluster.asked[-9:] == [f"HTTP {PLAIN_NAME}", *itertools.chain(*both)]


async def test_a_stub_that_announces_an_encrypted_configuration_is_refused(cluster: TinyCluster) -> None:
    cluster.files[CONFIG_NAME] = vector(f"enc/{CONFIG_NAME}")
    report = await make_phone(cluster).boot()
    assert reasons(report)["configuration"] is Reason.ENCRYPTED


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100, vector("ITLFile.tlv")[:3000]])
async def test_a_damaged_itl_in_flash_is_said_and_counts_as_not_there(cluster: TinyCluster, damage: bytes) -> None:
    flash = MemoryFlash()
    await make_phone(cluster, flash).boot()
    flash.write(Item.ITL, damage)
    phone = make_phone(cluster, flash)
    assert phone.settings.status_messages[-1].text == "Could not load ITL File from persistent memory."
    report = await phone.boot()
    assert reasons(report)["ITL"] is Reason.LEAP_OF_FAITH


@pytest.mark.parametrize("item", [Item.CONFIG, Item.STATUS, Item.TVS_CACHE])
async def test_other_damage_in_flash_does_not_keep_the_phone_from_booting(cluster: TinyCluster, item: Item) -> None:
    flash = MemoryFlash()
    await make_phone(cluster, flash).boot()
    flash.write(item, b'\xff{"damaged')
    report = await make_phone(cluster, flash).boot()
    assert report.exit_code == 0


async def test_the_directory_opens_when_tvs_knows_its_server(cluster: TinyCluster) -> None:
    port = await cluster.serve_menu(TOMCAT, MENU)
    url = f"https://{HOST}:{port}/directory"
    cluster.files[CONFIG_NAME] = signed_bytes(PUB, cluster.config(url))
    cluster.tvs.knows(TOMCAT, APP)
    phone = make_phone(cluster)
    await phone.boot()
    report = await phone.open_directory()
    assert report.url == url
    assert report.menu is not None
    assert report.menu.title == "Directories"
    assert report.decision is not None
    assert report.decision.reason is Reason.SERVER_VOUCHED_BY_TVS
    assert report.decision.tvs_server == f"{HOST}:{cluster.tvs.port}"


async def test_an_impostors_directory_is_refused_before_anything_is_sent(cluster: TinyCluster) -> None:
    port = await cluster.serve_menu(ROGUE, MENU)
    phone = make_phone(cluster)
    await phone.boot()
    report = await phone.open_directory(f"https://{HOST}:{port}/directory")
    assert report.menu is None
    assert report.decision is not None
    assert report.decision.reason is Reason.TVS_DOES_NOT_KNOW
    assert "menu directory" not in cluster.asked
    assert phone.settings.status_messages[-1].text == "Host Not Found"


async def test_an_expired_directory_server_is_refused_by_the_phones_clock(cluster: TinyCluster) -> None:
    port = await cluster.serve_menu(TOMCAT, MENU)
    late = ManualClock(datetime(2120, 1, 1, tzinfo=UTC))
    phone = Phone(MAC, model("8865"), [cluster.server], MemoryFlash(), clock=late, timeouts=QUICK)
    await phone.boot()
    report = await phone.open_directory(f"https://{HOST}:{port}/directory")
    assert report.decision is not None
    assert report.decision.reason is Reason.CERTIFICATE_EXPIRED


async def test_a_directory_that_is_not_there_is_reported_as_unreachable(cluster: TinyCluster) -> None:
    async with TinyCluster() as gone:
        pass
    phone = make_phone(cluster)
    report = await phone.open_directory(f"https://{HOST}:{gone.server.http_port}/directory")
    assert not report.reachable
    assert report.decision is None
    with pytest.raises(OperatorError, match="has no directory URL"):
        await phone.open_directory()


async def test_erased_trust_lists_make_the_next_boot_blind_again(cluster: TinyCluster) -> None:
    phone = make_phone(cluster)
    await phone.boot()
    phone.erase_trust_lists()
    assert phone.settings.trust_lists == ()
    assert phone.settings.status_messages[-1].text == "Erasing CTL and ITL files"
    cluster.files[ITL_NAME] = vector("rogue/ITLFile.tlv")
    report = await phone.boot()
    assert reasons(report)["ITL"] is Reason.LEAP_OF_FAITH


async def test_reports_and_menus_are_json(cluster: TinyCluster) -> None:
    phone = make_phone(cluster)
    boot = json.loads(json.dumps((await phone.boot()).as_json()))
    assert (boot["outcome"], boot["exit_code"], boot["refusals"]) == ("booted", 0, [])
    assert boot["decisions"][0]["text"]["ja"].endswith("。")
    settings = json.loads(json.dumps(phone.settings.as_json()))
    assert settings["trust_lists"][0]["records"][0]["function"] == "SAST"
    assert settings["cluster_mode"] == "non-secure"
    directory = await phone.open_directory(f"http://{HOST}:{cluster.server.http_port}/none")
    assert json.loads(json.dumps(directory.as_json()))["menu"] is None


async def test_every_step_is_in_the_trace_under_the_phones_name(cluster: TinyCluster) -> None:
    sink = MemorySink()
    await make_phone(cluster, sink=sink).boot()
    assert {event.where for event in sink.events} == {f"SEP{MAC}"}
    steps = sink.steps(service="Boot")
    assert steps[0] == "power_on"
    assert steps[-1] == "boot_ended"
    assert steps.count("file_asked") == 8
    assert steps.count("decided") == 2


@pytest.mark.parametrize("text", ["001122334455", "00:11:22:33:44:55", "0011.2233.4455", "SEP001122334455"])
def test_a_mac_address_is_read_in_any_notation(text: str) -> None:
    assert normal_mac(text) == MAC


@pytest.mark.parametrize("text", ["", "00112233445", "0011223344556", "SEP00112233445g", "../../etc"])
def test_what_is_no_mac_address_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match="is no MAC address"):
        normal_mac(text)


def test_ports_of_an_offset_laboratory_move_together() -> None:
    assert TftpServer.at("h") == TftpServer("h", 69, 6970, 6971)
    assert TftpServer.at("h", 10_069) == TftpServer("h", 10_069, 16_970, 16_971)


def test_a_phone_without_a_server_is_refused() -> None:
    with pytest.raises(OperatorError, match="at least one TFTP server"):
        Phone(MAC, model("8865"), [], MemoryFlash())
