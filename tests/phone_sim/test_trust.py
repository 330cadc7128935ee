"""Whom the phone trusts, as tables: one row for each case, with the requirement that it comes from."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_sim.reasons import Reason
from phone_sim.trust import (
    Accept,
    Answer,
    AskTvs,
    Decision,
    Held,
    IsTrusted,
    KeepOld,
    ListKind,
    ServerPurpose,
    TvsSaid,
    TvsSilent,
    WhoSigned,
    judge_list,
    judge_server,
    judge_signed,
    judge_unsigned,
    read_list,
    read_signed,
)
from tests.phone_sim.cast import (
    APP,
    CCM_TFTP,
    CONFIG_NAME,
    EC,
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
    Party,
    flipped,
    list_bytes,
    make_ctl,
    make_list,
    make_signed,
    signed_bytes,
    vector,
)
from wire.encryptedfile import EncryptedFile, decode_encrypted_file
from wire.fileheader import DigestAlgorithm
from wire.signedfile import SignedFile, decode_signed_file
from wire.trustlist import MAX_PHONE_FILE_SIZE, Function, TrustList, TrustRecord, decode_trust_list

ITL_NAME, CTL_NAME = f"ITLSEP{MAC}.tlv", f"CTLSEP{MAC}.tlv"
NOW = datetime(2026, 12, 1, tzinfo=UTC)

ITL = make_list(RECOVERY)
CTL = make_ctl(PUB, (PUB.record(SAST), PUB.record(CCM_TFTP)))
TWO_CLUSTERS_APART = make_list(SUB, (SUB.record(SAST), SUB.record(CCM_TFTP), TVS_SERVER.record(TVS)))
ROGUE_ITL = decode_trust_list(vector("rogue/ITLFile.tlv"))
BLANKS = tuple(TrustRecord.blank("alpha-pub", function, bytes(4)) for function in (Function.TFTP, Function.TVS))
EMPTY_ITL = make_list(RECOVERY, (RECOVERY.record(SAST), PUB.record(SAST), *BLANKS))
NO_TVS_ITL = make_list(RECOVERY, (RECOVERY.record(SAST), PUB.record(CCM_TFTP)))

NOTHING = Held()
HAS_ITL = Held(itl=ITL, tvs_configured=True)
HAS_CTL = Held(ctl=CTL)
HAS_BOTH = Held(ctl=CTL, itl=ITL, tvs_configured=True)
IN_ROLLBACK = Held(itl=EMPTY_ITL, tvs_configured=True)

KNOWS_SUB = TvsSaid(trusted=True, roles=(0, 2), certificate=SUB.certificate)
KNOWS_NOBODY = TvsSaid(trusted=False)
ASKS = "asks TVS"


def outcome(decision: Decision) -> Reason | str:
    match decision:
        case Accept(reason):
            assert reason.accepts
            return reason
        case KeepOld(reason):
            assert not reason.accepts
            return reason
        case AskTvs():
            return ASKS


def tampered_list(trust_list: TrustList) -> TrustList:
    """The same list with a changed time, so that its signature is wrong and all else is well."""
    header = dataclasses.replace(trust_list.header, timestamp=trust_list.header.timestamp + 1)
    position = trust_list.data.index(trust_list.header.timestamp.to_bytes(4, "big"))
    stamp = header.timestamp.to_bytes(4, "big")
    return decode_trust_list(trust_list.data[:position] + stamp + trust_list.data[position + 4 :])


NEW_BY_PUB = make_list(PUB, timestamp=1_790_000_001)
NEW_BY_RECOVERY = make_list(RECOVERY, timestamp=1_790_000_001)
BY_SUB_WITH_ROLE_ELSEWHERE = Held(itl=make_list(RECOVERY, (*ITL_RECORDS, SUB.record(CCM_TFTP))), tvs_configured=True)
SHARED_TVS = Held(itl=make_list(RECOVERY, (*ITL_RECORDS, SUB.record(TVS))), tvs_configured=True)
THIRD_SAST = (RECOVERY.record(SAST), PUB.record(SAST), SUB.record(SAST), SUB.record(CCM_TFTP))
IMPOSTOR_OF_PUB = make_ctl(ROGUE, (ROGUE.record(SAST), ROGUE.record(CCM_TFTP)))

LISTS: dict[str, tuple[ListKind, TrustList, Held, Answer | None, Reason | str]] = {
    "R-ITL-7 the first ITL is trusted blindly": (ListKind.ITL, ITL, NOTHING, None, Reason.LEAP_OF_FAITH),
    "R-ITL-7 even a stranger's first ITL is": (ListKind.ITL, ROGUE_ITL, NOTHING, None, Reason.LEAP_OF_FAITH),
    "R-CTL-2 the first CTL is trusted blindly": (ListKind.CTL, CTL, NOTHING, None, Reason.LEAP_OF_FAITH),
    "R-ITL-7 a first ITL must verify by itself": (
        ListKind.ITL,
        tampered_list(ITL),
        NOTHING,
        None,
        Reason.BAD_SIGNATURE,
    ),
    "R-ITL-7 a first ITL must hold its own signer": (
        ListKind.ITL,
        make_list(SUB),
        NOTHING,
        None,
        Reason.SIGNER_NOT_IN_OWN_LIST,
    ),
    "a third SAST record signs nothing": (
        ListKind.ITL,
        make_list(SUB, THIRD_SAST),
        NOTHING,
        None,
        Reason.SIGNER_NOT_IN_OWN_LIST,
    ),
    "R-ITL-4 the same bytes again": (ListKind.ITL, ITL, HAS_ITL, None, Reason.UNCHANGED),
    "R-ITL-7 a CTL judges the first ITL": (ListKind.ITL, NEW_BY_PUB, HAS_CTL, None, Reason.SIGNED_BY_CTL),
    "R-ITL-7 a CTL that does not know the ITL's signer": (
        ListKind.ITL,
        ITL,
        HAS_CTL,
        None,
        Reason.TVS_NOT_IN_TRUST_LIST,
    ),
    "R-ITL-7 the old ITL judges the new one": (
        ListKind.ITL,
        NEW_BY_RECOVERY,
        HAS_ITL,
        None,
        Reason.SIGNED_BY_ITL,
    ),
    "R-ITL-7 the CTL is asked before the ITL": (
        ListKind.ITL,
        NEW_BY_PUB,
        HAS_BOTH,
        None,
        Reason.SIGNED_BY_CTL,
    ),
    "R-ITL-7 the ITL is asked where the CTL does not know": (
        ListKind.ITL,
        NEW_BY_RECOVERY,
        HAS_BOTH,
        None,
        Reason.SIGNED_BY_ITL,
    ),
    "R-CTL-2 the old CTL judges the new one": (
        ListKind.CTL,
        make_ctl(PUB, (PUB.record(SAST),), 1_790_000_009),
        HAS_CTL,
        None,
        Reason.SIGNED_BY_CTL,
    ),
    "R-CTL-2 an ITL judges the first CTL": (ListKind.CTL, CTL, HAS_ITL, None, Reason.SIGNED_BY_ITL),
    "R-CTL-2 an unknown CTL signer goes to TVS": (ListKind.CTL, IMPOSTOR_OF_PUB, HAS_BOTH, None, ASKS),
    "R-ITL-7 a known signer, a wrong signature": (
        ListKind.ITL,
        tampered_list(NEW_BY_PUB),
        HAS_ITL,
        None,
        Reason.BAD_SIGNATURE,
    ),
    "R-ITL-7 a stranger's ITL goes to TVS": (ListKind.ITL, ROGUE_ITL, HAS_ITL, None, ASKS),
    "R-MIG-1 new ITL signed by an unknown signer": (
        ListKind.ITL,
        ROGUE_ITL,
        HAS_ITL,
        KNOWS_NOBODY,
        Reason.TVS_DOES_NOT_KNOW,
    ),
    "R-MIG-1 old TVS unreachable": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        HAS_ITL,
        TvsSilent("no answer"),
        Reason.TVS_UNREACHABLE,
    ),
    "R-MIG-3 old TVS knows the new cluster's signer": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        HAS_ITL,
        KNOWS_SUB,
        Reason.SIGNER_VOUCHED_BY_TVS,
    ),
    "R-ITL-5 a signer listed for files only goes to TVS": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        BY_SUB_WITH_ROLE_ELSEWHERE,
        None,
        ASKS,
    ),
    "R-ITL-5 and is refused where no TVS can be asked": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        dataclasses.replace(BY_SUB_WITH_ROLE_ELSEWHERE, tvs_configured=False),
        None,
        Reason.SIGNER_LACKS_ROLE,
    ),
    "R-TVS-1 TVS knows the signer, but not as SAST": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        HAS_ITL,
        TvsSaid(trusted=True, roles=(2, 3), certificate=SUB.certificate),
        Reason.TVS_ROLE_MISSING,
    ),
    "R-TVS-4 TVS sends no certificate": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        HAS_ITL,
        TvsSaid(trusted=True, roles=(0,)),
        Reason.TVS_SENT_ANOTHER_CERTIFICATE,
    ),
    "R-TVS-4 TVS sends another's certificate": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        HAS_ITL,
        TvsSaid(trusted=True, roles=(0,), certificate=PUB.certificate),
        Reason.TVS_SENT_ANOTHER_CERTIFICATE,
    ),
    "the ITL lists no TVS": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        Held(itl=NO_TVS_ITL, tvs_configured=True),
        None,
        Reason.TVS_NOT_IN_TRUST_LIST,
    ),
    "the configuration names no TVS": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        Held(itl=ITL),
        None,
        Reason.TVS_NOT_CONFIGURED,
    ),
    "a TVS certificate is never checked through TVS": (
        ListKind.ITL,
        TWO_CLUSTERS_APART,
        SHARED_TVS,
        None,
        Reason.TVS_CANNOT_VOUCH_FOR_TVS,
    ),
    "R-RBK-1 an empty ITL takes any ITL": (ListKind.ITL, ROGUE_ITL, IN_ROLLBACK, None, Reason.EMPTY_ITL),
    "R-RBK-1 an empty ITL takes no broken one": (
        ListKind.ITL,
        tampered_list(ROGUE_ITL),
        IN_ROLLBACK,
        None,
        Reason.BAD_SIGNATURE,
    ),
    "R-RBK-1 a CTL beside the empty ITL still judges": (
        ListKind.ITL,
        ROGUE_ITL,
        Held(ctl=CTL, itl=EMPTY_ITL, tvs_configured=True),
        None,
        Reason.TVS_NOT_IN_TRUST_LIST,
    ),
    "R-RBK-2 the full ITL comes back": (ListKind.ITL, ITL, IN_ROLLBACK, None, Reason.EMPTY_ITL),
    "R-ITL-6 a CTL under the ITL's name": (ListKind.ITL, CTL, HAS_ITL, None, Reason.WRONG_FILE_NAME),
    "R-ITL-6 the phone's own name inside": (
        ListKind.ITL,
        make_list(RECOVERY, file_name=ITL_NAME),
        HAS_ITL,
        None,
        Reason.SIGNED_BY_ITL,
    ),
    "R-ITL-6 another phone's name inside": (
        ListKind.ITL,
        make_list(RECOVERY, file_name="ITLSEP665544332211.tlv"),
        HAS_ITL,
        None,
        Reason.WRONG_FILE_NAME,
    ),
    "a model without SHA-512": (
        ListKind.ITL,
        make_list(RECOVERY, digest=DigestAlgorithm.SHA512),
        dataclasses.replace(HAS_ITL, sha512=False),
        None,
        Reason.DIGEST_NOT_SUPPORTED,
    ),
}


@pytest.mark.parametrize("case", LISTS)
def test_decision_on_a_trust_list(case: str) -> None:
    kind, arrived, held, answer, expected = LISTS[case]
    asked = ITL_NAME if kind is ListKind.ITL else CTL_NAME
    assert outcome(judge_list(kind, asked, arrived, held, answer)) == expected


def test_the_question_to_tvs_names_the_signer_as_the_header_does() -> None:
    decision = judge_list(ListKind.ITL, ITL_NAME, ROGUE_ITL, HAS_ITL)
    signer = ROGUE_ITL.header.signer
    assert decision == AskTvs(WhoSigned(signer.name, signer.issuer, signer.serial))


def test_tvs_cannot_make_a_bad_signature_good() -> None:
    tampered = tampered_list(TWO_CLUSTERS_APART)
    # The row for the list's own signer catches this; a list whose own record is forged gets as far as TVS.
    assert outcome(judge_list(ListKind.ITL, ITL_NAME, tampered, HAS_ITL, KNOWS_SUB)) is Reason.BAD_SIGNATURE


READS = {
    "R-ITL-8 a list of exactly the limit is read": (
        list_bytes(RECOVERY) + bytes(MAX_PHONE_FILE_SIZE - len(list_bytes(RECOVERY))),
        Reason.UNREADABLE,
    ),
    "R-ITL-8 one byte more is too large": (bytes(MAX_PHONE_FILE_SIZE + 1), Reason.TOO_LARGE),
    "nothing": (b"", Reason.UNREADABLE),
    "a page of a web server": (b"<html>hello</html>", Reason.UNREADABLE),
    "a signed file": (vector(CONFIG_NAME), Reason.UNREADABLE),
    "half a list": (list_bytes(RECOVERY)[:700], Reason.UNREADABLE),
}


@pytest.mark.parametrize("case", READS)
def test_what_is_no_trust_list_is_named(case: str) -> None:
    data, expected = READS[case]
    read = read_list(data)
    assert isinstance(read, KeepOld)
    assert read.reason is expected


@given(st.binary(max_size=300))
def test_random_bytes_are_a_file_or_a_named_refusal(data: bytes) -> None:
    for read in (read_list(data), read_signed(data)):
        assert not isinstance(read, KeepOld) or not read.reason.accepts


def test_plain_xml_under_a_signed_name_is_unsigned_and_other_bytes_are_unreadable() -> None:
    assert read_signed(b'\xef\xbb\xbf<?xml version="1.0"?><device/>') == KeepOld(
        Reason.UNSIGNED, "plain XML came under a signed file's name"
    )
    unreadable = read_signed(b"\x01\x00")
    assert isinstance(unreadable, KeepOld)
    assert unreadable.reason is Reason.UNREADABLE


BY_PUB = make_signed(PUB)
ENCRYPTED = decode_encrypted_file(vector(f"enc/SEP{MAC}.cnf.xml.enc.sgn"))
BY_EC_ROLE = Held(itl=make_list(RECOVERY, (*ITL_RECORDS, SUB.record(TFTP))))

SIGNED: dict[str, tuple[SignedFile | EncryptedFile, Held, Answer | None, Reason | str]] = {
    "R-SBD-2 the ITL lists the signer as CCM+TFTP": (BY_PUB, HAS_ITL, None, Reason.SIGNED_BY_ITL),
    "R-SBD-2 or as TFTP": (make_signed(SUB), BY_EC_ROLE, None, Reason.SIGNED_BY_ITL),
    "R-SBD-5 the CTL lists the signer": (BY_PUB, HAS_BOTH, None, Reason.SIGNED_BY_CTL),
    "SAST does not sign files": (make_signed(RECOVERY), HAS_ITL, None, ASKS),
    "SAST does not sign files, and no TVS": (
        make_signed(RECOVERY),
        Held(itl=ITL),
        None,
        Reason.SIGNER_LACKS_ROLE,
    ),
    "R-PHN-3 a tampered file": (
        decode_signed_file(flipped(signed_bytes(PUB))),
        HAS_ITL,
        None,
        Reason.BAD_SIGNATURE,
    ),
    "R-PHN-3 a stranger's file goes to TVS": (make_signed(ROGUE), HAS_ITL, None, ASKS),
    "R-PHN-3 a stranger's file": (make_signed(ROGUE), HAS_ITL, KNOWS_NOBODY, Reason.TVS_DOES_NOT_KNOW),
    "R-TVS-4 TVS vouches as CCM+TFTP": (make_signed(SUB), HAS_ITL, KNOWS_SUB, Reason.SIGNER_VOUCHED_BY_TVS),
    "R-TVS-4 TVS vouches as TFTP": (
        make_signed(SUB),
        HAS_ITL,
        TvsSaid(trusted=True, roles=(0, 3), certificate=SUB.certificate),
        Reason.SIGNER_VOUCHED_BY_TVS,
    ),
    "R-TVS-4 TVS vouches, the file is tampered": (
        decode_signed_file(flipped(signed_bytes(SUB))),
        HAS_ITL,
        KNOWS_SUB,
        Reason.BAD_SIGNATURE,
    ),
    "R-TVS-4 TVS vouches for lists only": (
        make_signed(SUB),
        HAS_ITL,
        TvsSaid(trusted=True, roles=(0,), certificate=SUB.certificate),
        Reason.TVS_ROLE_MISSING,
    ),
    "R-TVS-5 no TVS answers": (make_signed(SUB), HAS_ITL, TvsSilent(), Reason.TVS_UNREACHABLE),
    "another phone's file, replayed": (
        make_signed(PUB, name="SEP665544332211.cnf.xml.sgn"),
        HAS_ITL,
        None,
        Reason.WRONG_FILE_NAME,
    ),
    "R-RBK-1 an empty ITL takes a stranger's file": (make_signed(ROGUE), IN_ROLLBACK, None, Reason.EMPTY_ITL),
    "R-SBD-3 an encrypted file": (ENCRYPTED, HAS_ITL, None, Reason.ENCRYPTED),
    "a model without SHA-512": (
        make_signed(PUB, digest=DigestAlgorithm.SHA512),
        dataclasses.replace(HAS_ITL, sha512=False),
        None,
        Reason.DIGEST_NOT_SUPPORTED,
    ),
}


@pytest.mark.parametrize("case", SIGNED)
def test_decision_on_a_signed_file(case: str) -> None:
    arrived, held, answer, expected = SIGNED[case]
    assert outcome(judge_signed(CONFIG_NAME, arrived, held, answer)) == expected


UNSIGNED = {
    "a phone without any list": (NOTHING, False, Reason.NO_TRUST_LIST),
    "R-SBD-2 a phone with an ITL": (HAS_ITL, False, Reason.UNSIGNED),
    "R-SBD-2 a phone with a CTL": (HAS_CTL, False, Reason.UNSIGNED),
    "R-RBK-1 a phone with an empty ITL": (IN_ROLLBACK, False, Reason.EMPTY_ITL),
    "R-RBK-1 the same with a CTL": (Held(ctl=CTL, itl=EMPTY_ITL), False, Reason.UNSIGNED),
    "R-DL-1 over HTTPS 6971": (HAS_ITL, True, Reason.CAME_OVER_TRUSTED_HTTPS),
}


@pytest.mark.parametrize("case", UNSIGNED)
def test_decision_on_an_unsigned_file(case: str) -> None:
    held, over_trusted_https, expected = UNSIGNED[case]
    assert outcome(judge_unsigned(held, over_trusted_https=over_trusted_https)) is expected


APPLICATION, CONFIGURATION = ServerPurpose.APPLICATION, ServerPurpose.CONFIGURATION
LISTS_TOMCAT = make_list(RECOVERY, (*ITL_RECORDS, TOMCAT.record(APP)))
LISTS_EC = make_list(RECOVERY, (*ITL_RECORDS, EC.record(TFTP)))
TOO_EARLY, TOO_LATE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)

SERVERS: dict[str, tuple[Party, ServerPurpose, Held, datetime, Answer | None, Reason | str]] = {
    "R-SBD-4 an application server goes to TVS": (TOMCAT, APPLICATION, HAS_ITL, NOW, None, ASKS),
    "R-SBD-4 TVS knows it as application server": (
        TOMCAT,
        APPLICATION,
        HAS_ITL,
        NOW,
        TvsSaid(trusted=True, roles=(7,)),
        Reason.SERVER_VOUCHED_BY_TVS,
    ),
    "R-SBD-4 TVS knows it as something else": (
        TOMCAT,
        APPLICATION,
        HAS_ITL,
        NOW,
        TvsSaid(trusted=True, roles=(0, 2)),
        Reason.TVS_ROLE_MISSING,
    ),
    "R-SBD-4 an impostor": (ROGUE, APPLICATION, HAS_ITL, NOW, KNOWS_NOBODY, Reason.TVS_DOES_NOT_KNOW),
    "R-TVS-5 no TVS answers": (TOMCAT, APPLICATION, HAS_ITL, NOW, TvsSilent(), Reason.TVS_UNREACHABLE),
    "R-SBD-4 the ITL lists it": (
        TOMCAT,
        APPLICATION,
        Held(itl=LISTS_TOMCAT),
        NOW,
        None,
        Reason.SERVER_IN_ITL,
    ),
    "R-SBD-4 the CTL lists it": (
        TOMCAT,
        APPLICATION,
        Held(ctl=LISTS_TOMCAT),
        NOW,
        None,
        Reason.SERVER_IN_CTL,
    ),
    "listed in another role": (PUB, APPLICATION, HAS_ITL, NOW, None, ASKS),
    "R-DL-1 the ITL lists the configuration server": (
        PUB,
        CONFIGURATION,
        HAS_ITL,
        NOW,
        None,
        Reason.SERVER_IN_ITL,
    ),
    "R-DL-1 with an EC certificate": (
        EC,
        CONFIGURATION,
        Held(itl=LISTS_EC),
        NOW,
        None,
        Reason.SERVER_IN_ITL,
    ),
    "R-DL-1 TVS knows the configuration server": (
        SUB,
        CONFIGURATION,
        HAS_ITL,
        NOW,
        KNOWS_SUB,
        Reason.SERVER_VOUCHED_BY_TVS,
    ),
    "a TVS certificate is never checked through TVS": (
        TVS_SERVER,
        APPLICATION,
        HAS_ITL,
        NOW,
        None,
        Reason.TVS_CANNOT_VOUCH_FOR_TVS,
    ),
    "R-RBK-1 an empty ITL makes HTTPS services fail": (
        TOMCAT,
        APPLICATION,
        IN_ROLLBACK,
        NOW,
        None,
        Reason.TVS_NOT_IN_TRUST_LIST,
    ),
    "no list at all": (TOMCAT, APPLICATION, NOTHING, NOW, None, Reason.TVS_NOT_IN_TRUST_LIST),
    "the configuration names no TVS": (
        TOMCAT,
        APPLICATION,
        Held(itl=ITL),
        NOW,
        None,
        Reason.TVS_NOT_CONFIGURED,
    ),
    "not valid yet, though listed": (
        PUB,
        CONFIGURATION,
        HAS_ITL,
        TOO_EARLY,
        None,
        Reason.CERTIFICATE_NOT_YET_VALID,
    ),
    "expired, though listed": (PUB, CONFIGURATION, HAS_ITL, TOO_LATE, None, Reason.CERTIFICATE_EXPIRED),
}


@pytest.mark.parametrize("case", SERVERS)
def test_decision_on_an_https_server(case: str) -> None:
    party, purpose, held, now, answer, expected = SERVERS[case]
    assert outcome(judge_server(party.certificate, purpose, held, now, answer)) == expected


def test_the_question_about_a_server_carries_its_certificate() -> None:
    decision = judge_server(TOMCAT.certificate, APPLICATION, HAS_ITL, NOW)
    assert decision == AskTvs(IsTrusted(TOMCAT.certificate))


def test_the_tables_cover_every_reason() -> None:
    covered: set[Reason | str] = {row[-1] for row in LISTS.values()}
    covered |= {row[-1] for row in SIGNED.values()}
    covered |= {row[-1] for row in UNSIGNED.values()}
    covered |= {row[-1] for row in SERVERS.values()}
    covered |= {expected for _, expected in READS.values()}
    covered |= {Reason.NOT_DECRYPTED}  # no decision on trust: test_encrypted_configuration.py
    covered |= {Reason.KEY_TOO_LONG}  # test_long_keys.py
    assert covered - {ASKS} == set(Reason)


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
