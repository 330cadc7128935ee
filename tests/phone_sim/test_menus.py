"""The security menu, line by line, for what a phone holds; and what erasing and a factory reset leave of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from base.clock import ManualClock
from base.trace import MemorySink, Trace
from phone_sim.credentials import Credential, encode_credential
from phone_sim.flash import DirectoryFlash, Item, MemoryFlash, Owner
from phone_sim.memory import PhoneMemory
from phone_sim.menus import Entry, security_menu
from phone_sim.models import Family, all_models, model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from phone_sim.trust import IsTrusted, ListKind, TvsSaid
from phone_sim.tvs_memory import TvsMemory
from tests.phone_sim.cast import (
    APP,
    CCM_TFTP,
    CONFIG_NAME,
    ITL_RECORDS,
    MAC,
    PUB,
    RECOVERY,
    SAST,
    SUB,
    TFTP,
    TOMCAT,
    TVS,
    Party,
    list_bytes,
    make_ctl,
    signed_bytes,
    vector,
)
from wire.trustlist import Function, TrustRecord, decode_trust_list

if TYPE_CHECKING:
    from pathlib import Path

    from phone_sim.flash import Flash

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MIC, LSC = Party.named("phone-mic"), SUB
CTL = make_ctl(PUB, (PUB.record(SAST), PUB.record(CCM_TFTP)))
ITL = list_bytes(RECOVERY, (*ITL_RECORDS, TOMCAT.record(APP), SUB.record(Function.CAPF)))
PLAIN = vector(f"SEP{MAC}.cnf.xml")
FULL: dict[Item, bytes] = {
    Item.CTL: CTL.data,
    Item.ITL: ITL,
    Item.CONFIG: PLAIN,
    Item.CONFIG_AS_RECEIVED: signed_bytes(PUB, PLAIN),
    Item.LSC: encode_credential(LSC.identity),
    Item.MIC: encode_credential(MIC.identity),
}


def flash_with(items: dict[Item, bytes]) -> MemoryFlash:
    flash = MemoryFlash()
    for item, data in items.items():
        flash.write(item, data)
    return flash


def menu_of(items: dict[Item, bytes], name: str = "8865") -> Entry:
    return security_menu(PhoneMemory(flash_with(items), model(name), ManualClock(NOW), MAC), model(name).family)


def below(entry: Entry, *keys: str) -> Entry:
    for key in keys:
        (entry,) = (item for item in entry.entries if item.key == key)
    return entry


def lines(entry: Entry) -> list[tuple[str, str]]:
    return [(item.label.en, item.value.en) for item in entry.entries]


def test_the_menu_of_a_factory_new_phone() -> None:
    menu = menu_of({})
    assert lines(menu) == [
        ("Security Mode", "Non Secure"),
        ("LSC", "Not Installed"),
        ("MIC", "Not Installed"),
        ("Trust List", "No Trust List installed"),
    ]
    assert lines(below(menu, "trust_list")) == [
        ("CTL File", "Not Installed"),
        ("ITL File", "Not Installed"),
        ("Signed Configuration", "Not Installed"),
    ]


def test_the_menu_of_a_phone_that_has_everything() -> None:
    menu = menu_of(FULL)
    assert lines(menu) == [
        ("Security Mode", "Non Secure"),
        ("LSC", "Installed"),
        ("MIC", "Installed"),
        ("Trust List", ""),
    ]
    assert lines(below(menu, "mic")) == [
        ("Subject", str(MIC.certificate.subject)),
        ("Issuer", str(MIC.certificate.issuer)),
        ("Key", "RSA 2048"),
        ("Valid From", f"{MIC.certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"),
        ("Valid To", f"{MIC.certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    itl = decode_trust_list(ITL)
    name = {party: str(party.certificate.subject) for party in (RECOVERY, PUB, TOMCAT, SUB)}
    assert lines(below(menu, "trust_list", "itl_file")) == [
        ("ITL Signature (SHA-1)", itl.sha1),
        ("ITL Signature (MD5)", itl.md5),
        ("Signed By", itl.header.signer.name),
        ("Created", "2026-09-21 14:13:20 UTC"),
        ("Size", f"{len(ITL)} bytes"),
        ("Unified CM / TFTP Server", name[PUB]),
        ("CAPF Server", name[SUB]),
        ("TVS", str(Party.named("tvs").certificate.subject)),
        ("Application Server", name[TOMCAT]),
        ("System Administrator Security Token", name[RECOVERY]),
        ("System Administrator Security Token", name[PUB]),
    ]
    tvs = below(menu, "trust_list", "itl_file", "tvs")
    certificate = Party.named("tvs").certificate
    assert lines(tvs)[:2] == [("Role", "TVS"), ("Serial Number", f"{certificate.serial:X}")]
    assert lines(below(menu, "trust_list", "signed_configuration"))[0] == ("File", CONFIG_NAME)
    assert lines(below(menu, "trust_list", "ctl_file"))[0] == ("CTL Signature (SHA-1)", CTL.sha1)


def test_an_ec_key_is_named_as_one() -> None:
    menu = menu_of({Item.LSC: encode_credential(Party.named("callmanager-ecdsa").identity)})
    assert below(menu, "lsc", "key").value.en == "EC 384"


def test_an_empty_itl_shows_empty_lines_where_tvs_and_tftp_were() -> None:
    """R-RBK-1"""
    blanks = tuple(TrustRecord.blank("alpha-pub", function, bytes(4)) for function in (TFTP, TVS))
    itl = below(menu_of({Item.ITL: list_bytes(RECOVERY, (RECOVERY.record(SAST), *blanks))}), "trust_list", "itl_file")
    assert lines(itl)[5:7] == [("Unified CM / TFTP Server", ""), ("TVS", "")]
    assert lines(below(itl, "tvs")) == [("Role", "TVS")]


def test_a_function_that_nobody_knows_is_shown_by_its_number() -> None:
    odd = TrustRecord.for_certificate(SUB.certificate, 99, "x")  # type: ignore[arg-type]
    itl = below(menu_of({Item.ITL: list_bytes(RECOVERY, (*ITL_RECORDS, odd))}), "trust_list", "itl_file")
    assert lines(below(itl, "other"))[0] == ("Role", "99")


@pytest.mark.parametrize(("mode", "words"), [(1, "Non Secure"), (2, "Authenticated"), (3, "Encrypted")])
def test_security_mode_is_that_of_the_configuration(mode: int, words: str) -> None:
    config = f"<device><deviceSecurityMode>{mode}</deviceSecurityMode></device>".encode()
    assert below(menu_of({Item.CONFIG: config}), "security_mode").value.en == words


@pytest.mark.parametrize("family", Family)
def test_the_way_to_the_menu_and_its_words_follow_the_family(family: Family) -> None:
    name = next(item.name for item in all_models().values() if item.family is family)
    menu = menu_of({}, name)
    assert (
        menu.label.en
        == {
            Family.P7800: "Settings > Admin settings > Security setup",
            Family.P7900: "Settings > Security Configuration",
            Family.P8800: "Applications > Admin settings > Security setup",
            Family.DX: "Applications > Admin settings > Security setup",
        }[family]
    )
    installed = "Installed" if family is Family.P7800 else "installed"
    assert below(menu, "trust_list").value.en == f"No Trust List {installed}"


def test_every_label_has_japanese_words_of_its_own() -> None:
    same = {"LSC", "MIC", "TVS"}

    def check(entry: Entry) -> None:
        assert entry.label.ja != entry.label.en or entry.label.en in same
        for item in entry.entries:
            check(item)

    check(menu_of(FULL))


def test_the_menu_is_json() -> None:
    told: Any = json.loads(json.dumps(menu_of(FULL).as_json()))
    assert told["entries"][0] == {
        "key": "security_mode",
        "label": {"en": "Security Mode", "ja": "セキュリティモード"},
        "value": "Non Secure",
        "entries": [],
    }


# --- erasing (R-PHN-4) ---


def phone_with(flash: Flash, sink: MemorySink | None = None) -> Phone:
    clock = ManualClock(NOW)
    nobody = [TftpServer("127.0.0.1")]
    return Phone(MAC, model("8865"), nobody, flash, clock=clock, trace=Trace(sink, clock), auth_string="1234")


def held(phone: Phone) -> set[str]:
    settings = phone.settings
    kinds = {item.kind for item in settings.trust_lists} | {item.kind for item in settings.certificates}
    return kinds | ({"configuration"} if settings.config else set())


EVERYTHING = {"CTL", "ITL", "LSC", "MIC", "configuration"}
ERASED: dict[str, tuple[tuple[ListKind, ...], set[str], list[str]]] = {
    "Erasing CTL and ITL files": ((), {"CTL", "ITL"}, ["CTL", "ITL"]),
    "Erasing CTL file": ((ListKind.CTL,), {"CTL"}, ["CTL"]),
    "Erasing ITL file": ((ListKind.ITL,), {"ITL"}, ["ITL"]),
}


@pytest.mark.parametrize("message", ERASED)
def test_lists_are_erased_together_and_apart(message: str) -> None:
    kinds, gone, traced = ERASED[message]
    flash, sink = flash_with(FULL), MemorySink()
    TvsMemory(flash, ManualClock(NOW)).remember(IsTrusted(TOMCAT.certificate), TvsSaid(True, (7,)), 3_600)
    phone = phone_with(flash, sink)
    phone.erase_trust_lists(*kinds)
    for switched_on in (phone, phone_with(flash)):
        assert held(switched_on) == EVERYTHING - gone
        assert switched_on.settings.status_messages[-1].text == message
    assert flash.read(Item.TVS_CACHE) is None, "what TVS said under those lists goes, too"
    (event,) = [event for event in sink.events if event.step == "trust_lists_erased"]
    assert event.data["lists"] == traced


def test_both_lists_named_are_both_lists() -> None:
    phone = phone_with(flash_with(FULL))
    phone.erase_trust_lists(ListKind.CTL, ListKind.ITL)
    assert phone.settings.status_messages[-1].text == "Erasing CTL and ITL files"


def test_the_lsc_is_erased_alone() -> None:
    flash, sink = flash_with(FULL), MemorySink()
    phone = phone_with(flash, sink)
    phone.erase_lsc()
    for switched_on in (phone, phone_with(flash)):
        assert held(switched_on) == EVERYTHING - {"LSC"}
        assert switched_on.settings.status_messages[-1].text == "Erasing LSC"
    assert "lsc_erased" in sink.steps()
    assert phone.identity is not None
    assert phone.identity.certificate == MIC.certificate


def test_a_factory_reset_leaves_the_mic_and_who_the_phone_is(tmp_path: Path) -> None:
    flash, sink = DirectoryFlash.create(tmp_path, Owner(MAC, "8865")), MemorySink()
    for item, data in FULL.items():
        flash.write(item, data)
    TvsMemory(flash, ManualClock(NOW)).remember(IsTrusted(TOMCAT.certificate), TvsSaid(True, (7,)), 3_600)
    phone = phone_with(flash, sink)
    phone.reset_to_factory()
    for switched_on in (phone, phone_with(flash)):
        assert held(switched_on) == {"MIC"}
        assert [message.text for message in switched_on.settings.status_messages] == ["Factory reset"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flash.json", "mic.pem", "status.json"]
    assert DirectoryFlash.open(tmp_path).owner == Owner(MAC, "8865")
    assert flash.read(Item.MIC) == FULL[Item.MIC]
    assert "factory_reset" in sink.steps()
    assert phone._enroller.auth_string is None, "what somebody typed is forgotten"
    assert phone._tvs._remembered.recall(IsTrusted(TOMCAT.certificate)) is None, "what TVS said is, too"


@pytest.mark.parametrize("item", [item for item in Item if item is not Item.MIC])
def test_a_factory_reset_mends_a_flash_that_cannot_be_read(tmp_path: Path, item: Item) -> None:
    flash = DirectoryFlash.create(tmp_path, Owner(MAC, "8865"))
    (tmp_path / item.value).symlink_to(item.value)
    phone = phone_with(flash)
    phone.reset_to_factory()
    assert [message.text for message in phone_with(flash).settings.status_messages] == ["Factory reset"]
    assert phone._memory.take_losses() == (), "the next boot has nothing lost to tell"


def test_erasing_an_unreadable_mic_is_not_what_a_factory_reset_does(tmp_path: Path) -> None:
    flash = DirectoryFlash.create(tmp_path, Owner(MAC, "8865"))
    flash.write(Item.MIC, b"damaged")
    phone_with(flash).reset_to_factory()
    assert flash.read(Item.MIC) == b"damaged"
    texts = [message.text for message in phone_with(flash).settings.status_messages]
    assert texts[-1] == f"Could not load {Credential.MIC.value} from persistent memory."
