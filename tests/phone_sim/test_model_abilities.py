"""What a model lacks, its phone does not do: digests, SAST records, messages, encryption, a type number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from phone_sim import sipmessages
from phone_sim.flash import Item, MemoryFlash
from phone_sim.memory import PhoneMemory
from phone_sim.messages import Status
from phone_sim.models import Ability, Family, model
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.report import Outcome
from phone_sim.trust import Accept, Held, KeepOld, ListKind, judge_list, judge_signed
from tests.phone_sim.cast import (
    CCM_TFTP,
    CONFIG_NAME,
    MAC,
    PUB,
    RECOVERY,
    SAST,
    SUB,
    Party,
    make_list,
    make_signed,
    vector,
)
from tests.phone_sim.test_registration import CAPTURED
from tests.phone_sim.tiny_cluster import TinyCluster
from wire.fileheader import DigestAlgorithm

if TYPE_CHECKING:
    from wire.sip import Request

NOW = datetime(2026, 12, 1, tzinfo=UTC)
KNOWS = Accept(Reason.SIGNED_BY_ITL)
LACKS_256 = KeepOld(Reason.DIGEST_NOT_SUPPORTED, "signed with SHA-256")
LACKS_512 = KeepOld(Reason.DIGEST_NOT_SUPPORTED, "signed with SHA-512")


@pytest.mark.parametrize(
    ("sha256", "sha512", "digest", "decision"),
    [
        (False, False, DigestAlgorithm.SHA1, KNOWS),
        (True, False, DigestAlgorithm.SHA256, KNOWS),
        (False, True, DigestAlgorithm.SHA256, LACKS_256),
        (False, True, DigestAlgorithm.SHA512, KNOWS),
        (True, False, DigestAlgorithm.SHA512, LACKS_512),
    ],
)
def test_a_digest_that_the_model_lacks_is_refused_in_lists_and_files(
    *, sha256: bool, sha512: bool, digest: DigestAlgorithm, decision: object
) -> None:
    held = Held(itl=make_list(RECOVERY), sha256=sha256, sha512=sha512)
    newer = make_list(RECOVERY, timestamp=1_790_000_001, digest=digest)
    assert judge_list(ListKind.ITL, "ITLFile.tlv", newer, held) == decision
    assert judge_signed(CONFIG_NAME, make_signed(PUB, digest=digest), held) == decision


@pytest.mark.parametrize(("limit", "accepted"), [(1, False), (2, False), (3, True)])
def test_the_model_says_how_many_sast_records_count(limit: int, *, accepted: bool) -> None:
    three = (RECOVERY.record(SAST), PUB.record(SAST), SUB.record(SAST), SUB.record(CCM_TFTP))
    signed_by_the_third = make_list(SUB, three, timestamp=1_790_000_001)
    held = Held(itl=make_list(RECOVERY, three), sast_limit=limit)
    decision = judge_list(ListKind.ITL, "ITLFile.tlv", signed_by_the_third, held)
    expected = KNOWS if accepted else KeepOld(Reason.SIGNER_NOT_IN_OWN_LIST, f"signer {SUB.certificate.subject}")
    assert decision == expected


def test_a_phone_judges_by_the_limits_and_abilities_of_its_model() -> None:
    """`Held` gets each of them from the table."""
    kind = replace(model("8865"), sha256=Ability.NO, sha512=Ability.NO, rsa_4096=Ability.NO, sast_records=5)
    poor, rich = (PhoneMemory(MemoryFlash(), each, ManualClock(NOW)).held for each in (kind, model("8865")))
    assert (poor.sha256, poor.sha512, poor.long_keys, poor.sast_limit) == (False, False, False, 5)
    assert (rich.sha256, rich.sha512, rich.long_keys, rich.sast_limit) == (True, True, True, 2)


@pytest.mark.parametrize(("name", "kept"), [("8865", 30), ("DX80", 50), ("7945", 30)])
def test_a_phone_keeps_as_many_status_messages_as_its_model(name: str, kept: int) -> None:
    flash, clock = MemoryFlash(), ManualClock(NOW)
    memory = PhoneMemory(flash, model(name), clock)
    for number in range(60):
        memory.say(Status.CONFIG_IN_USE, str(number))
    memory.save_log()
    for log in (memory.log, PhoneMemory(flash, model(name), clock).log):
        assert [item.text for item in log.messages] == [str(number) for number in range(60 - kept, 60)]
    flash.write(Item.STATUS, b"spoilt")
    spoilt = PhoneMemory(flash, model(name), clock)
    for number in range(60):
        spoilt.say(Status.CONFIG_IN_USE, str(number))
    assert len(spoilt.log.messages) == kept


def test_a_dx_says_in_its_own_words_that_an_update_failed() -> None:
    assert model("DX80").family is Family.DX
    assert Status.TRUST_LIST_UPDATE_FAILED.text(Family.DX) == "Trust List update failed, verification failure"
    assert Status.NO_TRUST_LIST.text(Family.DX) == "No Trust List installed"


@pytest.mark.parametrize("ability", [Ability.YES, Ability.UNKNOWN, Ability.NO])
async def test_a_model_without_encrypted_configurations_has_no_key_for_one(ability: Ability) -> None:
    async with TinyCluster() as cluster:
        cluster.files[f"ITLSEP{MAC}.tlv"] = vector("ITLFile.tlv")
        cluster.files[CONFIG_NAME] = vector(f"enc/{CONFIG_NAME}")
        cluster.files[f"SEP{MAC}.cnf.xml.enc.sgn"] = vector(f"enc/SEP{MAC}.cnf.xml.enc.sgn")
        kind = replace(model("8865"), encrypted_config=ability)
        phone = Phone(MAC, kind, [cluster.server], MemoryFlash(), clock=ManualClock(NOW))
        phone.install_mic(Party.named("phone-mic").identity)
        report = await phone.boot()
    reads = ability is not Ability.NO
    assert report.outcome is (Outcome.BOOTED if reads else Outcome.REFUSED)
    assert report.decisions[-1].reason is (Reason.SIGNED_BY_ITL if reads else Reason.ENCRYPTED)
    if not reads:
        assert report.decisions[-1].detail == "the model reads no encrypted configurations"


def _register(number: int | None) -> Request:
    return sipmessages.register(
        replace(CAPTURED, model_number=number), cseq=1, branch="1", now=NOW, last="initialized", load="x", expires_s=1
    )


def test_a_phone_whose_type_number_nobody_knows_does_not_give_one() -> None:
    without, known = (_register(number).require("Contact") for number in (None, 621))
    assert ';+u.sip!model.ccm.cisco.com="621"' in known
    assert without == known.replace(';+u.sip!model.ccm.cisco.com="621"', "")
