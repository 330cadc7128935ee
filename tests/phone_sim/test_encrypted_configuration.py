"""Encrypted configurations on the phone, from files that another tool encrypted (R-SBD-3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from phone_sim.boot import Event, Fetch, File, Install, RunCapf, Situation, State, advance
from phone_sim.credentials import Credential, decode_credential, encode_credential
from phone_sim.flash import DirectoryFlash, Item, MemoryFlash, Owner
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.report import BootReport, Outcome
from phone_sim.trust import Accept, AskTvs, Held, KeepOld, judge_signed, read_signed
from tests.phone_sim.cast import CONFIG_NAME, EC, MAC, PUB, ROGUE, Party, flipped, signed_bytes, vector
from tests.phone_sim.tiny_cluster import TinyCluster, asked_unbidden
from wire.digests import DigestAlgorithm
from wire.encryptedfile import EncryptedFile, certificate_hash, encrypt_file
from wire.errors import WireError
from wire.phoneconfig import PhoneConfig, encode_phone_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from phone_sim.flash import Flash
    from wire.certificates import Certificate

ENC_NAME = f"SEP{MAC}.cnf.xml.enc.sgn"
MIC = Party.named("phone-mic")
STUB, ENCRYPTED = vector(f"enc/{CONFIG_NAME}"), vector(f"enc/{ENC_NAME}")
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
async def cluster() -> AsyncIterator[TinyCluster]:
    async with TinyCluster() as tiny:
        tiny.files[f"ITLSEP{MAC}.tlv"] = vector("ITLFile.tlv")
        tiny.files[CONFIG_NAME] = STUB
        tiny.files[ENC_NAME] = ENCRYPTED
        yield tiny


def make_phone(cluster: TinyCluster, flash: Flash | None = None, holder: Party | None = MIC) -> Phone:
    phone = Phone(MAC, model("8865"), [cluster.server], flash or MemoryFlash(), clock=ManualClock(NOW))
    if holder is not None:
        phone.install_mic(holder.identity)
    return phone


def encrypted(
    body: bytes, signer: Party = PUB, recipient: Certificate = MIC.certificate, name: str = ENC_NAME
) -> bytes:
    return encrypt_file(
        name,
        body,
        recipient=recipient,
        signer=signer.signer,
        digest=DigestAlgorithm.SHA1,
        timestamp=1_790_000_000,
        iv=bytes(16),
        aes_key=bytes(range(16)),
    )


def decisions(report: BootReport) -> list[tuple[str, Reason]]:
    return [(item.what, item.reason) for item in report.decisions if item.what != "ITL"]


async def test_a_file_that_another_tool_encrypted_is_decrypted_with_the_mic(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    report = await make_phone(cluster, flash).boot()
    assert report.outcome is Outcome.BOOTED
    assert decisions(report) == [
        ("configuration", Reason.SIGNED_BY_ITL),
        ("encrypted configuration", Reason.SIGNED_BY_ITL),
    ]
    assert flash.read(Item.CONFIG) == vector(f"SEP{MAC}.cnf.xml")
    assert flash.read(Item.CONFIG_AS_RECEIVED) == ENCRYPTED
    assert [message.text for message in report.status_messages][-1] == f"SEP{MAC}.cnf.xml.enc"
    assert cluster.asked[-6:] == [f"HTTP {CONFIG_NAME}", f"HTTP {ENC_NAME}", *asked_unbidden()]


async def test_without_the_key_nothing_is_asked_for_and_the_reason_is_named(cluster: TinyCluster) -> None:
    report = await make_phone(cluster, holder=None).boot()
    assert report.outcome is Outcome.REFUSED
    assert decisions(report) == [("configuration", Reason.ENCRYPTED)]
    digest = certificate_hash(MIC.certificate)
    assert report.refusals[0].detail == f"for the certificate with MD5 {digest}; the phone has neither LSC nor MIC"
    assert f"HTTP {ENC_NAME}" not in cluster.asked


async def test_another_certificate_is_no_key(cluster: TinyCluster) -> None:
    report = await make_phone(cluster, holder=ROGUE).boot()
    assert report.refusals[0].reason is Reason.ENCRYPTED
    assert report.refusals[0].detail.endswith("the phone has MIC")


def stub_for(certificate: Certificate) -> bytes:
    config = PhoneConfig(full_config=False, cert_hash=certificate_hash(certificate), encrypted=True)
    return signed_bytes(PUB, encode_phone_config(config))


async def test_an_ec_key_decrypts_nothing(cluster: TinyCluster) -> None:
    cluster.files[CONFIG_NAME] = stub_for(EC.certificate)
    report = await make_phone(cluster, holder=EC).boot()
    assert report.refusals[0].reason is Reason.ENCRYPTED
    assert "has an EC key" in report.refusals[0].detail


WRONG_FILES: dict[str, tuple[bytes, Reason]] = {
    "a changed byte of ciphertext breaks the signature": (flipped(ENCRYPTED), Reason.BAD_SIGNATURE),
    "a stranger's signature": (encrypted(b"<device/>", ROGUE), Reason.TVS_NOT_CONFIGURED),
    "another phone's file": (
        encrypted(b"<device/>", name="SEP001122334456.cnf.xml.enc.sgn"),
        Reason.WRONG_FILE_NAME,
    ),
    "encrypted for another key": (encrypted(b"<device/>", recipient=ROGUE.certificate), Reason.NOT_DECRYPTED),
    "no configuration inside": (encrypted(b"Hello"), Reason.UNREADABLE),
    "a stub inside": (
        encrypted(encode_phone_config(PhoneConfig(full_config=False, encrypted=True, cert_hash="00"))),
        Reason.UNREADABLE,
    ),
    "a signed file that is not encrypted": (
        signed_bytes(PUB, vector(f"SEP{MAC}.cnf.xml"), name=ENC_NAME),
        Reason.UNREADABLE,
    ),
    "plain XML": (vector(f"SEP{MAC}.cnf.xml"), Reason.UNSIGNED),
    "not a file at all": (b"\0\1\2", Reason.UNREADABLE),
}


@pytest.mark.parametrize("case", WRONG_FILES)
async def test_what_comes_in_place_of_the_encrypted_file_is_refused(case: str, cluster: TinyCluster) -> None:
    data, reason = WRONG_FILES[case]
    cluster.files[ENC_NAME] = data
    flash = MemoryFlash()
    report = await make_phone(cluster, flash).boot()
    assert report.outcome is Outcome.REFUSED
    assert decisions(report)[-1] == ("encrypted configuration", reason)
    assert flash.read(Item.CONFIG) is None


async def test_an_encrypted_file_under_the_plain_name_is_refused(cluster: TinyCluster) -> None:
    cluster.files[CONFIG_NAME] = encrypted(b"<device/>", name=CONFIG_NAME)
    report = await make_phone(cluster).boot()
    assert decisions(report) == [("configuration", Reason.ENCRYPTED)]


async def test_a_missing_encrypted_file_leaves_the_old_configuration(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    cluster.files[CONFIG_NAME] = signed_bytes(PUB, cluster.config())
    await make_phone(cluster, flash).boot()
    cluster.files[CONFIG_NAME] = STUB
    del cluster.files[ENC_NAME]
    report = await make_phone(cluster, flash).boot()
    assert (report.outcome, report.config_source) == (Outcome.BOOTED, "flash")
    new = await make_phone(cluster).boot()
    assert new.outcome is Outcome.NO_CONFIG


async def test_tvs_is_asked_about_the_signer_of_an_encrypted_file(cluster: TinyCluster) -> None:
    flash = MemoryFlash()
    cluster.files[CONFIG_NAME] = signed_bytes(PUB, cluster.config())
    await make_phone(cluster, flash).boot()
    cluster.tvs.knows(ROGUE, 3)
    cluster.files[CONFIG_NAME] = STUB
    cluster.files[ENC_NAME] = encrypted(cluster.config(), ROGUE)
    report = await make_phone(cluster, flash).boot()
    assert decisions(report)[-1] == ("encrypted configuration", Reason.SIGNER_VOUCHED_BY_TVS)
    assert "TVS query" in cluster.asked


def test_the_name_decides_whether_a_file_has_to_be_encrypted() -> None:
    file = read_signed(ENCRYPTED)
    assert isinstance(file, EncryptedFile)
    held = Held()
    assert judge_signed(CONFIG_NAME, file, held) == KeepOld(Reason.ENCRYPTED)
    assert not isinstance(judge_signed(ENC_NAME, file, held), Accept | AskTvs), "nothing to trust its signer by"


# --- certificates in flash ---


def test_a_certificate_and_its_key_are_one_file_for_the_owner_alone(tmp_path: Path) -> None:
    flash = DirectoryFlash.create(tmp_path / "phone", Owner(MAC, "8865"))
    phone = Phone(MAC, model("8865"), [TinyCluster().server], flash)
    phone.install_mic(MIC.identity)
    path = tmp_path / "phone" / "mic.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    again = Phone(MAC, model("8865"), [TinyCluster().server], flash)
    assert again.identity is not None
    assert again.identity.certificate == MIC.certificate
    assert [item.kind for item in again.settings.certificates] == ["MIC"]


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff" * 40,
        b"-----BEGIN CERTIFICATE-----",
        vector("phone-mic.pem")[:1500],
        encode_credential(MIC.identity)[:-60],
    ],
)
def test_a_damaged_certificate_counts_as_not_there_and_is_said(damage: bytes) -> None:
    flash = MemoryFlash()
    flash.write(Item.LSC, damage)
    phone = Phone(MAC, model("8865"), [TinyCluster().server], flash)
    assert phone.identity is None
    assert phone.settings.status_messages[-1].text == "Could not load LSC from persistent memory."


def test_a_key_of_another_certificate_is_no_pair() -> None:
    stranger = replace(MIC.identity, private_key=ROGUE.key)
    with pytest.raises(WireError, match="the key is not that of the certificate"):
        decode_credential(encode_credential(stranger))


def test_no_text_of_a_credential_quotes_its_key() -> None:
    with pytest.raises(WireError) as caught:
        decode_credential(encode_credential(MIC.identity).replace(b"PRIVATE KEY-----\nMII", b"PRIVATE KEY-----\nMIX"))
    assert str(caught.value) == "no readable key"
    assert Credential.LSC.value == "LSC"


# --- the table ---

ASKS, SEEN = Situation(has_trust_list=True, capf_wanted=True), Situation(has_trust_list=True)
OLD = replace(SEEN, has_config=True)


@pytest.mark.parametrize(
    ("state", "event", "situation", "end"),
    [
        (State.CONFIG_CHECK, Event.ACCEPTED, ASKS, State.CAPF),
        (State.CONFIG_CHECK, Event.ACCEPTED, SEEN, State.BOOTED),
        (State.CONFIG_CHECK, Event.REFUSED, ASKS, State.CAPF),
        (State.CONFIG_CHECK, Event.REFUSED, OLD, State.BOOTED),
        (State.CONFIG_CHECK, Event.REFUSED, SEEN, State.REFUSED),
        (State.CONFIG_CHECK, Event.ANNOUNCED, ASKS, State.ENCRYPTED),
        (State.ENCRYPTED_CHECK, Event.ACCEPTED, ASKS, State.CAPF),
        (State.ENCRYPTED_CHECK, Event.ACCEPTED, OLD, State.BOOTED),
        (State.ENCRYPTED, Event.NOT_FOUND, OLD, State.BOOTED),
        (State.ENCRYPTED, Event.NOT_FOUND, SEEN, State.NO_CONFIG),
        (State.CAPF, Event.CERTIFICATE_CHANGED, SEEN, State.CONFIG),
        (State.CAPF, Event.CERTIFICATE_CHANGED, Situation(), State.PLAIN_CONFIG),
        (State.CAPF, Event.CERTIFICATE_KEPT, OLD, State.BOOTED),
        (State.CAPF, Event.CERTIFICATE_KEPT, SEEN, State.REFUSED),
    ],
)
def test_where_the_boot_goes_from_here(state: State, event: Event, situation: Situation, end: State) -> None:
    row = advance(state, event, situation)
    assert row.next is end
    assert (RunCapf() in row.effects) is (end is State.CAPF)
    assert any(isinstance(effect, Install) for effect in row.effects) is (event is Event.ACCEPTED)
    if event is Event.ANNOUNCED:
        assert row.effects == (Fetch(File.ENCRYPTED_CONFIG),)
