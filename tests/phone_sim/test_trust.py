"""Whom the phone trusts, as tables: one row for each case, with the requirement that it comes from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_sim.reasons import Reason
from phone_sim.trust import (
    AskTvs,
    IsTrusted,
    KeepOld,
    ListKind,
    WhoSigned,
    judge_list,
    judge_server,
    read_list,
    read_signed,
)
from tests.phone_sim.cast import TOMCAT, TVS, TVS_SERVER
from tests.phone_sim.trust_rows import (
    ALL,
    APPLICATION,
    ASKS,
    EMPTY_ITL,
    HAS_BOTH,
    HAS_CTL,
    HAS_ITL,
    IN_ROLLBACK,
    ITL_NAME,
    LISTS,
    NOW,
    ROGUE_ITL,
    outcome,
)
from wire.trustlist import decode_trust_list


@pytest.mark.parametrize("case", ALL)
def test_every_row_is_decided_as_it_says(case: str) -> None:
    assert outcome(ALL[case].judge()) == ALL[case].reason


def test_the_tables_cover_every_reason() -> None:
    covered = {row.reason for row in ALL.values()} - {ASKS}
    assert covered == set(Reason) - {Reason.NOT_DECRYPTED}  # no decision on trust: test_encrypted_configuration.py


def test_the_question_to_tvs_names_the_signer_as_the_header_does() -> None:
    trust_list = decode_trust_list(ROGUE_ITL)
    decision = judge_list(ListKind.ITL, ITL_NAME, trust_list, HAS_ITL)
    signer = trust_list.header.signer
    assert decision == AskTvs(WhoSigned(signer.name, signer.issuer, signer.serial))


def test_the_question_about_a_server_carries_its_certificate() -> None:
    decision = judge_server(TOMCAT.certificate, APPLICATION, HAS_ITL, NOW)
    assert decision == AskTvs(IsTrusted(TOMCAT.certificate))


def test_a_refusal_says_what_a_person_needs_to_look_closer() -> None:
    details = {name: row.judge() for name, row in LISTS.items()}
    for name, said in (
        ("R-ITL-8 one byte more is not", "65537 bytes; the limit is 65536"),
        ("R-ITL-6 a CTL under the ITL's name", f"asked for {ITL_NAME}, the header names CTLFile.tlv"),
        ("R-ITL-7 a first ITL must hold its own signer", "signer CN="),
        ("R-TVS-1 TVS knows the signer, but not as SAST", "TVS gives the roles [2, 3]"),
        ("R-TVS-5 no TVS answers", "no answer"),
        ("R-CRT-8 a long key on a model without", "signed with a key of 4096 bits"),
        ("R-ITL-5 and is refused where no TVS can be asked", "its configuration names no TVS"),
    ):
        decision = details[name]
        assert isinstance(decision, KeepOld)
        assert said in decision.detail


@given(st.binary(max_size=300))
def test_random_bytes_are_a_file_or_a_named_refusal(data: bytes) -> None:
    for read in (read_list(data), read_signed(data)):
        assert not isinstance(read, KeepOld) or not read.reason.accepts


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_in_both_languages(reason: Reason) -> None:
    english, japanese = reason.text("en"), reason.text("ja")
    assert english.endswith(".")
    assert japanese.endswith("。")
    assert english != japanese


def test_tvs_servers_are_known_by_the_itl_only() -> None:
    assert HAS_BOTH.tvs_certificates == (TVS_SERVER.certificate,)
    assert HAS_CTL.tvs_certificates == ()
    assert [record.function for record in EMPTY_ITL.with_function(TVS)] == [TVS]
    assert IN_ROLLBACK.tvs_certificates == ()
