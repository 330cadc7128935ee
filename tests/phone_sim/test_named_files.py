"""The files beside the configuration: asked for over sockets, judged, kept in flash (R-PHN-1, R-PHN-3, R-ITL-7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from base.trace import MemorySink, Trace
from phone_sim.clients.http import HttpLimits
from phone_sim.flash import DirectoryFlash, Flash, Item, MemoryFlash, Owner
from phone_sim.models import model
from phone_sim.namedfiles import APP_DIAL_RULES, HeldFile, Kind, NamedFile, named_files
from phone_sim.options import Timeouts
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.report import BootReport, Outcome
from tests.phone_sim.cast import (
    CCM_TFTP,
    CONFIG_NAME,
    MAC,
    PUB,
    RECOVERY,
    ROGUE,
    SAST,
    TVS,
    Party,
    flipped,
    list_bytes,
    signed_bytes,
    vector,
)
from tests.phone_sim.tiny_cluster import TinyCluster
from wire.dialtemplate import DialPattern, encode_dial_template
from wire.errors import WireError
from wire.localearchive import encode_archive
from wire.phoneconfig import PhoneConfig
from wire.ringlist import Ring, encode_ring_list

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

NOW = datetime(2026, 12, 1, tzinfo=UTC)
QUICK = Timeouts(HttpLimits(connect_s=5, transfer_s=5), tftp_s=5, tvs_connect_s=5)
ITL_NAME = f"ITLSEP{MAC}.tlv"
RINGS = encode_ring_list((Ring("Chirp", "Chirp.rwb"),))
FILES = {
    Kind.USER_LOCALE: ("German_Germany/8865-sip.jar", encode_archive({"x": b"y"})),
    Kind.NETWORK_LOCALE: ("Germany/g3-tones.xml", b"<tones/>"),
    Kind.APP_DIAL_RULES: (APP_DIAL_RULES, b"<rules/>"),
    Kind.SOFT_KEYS: ("SK0815.xml", b"<keys/>"),
    Kind.DIAL_TEMPLATE: ("dialplan.xml", encode_dial_template((DialPattern("*", 5),))),
    Kind.RING_LIST: ("Ringlist.xml", RINGS),
}
ALL_BY_ITL = {kind.value: Reason.SIGNED_BY_ITL for kind in Kind}


def config_naming(cluster: TinyCluster, **texts: str) -> bytes:
    """The configuration of the vectors, with these elements at its end."""
    told = {
        "user": "German_Germany",
        "network": "Germany",
        "soft_keys": "SK0815.xml",
        "template": "dialplan.xml",
        **texts,
    }
    added = (
        f"<sipProfile><softKeyFile>{told['soft_keys']}</softKeyFile>"
        f"<dialTemplate>{told['template']}</dialTemplate></sipProfile>"
        f"<userLocale><name>{told['user']}</name></userLocale>"
        f"<networkLocale>{told['network']}</networkLocale></device>"
    )
    return cluster.config().decode().replace("</device>", added).encode()


def serve(cluster: TinyCluster, signer: Party = PUB, changed: Mapping[Kind, bytes] | None = None) -> None:
    """Signs and serves all files, some of them with other contents."""
    for kind, (name, data) in FILES.items():
        signed = f"{name}.sgn"
        cluster.files[signed] = signed_bytes(signer, (changed or {}).get(kind, data), name=signed)


@pytest.fixture
async def cluster() -> AsyncIterator[TinyCluster]:
    async with TinyCluster() as tiny:
        tiny.files[ITL_NAME] = vector("ITLFile.tlv")
        tiny.files[CONFIG_NAME] = signed_bytes(PUB, config_naming(tiny))
        serve(tiny)
        yield tiny


def phone(
    cluster: TinyCluster, flash: Flash | None = None, name: str = "8865", sink: MemorySink | None = None
) -> Phone:
    clock = ManualClock(NOW)
    trace = Trace(sink, clock)
    return Phone(MAC, model(name), [cluster.server], flash or MemoryFlash(), clock=clock, trace=trace, timeouts=QUICK)


def beside(report: BootReport) -> dict[str, Reason]:
    return {item.what: item.reason for item in report.decisions if item.what not in {"CTL", "ITL", "configuration"}}


def held(report: BootReport) -> list[tuple[str, str]]:
    return [(file.kind, file.name) for file in report.files]


async def test_the_files_are_asked_for_in_order_judged_and_kept(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    report = await phone(cluster, flash).boot()
    assert (report.outcome, report.exit_code, report.refusals) == (Outcome.BOOTED, 0, ())
    assert beside(report) == ALL_BY_ITL
    assert cluster.asked[4:] == [f"HTTP {name}.sgn" for name, _ in FILES.values()]
    assert held(report) == [(kind.value, name) for kind, (name, _) in FILES.items()]
    for kind, (name, data) in FILES.items():
        stored = flash.read(Item[kind.name])
        assert stored is not None
        assert HeldFile.decode(stored) == HeldFile(name, data)
    assert [message.text for message in report.status_messages][-1] == f"SEP{MAC}.cnf.xml"


async def test_what_is_not_there_over_http_is_asked_for_over_tftp(cluster: TinyCluster) -> None:
    cluster.tftp_files["Ringlist.xml.sgn"] = cluster.files.pop("Ringlist.xml.sgn")
    report = await phone(cluster).boot()
    assert cluster.asked[-2:] == ["HTTP Ringlist.xml.sgn", "TFTP Ringlist.xml.sgn"]
    assert beside(report) == ALL_BY_ITL


async def test_missing_files_are_harmless_and_a_missing_locale_is_said(cluster: TinyCluster) -> None:
    for name, _ in FILES.values():
        del cluster.files[f"{name}.sgn"]
    report = await phone(cluster).boot()
    assert (report.outcome, report.exit_code, report.files) == (Outcome.BOOTED, 0, ())
    assert [message.text for message in report.status_messages][-2:] == ["Error Updating Locale"] * 2


def wrong_name(data: bytes) -> bytes:
    return signed_bytes(PUB, data, name="DistinctiveRingList.xml.sgn")


REFUSED = {
    "changed after it was signed": (flipped(signed_bytes(PUB, RINGS, name="Ringlist.xml.sgn")), Reason.BAD_SIGNATURE),
    "another file under its name": (wrong_name(RINGS), Reason.WRONG_FILE_NAME),
    "another folder's file": (signed_bytes(PUB, RINGS, name="x/Ringlist.xml.sgn"), Reason.WRONG_FILE_NAME),
    "not signed": (RINGS, Reason.UNSIGNED),
    "signed by somebody whom nobody knows": (
        signed_bytes(ROGUE, RINGS, name="Ringlist.xml.sgn"),
        Reason.TVS_DOES_NOT_KNOW,
    ),
    "signed by one who may sign lists only": (
        signed_bytes(RECOVERY, RINGS, name="Ringlist.xml.sgn"),
        Reason.TVS_DOES_NOT_KNOW,
    ),
    "a trust list": (vector("ITLFile.tlv"), Reason.UNREADABLE),
    "cut short": (signed_bytes(PUB, RINGS, name="Ringlist.xml.sgn")[:100], Reason.UNREADABLE),
    "nothing": (b"", Reason.UNREADABLE),
    "an encrypted file": (vector("enc/SEP001122334455.cnf.xml.enc.sgn"), Reason.ENCRYPTED),
    "trusted, but no ring list": (signed_bytes(PUB, b"<rings/>", name="Ringlist.xml.sgn"), Reason.UNREADABLE),
    "trusted, but no XML": (signed_bytes(PUB, b"ring", name="Ringlist.xml.sgn"), Reason.UNREADABLE),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_file_that_is_refused_leaves_the_old_one_and_the_boot_goes_on(cluster: TinyCluster, case: str) -> None:
    flash = MemoryFlash()
    before = await phone(cluster, flash).boot()
    data, reason = REFUSED[case]
    cluster.files["Ringlist.xml.sgn"] = data
    report = await phone(cluster, flash).boot()
    assert (report.outcome, report.exit_code, report.config_source) == (Outcome.BOOTED, 1, "server")
    assert [(item.what, item.subject, item.reason) for item in report.refusals] == [
        ("ring list", "Ringlist.xml.sgn", reason)
    ]
    assert report.files == before.files
    last = report.status_messages[-1]
    assert (last.text, last.reason) == ("invalid file Ringlist.xml.sgn, authenticated fail.", reason.value)


UNREADABLE = {
    Kind.USER_LOCALE: b"<userLocale/>",
    Kind.NETWORK_LOCALE: b"tones",
    Kind.APP_DIAL_RULES: b"<rules>",
    Kind.SOFT_KEYS: b'<!DOCTYPE x [<!ENTITY a "b">]><x/>',
    Kind.DIAL_TEMPLATE: b"<DIALTEMPLATE><TEMPLATE/></DIALTEMPLATE>",
    Kind.RING_LIST: b"<CiscoIPPhoneRingList><Ring/></CiscoIPPhoneRingList>",
}


@pytest.mark.parametrize("kind", Kind)
async def test_a_trusted_file_that_the_phone_cannot_read_is_refused_by_name(cluster: TinyCluster, kind: Kind) -> None:
    serve(cluster, changed={kind: UNREADABLE[kind]})
    report = await phone(cluster).boot()
    assert [(item.what, item.reason) for item in report.refusals] == [(kind.value, Reason.UNREADABLE)]
    assert report.refusals[0].detail
    assert [file.kind for file in report.files] == [other.value for other in Kind if other is not kind]
    said = "Error Updating Locale" if kind.is_locale else f"invalid file {FILES[kind][0]}.sgn, authenticated fail."
    assert said in [message.text for message in report.status_messages]


async def test_tvs_vouches_for_a_signer_once_for_all_files(cluster: TinyCluster) -> None:
    """R-TVS-4: the answer is remembered, so one question serves for all."""
    flash = MemoryFlash()
    await phone(cluster, flash).boot()
    cluster.tvs.knows(ROGUE, CCM_TFTP)
    serve(cluster, ROGUE)
    cluster.asked.clear()
    report = await phone(cluster, flash).boot()
    assert report.exit_code == 0
    assert set(beside(report).values()) == {Reason.SIGNER_VOUCHED_BY_TVS}
    assert cluster.asked.count("TVS query") == 1


@pytest.mark.parametrize(
    ("roles", "reason"), [(None, Reason.TVS_DOES_NOT_KNOW), ((SAST, TVS), Reason.TVS_ROLE_MISSING)]
)
async def test_tvs_says_no_and_every_file_is_kept_as_it_was(
    cluster: TinyCluster, roles: tuple[int, ...] | None, reason: Reason
) -> None:
    flash = MemoryFlash()
    before = await phone(cluster, flash).boot()
    if roles is not None:
        cluster.tvs.knows(ROGUE, *roles)
    serve(cluster, ROGUE, {Kind.RING_LIST: encode_ring_list(())})
    report = await phone(cluster, flash).boot()
    assert [item.reason for item in report.refusals] == [reason] * len(Kind)
    assert report.files == before.files


async def test_unchanged_files_are_judged_but_not_written_again(cluster: TinyCluster, tmp_path: Path) -> None:
    flash = DirectoryFlash.create(tmp_path / "flash", Owner(MAC, "8865"))
    await phone(cluster, flash).boot()
    names = [Item[kind.name].value for kind in Kind]
    written = {name: (tmp_path / "flash" / name).stat() for name in names}
    assert {status.st_mode & 0o777 for status in written.values()} == {0o600}
    serve(cluster, changed={Kind.RING_LIST: encode_ring_list((Ring("New", "New.rwb"),))})
    report = await phone(cluster, flash).boot()
    assert beside(report) == ALL_BY_ITL
    again = {name: (tmp_path / "flash" / name).stat() for name in names}
    changed = [name for name in names if again[name].st_ino != written[name].st_ino]
    assert changed == [Item.RING_LIST.value]


async def test_files_outlast_a_power_cut_and_are_in_the_menus(cluster: TinyCluster, tmp_path: Path) -> None:
    owner = Owner(MAC, "8865")
    report = await phone(cluster, DirectoryFlash.create(tmp_path / "flash", owner)).boot()
    later = phone(cluster, DirectoryFlash.create(tmp_path / "flash", owner))
    assert later.settings.files == report.files
    told = later.settings.as_json()["files"]
    assert isinstance(told, list)
    assert told[-1] == {
        "kind": "ring list",
        "name": "Ringlist.xml",
        "size": len(RINGS),
        "sha256": HeldFile("", RINGS).sha256,
    }


@pytest.mark.parametrize("damage", [b"", b"x", b"{}\n", b"[]\n", b'{"name": "a", "sha256": "b"}\nc', b"[" * 100_000])
async def test_a_damaged_file_in_flash_counts_as_not_there(cluster: TinyCluster, damage: bytes) -> None:
    flash = MemoryFlash()
    await phone(cluster, flash).boot()
    flash.write(Item.RING_LIST, damage)
    broken = phone(cluster, flash)
    assert "ring list" not in {file.kind for file in broken.settings.files}
    said = "Could not load ring list from persistent memory."
    assert said in [message.text for message in broken.settings.status_messages]
    assert "ring list" in dict(held(await broken.boot()))


async def test_what_the_configuration_no_longer_names_is_forgotten(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    await phone(cluster, flash).boot()
    cluster.files[CONFIG_NAME] = signed_bytes(PUB, config_naming(cluster, template="", user=""))
    report = await phone(cluster, flash).boot()
    assert [file.kind for file in report.files] == [
        kind.value for kind in Kind if kind not in {Kind.DIAL_TEMPLATE, Kind.USER_LOCALE}
    ]
    assert flash.read(Item.DIAL_TEMPLATE) is None
    assert report.exit_code == 0


async def test_a_phone_that_refuses_the_configuration_asks_for_none_and_keeps_what_it_has(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    before = await phone(cluster, flash).boot()
    cluster.files[CONFIG_NAME] = signed_bytes(ROGUE, config_naming(cluster, template="evil.xml"))
    cluster.asked.clear()
    report = await phone(cluster, flash).boot()
    assert beside(report) == {}
    assert not [name for name in cluster.asked if "Ringlist" in name]
    assert (report.files, report.config_source) == (before.files, "flash")


async def test_a_model_without_security_by_default_takes_unsigned_files(cluster: TinyCluster) -> None:
    cluster.files[f"SEP{MAC}.cnf.xml"] = config_naming(cluster)
    for name, data in FILES.values():
        cluster.files[name.replace("8865", "7960")] = data
    report = await phone(cluster, name="7960").boot()
    assert beside(report) == {kind.value: Reason.NO_TRUST_LIST for kind in Kind}
    assert not [name for name in cluster.asked if name.endswith(".sgn")]
    assert report.exit_code == 0


async def test_a_phone_with_an_empty_itl_takes_what_it_gets(cluster: TinyCluster) -> None:
    """R-RBK-1: signed if there is such a file, by whomever; else unsigned."""
    cluster.files[ITL_NAME] = list_bytes(RECOVERY, (RECOVERY.record(SAST),))
    serve(cluster, ROGUE)
    del cluster.files["Ringlist.xml.sgn"]
    cluster.files["Ringlist.xml"] = RINGS
    report = await phone(cluster).boot()
    assert beside(report) == {kind.value: Reason.EMPTY_ITL for kind in Kind}
    assert cluster.asked[-3:] == ["HTTP Ringlist.xml.sgn", "TFTP Ringlist.xml.sgn", "HTTP Ringlist.xml"]


@pytest.mark.parametrize(
    "name", ["../CTLFile.tlv", "/etc/passwd", "a\\b", "x\ny", "x?y=z", "ä.xml", "%2e%2e/x", "a" * 65, "a/b/c/d", ".x"]
)
async def test_a_name_that_cannot_be_asked_for_is_passed_over(cluster: TinyCluster, name: str) -> None:
    cluster.files[CONFIG_NAME] = signed_bytes(PUB, config_naming(cluster, soft_keys=name))
    sink = MemorySink()
    report = await phone(cluster, sink=sink).boot()
    assert report.exit_code == 0
    assert "soft keys" not in beside(report)
    passed_over = [event.data for event in sink.events if event.step == "name_unusable"]
    assert passed_over == [{"what": "soft keys", "file": name}]


async def test_a_server_that_falls_silent_ends_the_boot_with_the_configuration_that_came(cluster: TinyCluster) -> None:
    """The rest is not asked for: nobody would answer."""
    cluster.last_file = "Germany/g3-tones.xml.sgn"
    impatient = Phone(MAC, model("8865"), [cluster.server], MemoryFlash(), timeouts=Timeouts(tftp_s=0.3))
    report = await impatient.boot()
    assert (report.outcome, report.exit_code, report.config_source) == (Outcome.BOOTED, 0, "server")
    assert [file.kind for file in report.files] == ["user locale", "network locale"]
    assert [item.file for item in report.fetches[-2:]] == ["AppDialRules.xml.sgn"] * 2
    assert report.status_messages[-1].text == "TFTP timeout"


async def test_the_next_server_goes_on_where_the_first_fell_silent(cluster: TinyCluster) -> None:
    cluster.last_file = "Germany/g3-tones.xml.sgn"
    async with TinyCluster() as second:
        serve(second)
        servers = [cluster.server, second.server]
        report = await Phone(MAC, model("8865"), servers, MemoryFlash(), timeouts=Timeouts(tftp_s=0.3)).boot()
    assert beside(report) == ALL_BY_ITL
    assert second.asked == [f"HTTP {name}.sgn" for name, _ in list(FILES.values())[2:]]


def test_names_come_from_the_configuration_and_the_model() -> None:
    config = PhoneConfig(user_locale="A", network_locale="B", soft_key_file="C.xml", dial_template="D.xml")
    assert named_files(config, model("7841")) == (
        NamedFile(Kind.USER_LOCALE, "A/7841-sip.jar"),
        NamedFile(Kind.NETWORK_LOCALE, "B/g3-tones.xml"),
        NamedFile(Kind.APP_DIAL_RULES, "AppDialRules.xml"),
        NamedFile(Kind.SOFT_KEYS, "C.xml"),
        NamedFile(Kind.DIAL_TEMPLATE, "D.xml"),
        NamedFile(Kind.RING_LIST, "Ringlist.xml"),
    )
    assert [file.kind for file in named_files(PhoneConfig(), model("7841"))] == [Kind.APP_DIAL_RULES, Kind.RING_LIST]


@pytest.mark.parametrize("name", ["SK{0815-a}.xml", "New_Zealand/g3-tones.xml", "Standard User.xml", "a/b/c.xml"])
def test_names_of_real_servers_can_be_asked_for(name: str) -> None:
    assert NamedFile(Kind.SOFT_KEYS, name).is_usable


def test_every_part_of_a_held_file_is_refused_by_flash() -> None:
    whole = HeldFile("Ringlist.xml", RINGS).encode()
    for length in range(len(whole)):
        with pytest.raises(WireError):
            HeldFile.decode(whole[:length])
