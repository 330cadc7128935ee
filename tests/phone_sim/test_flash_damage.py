"""Flash that was damaged or written by something else: the phone starts, says what it lost, and loses nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from phone_sim.clients.http import HttpLimits
from phone_sim.credentials import encode_credential
from phone_sim.flash import DirectoryFlash, Item, MemoryFlash, Owner
from phone_sim.models import model
from phone_sim.namedfiles import HeldFile, Kind
from phone_sim.options import Timeouts
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from phone_sim.trust import IsTrusted, TvsSaid
from phone_sim.tvs_memory import TvsMemory
from tests.phone_sim.cast import (
    APP,
    CCM_TFTP,
    CONFIG_NAME,
    MAC,
    PUB,
    RECOVERY,
    SAST,
    SUB,
    TOMCAT,
    Party,
    list_bytes,
    make_ctl,
    signed_bytes,
    vector,
)
from tests.phone_sim.tiny_cluster import TinyCluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 12, 1, tzinfo=UTC)
QUICK = Timeouts(HttpLimits(connect_s=5, transfer_s=5), tftp_s=5, tvs_connect_s=5)
WORDS = {
    Item.CTL: "Could not load CTL File from persistent memory.",
    Item.ITL: "Could not load ITL File from persistent memory.",
    Item.CONFIG: "Could not load configuration from persistent memory.",
    Item.CONFIG_AS_RECEIVED: "Could not load signed configuration from persistent memory.",
    Item.LSC: "Could not load LSC from persistent memory.",
    Item.MIC: "Could not load MIC from persistent memory.",
    Item.STATUS: "Could not load status messages from persistent memory.",
    Item.TVS_CACHE: "Could not load TVS cache from persistent memory.",
    **{Item[kind.name]: f"Could not load {kind.value} from persistent memory." for kind in Kind},
}
PLAIN = vector(f"SEP{MAC}.cnf.xml")
OTHERS = "665544332211"


def tvs_cache() -> bytes:
    flash = MemoryFlash()
    known = TvsSaid(trusted=True, roles=(APP,), certificate=None)
    TvsMemory(flash, ManualClock(NOW)).remember(IsTrusted(TOMCAT.certificate), known, 86_400)
    data = flash.read(Item.TVS_CACHE)
    assert data is not None
    return data


WHOLE: dict[Item, bytes] = {
    Item.CTL: make_ctl(PUB, (PUB.record(SAST), PUB.record(CCM_TFTP))).data,
    Item.ITL: list_bytes(PUB),
    Item.CONFIG: PLAIN,
    Item.CONFIG_AS_RECEIVED: signed_bytes(PUB, PLAIN),
    Item.LSC: encode_credential(SUB.identity),
    Item.MIC: encode_credential(Party.named("phone-mic").identity),
    Item.STATUS: json.dumps([{"time": NOW.isoformat(), "text": "ITL installed", "reason": "", "detail": ""}]).encode(),
    Item.TVS_CACHE: tvs_cache(),
    **{Item[kind.name]: HeldFile(f"{kind.name}.xml", b"<a>1</a>").encode() for kind in Kind},
}
OTHER_FORMAT: dict[Item, bytes] = {
    Item.CTL: WHOLE[Item.ITL],
    Item.ITL: WHOLE[Item.CTL],
    Item.CONFIG: b"<CiscoIPPhoneMenu><Title>Directories</Title></CiscoIPPhoneMenu>",
    Item.CONFIG_AS_RECEIVED: WHOLE[Item.ITL],
    Item.LSC: SUB.certificate.pem.encode(),
    Item.MIC: WHOLE[Item.MIC].replace(b"CERTIFICATE", b"CERTIFICATION"),
    Item.STATUS: json.dumps({"format": 2, "messages": []}).encode(),
    Item.TVS_CACHE: json.dumps([{"key": "k", "roles": [], "certificate": None, "expires": NOW.isoformat()}]).encode(),
    **{Item[kind.name]: b"<a>1</a>" for kind in Kind},
}
ANOTHERS: dict[Item, bytes] = {
    Item.CTL: list_bytes(PUB, (PUB.record(SAST),), file_name=f"CTLSEP{OTHERS}.tlv"),
    Item.ITL: list_bytes(RECOVERY, file_name=f"ITLSEP{OTHERS}.tlv"),
    Item.CONFIG_AS_RECEIVED: signed_bytes(PUB, b"<device/>"),
    Item.LSC: SUB.certificate.pem.encode() + WHOLE[Item.MIC][WHOLE[Item.MIC].index(b"-----BEGIN PRIVATE") :],
    Item.MIC: PUB.certificate.pem.encode() + WHOLE[Item.MIC][WHOLE[Item.MIC].index(b"-----BEGIN PRIVATE") :],
}


def writing(data: bytes | Callable[[Item], bytes]) -> Callable[[Path, Item], None]:
    def write(path: Path, item: Item) -> None:
        path.write_bytes(data if isinstance(data, bytes) else data(item))

    return write


def link_in_a_circle(path: Path, _item: Item) -> None:
    """Unreadable for everybody, the superuser too."""
    path.unlink()
    path.symlink_to(path.name)


def enormous(path: Path, _item: Item) -> None:
    with path.open("wb") as file:
        file.truncate(5 * 1024 * 1024)


DAMAGES: dict[str, Callable[[Path, Item], None]] = {
    "empty": writing(b""),
    "zeros": writing(bytes(512)),
    "garbage": writing(b"\xff\xfe\x00{<" * 100),
    "half": writing(lambda item: WHOLE[item][: len(WHOLE[item]) // 2]),
    "nested beyond measure": writing(b"[" * 200_000),
    "another format": writing(lambda item: OTHER_FORMAT[item]),
    "oversized": enormous,
    "unreadable": link_in_a_circle,
}
CASES = [pytest.param(item, DAMAGES[name], id=f"{item.value}: {name}") for item in Item for name in DAMAGES]
CASES += [pytest.param(item, writing(data), id=f"{item.value}: another phone's") for item, data in ANOTHERS.items()]


def phone_with(flash: DirectoryFlash | MemoryFlash, *servers: TftpServer) -> Phone:
    tftp = servers or (TftpServer("127.0.0.1"),)
    return Phone(MAC, model("8865"), tftp, flash, clock=ManualClock(NOW), timeouts=QUICK)


def loaded(phone: Phone) -> set[Item]:
    """What the phone knows of its flash, as its menus show it."""
    settings = phone.settings
    held = {summary.kind for summary in settings.trust_lists} | {item.kind for item in settings.certificates}
    known = {Item[name] for name in held} | {Item[Kind(file.kind).name] for file in settings.files}
    known |= {Item.CONFIG} if settings.config else set()
    known |= {Item.STATUS} if settings.status_messages[:1] and not settings.status_messages[0].reason else set()
    menu = json.dumps(settings.as_json()["security_menu"])
    known |= {Item.CONFIG_AS_RECEIVED} if f'"value": "{CONFIG_NAME}"' in menu else set()
    return known | ({Item.TVS_CACHE} if WORDS[Item.TVS_CACHE] not in screen(phone) else set())


def screen(phone: Phone) -> list[str]:
    return [message.text for message in phone.settings.status_messages]


def fingerprint(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every file as it was written last."""
    stats = {path.name: path.lstat() for path in folder.iterdir()}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


@pytest.fixture
def flash(tmp_path: Path) -> DirectoryFlash:
    made = DirectoryFlash.create(tmp_path, Owner(MAC, "8865"))
    for item, data in WHOLE.items():
        made.write(item, data)
    return made


def test_whole_flash_is_read_without_a_word(flash: DirectoryFlash) -> None:
    phone = phone_with(flash)
    assert screen(phone) == ["ITL installed"]
    assert loaded(phone) == set(Item)


@pytest.mark.parametrize(("item", "damage"), CASES)
async def test_what_is_lost_is_said_and_nothing_else_is_lost(
    flash: DirectoryFlash, tmp_path: Path, item: Item, damage: Callable[[Path, Item], None]
) -> None:
    damage(tmp_path / item.value, item)
    before = fingerprint(tmp_path)
    phone = phone_with(flash)
    assert screen(phone) == [*(["ITL installed"] if item is not Item.STATUS else []), WORDS[item]]
    assert phone.settings.status_messages[-1].reason
    assert phone.settings.status_messages[-1].detail
    assert loaded(phone) == set(Item) - {item}
    assert fingerprint(tmp_path) == before, "looking at it changes nothing"
    async with TinyCluster() as cluster:
        cluster.files[f"CTLSEP{MAC}.tlv"] = WHOLE[Item.CTL]
        cluster.files[f"ITLSEP{MAC}.tlv"] = WHOLE[Item.ITL]
        cluster.files[CONFIG_NAME] = signed_bytes(PUB, cluster.config())
        report = await phone_with(flash, cluster.server).boot()
    assert report.exit_code == 0
    assert report.status_messages[0].text == WORDS[item], "the boot tells what was lost when the phone was switched on"
    again = phone_with(flash)
    assert WORDS[item] in screen(again), "it is written down before the lost item is overwritten"
    assert loaded(again) >= {Item.CTL, Item.ITL, Item.CONFIG, Item.CONFIG_AS_RECEIVED}, "and is fetched again"


@pytest.mark.parametrize("item", Item)
def test_an_item_cut_off_anywhere_is_said_or_still_whole(item: Item) -> None:
    whole = WHOLE[item]
    shortest = len(whole) if whole.endswith(b"\n") else len(whole) + 1
    step = 1 if item not in {Item.LSC, Item.MIC} else 7  # every key is read anew
    for length in range(0, len(whole), step):
        flash = MemoryFlash()
        flash.write(item, whole[:length])
        if item is Item.CONFIG_AS_RECEIVED:
            flash.write(Item.CONFIG, PLAIN)
        shown = screen(phone_with(flash))
        assert shown == [WORDS[item]] or length >= shortest - 1, f"{length} bytes of {len(whole)}"


def test_an_own_list_may_carry_the_phones_own_name(tmp_path: Path) -> None:
    flash = DirectoryFlash.create(tmp_path, Owner(MAC, "8865"))
    flash.write(Item.ITL, list_bytes(RECOVERY, file_name=f"itlsep{MAC}.tlv"))
    assert screen(phone_with(flash)) == []


async def test_losses_are_told_once(flash: DirectoryFlash) -> None:
    flash.write(Item.LSC, b"")
    async with TinyCluster() as cluster:
        cluster.files[f"ITLSEP{MAC}.tlv"] = WHOLE[Item.ITL]
        cluster.files[CONFIG_NAME] = signed_bytes(PUB, cluster.config())
        phone = phone_with(flash, cluster.server)
        first, second = await phone.boot(), await phone.boot()
    assert [message.text for message in first.status_messages].count(WORDS[Item.LSC]) == 1
    assert WORDS[Item.LSC] not in [message.text for message in second.status_messages]
