"""What a phone answers to a CAPF server, message by message (R-CAPF-1, R-CAPF-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from base.clock import ManualClock
from base.identity import Identity
from phone_sim.capf_side import CapfOutcome, Ended, KeyWanted, PhoneSide
from phone_sim.credentials import Credential
from phone_sim.flash import MemoryFlash
from phone_sim.memory import PhoneMemory
from phone_sim.models import model
from tests.capf_transcripts import NAMES, transcript
from tests.phone_sim.cast import EC, MAC, TOMCAT, Party
from wire.capf import (
    AuthType,
    CertificateType,
    Command,
    Curve,
    KeyType,
    Message,
    PhoneCertificate,
    ReasonCode,
    decode,
    encode,
    proof_of,
    verify,
)
from wire.certificates import Certificate
from wire.digests import DigestAlgorithm

DEVICE = f"SEP{MAC}"
MIC = Party.named("phone-mic")
LSC = Certificate.from_der(
    next(
        message.certificate.der
        for message in (decode(line.data) for line in transcript("install-by-string"))
        if message.certificate is not None
    )
)
"""For the MIC's key."""
SESSION = 42


def memory(lsc: Identity | None = None, mic: Identity | None = None) -> PhoneMemory:
    held = PhoneMemory(MemoryFlash(), model("8865"), ManualClock(datetime(2026, 12, 1, tzinfo=UTC)))
    for credential, identity in ((Credential.LSC, lsc), (Credential.MIC, mic)):
        if identity is not None:
            held.install_credential(credential, identity)
    return held


def side(
    held: PhoneMemory | None = None,
    *,
    mode: int = 2,
    auth_string: str | None = None,
    ec_known: bool = True,
    ec_usable: bool = True,
    device: str = DEVICE,
) -> PhoneSide:
    return PhoneSide(
        device,
        memory() if held is None else held,
        mode=mode,
        auth_string=auth_string,
        ec_known=ec_known,
        ec_usable=ec_usable,
    )


def request(command: Command, **elements: object) -> Message:
    return replace(Message(command, SESSION), **elements)  # type: ignore[arg-type]


def answered(phone: PhoneSide, command: Command, **elements: object) -> Message:
    answer = phone.answer(request(command, **elements))
    assert isinstance(answer, Message)
    return answer


MY_LSC, MY_MIC = Identity(LSC, MIC.key), MIC.identity
PLAYED = {
    "install-by-string": side(mode=1, auth_string="24680"),
    "troubleshoot-by-mic": side(memory(mic=MY_MIC), mode=4),
    "delete-by-null-string": side(memory(lsc=MY_LSC)),
    "unknown-device": side(device="SEPFFFFFFFFFFFF"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_phone_says_what_the_transcript_says(name: str) -> None:
    phone, said = PLAYED[name], []
    for line in transcript(name):
        if line.speaker != "server":
            continue
        asked = decode(line.data)
        answer = phone.answer(asked)
        if isinstance(answer, KeyWanted):
            assert answer == KeyWanted(KeyType.RSA, 2048)
            answer = phone.key_made(asked, MIC.key)
        if isinstance(answer, Message):
            said.append(encode(answer))
        else:
            assert isinstance(answer, Ended)
            wanted = CapfOutcome.UNKNOWN_DEVICE if name == "unknown-device" else CapfOutcome.UPDATED
            assert answer == Ended(wanted)
    spoken = [line.data for line in transcript(name) if line.speaker == "phone" and line.what != "in progress"]
    assert said == spoken


# --- how it proves itself ---


@pytest.mark.parametrize(
    ("mode", "asked", "password"),
    [
        (1, AuthType.NONE, "13579"),
        (2, AuthType.NONE, ""),
        (3, AuthType.NONE, None),
        (2, AuthType.PASSWORD, "13579"),
        (1, AuthType.NO_PASSWORD, ""),
        (0, AuthType.NONE, None),
        (0, 99, None),
    ],
)
def test_a_request_decides_what_is_shown_else_the_configuration(mode: int, asked: int, password: str | None) -> None:
    response = answered(side(mode=mode, auth_string="13579"), Command.AUTH_REQUEST, version=3, auth_type=asked)
    assert response.password == password
    assert (response.device_name, response.version, response.reason) == (DEVICE, 3, ReasonCode.SUCCESS)
    assert response.certificate is None


def test_a_phone_without_ec_says_version_2() -> None:
    response = answered(side(ec_known=False, ec_usable=False), Command.AUTH_REQUEST, version=3, auth_type=0)
    assert response.version == 2


def test_a_phone_that_nobody_gave_a_string_aborts() -> None:
    answer = side(mode=1).answer(request(Command.AUTH_REQUEST, version=3, auth_type=AuthType.PASSWORD))
    assert answer == Ended(CapfOutcome.STRING_NEEDED, Message(Command.ABORT_RESPONSE, SESSION))


@pytest.mark.parametrize(
    ("asked", "holds", "shown"),
    [
        (AuthType.LSC, "both", CertificateType.LSC),
        (AuthType.LSC, "mic", CertificateType.MIC),
        (AuthType.LSC, "lsc", CertificateType.LSC),
        (AuthType.MIC, "both", CertificateType.MIC),
        (AuthType.MIC, "lsc", CertificateType.LSC),
        (AuthType.MIC, "none", None),
    ],
)
def test_precedence_decides_between_lsc_and_mic(asked: AuthType, holds: str, shown: CertificateType | None) -> None:
    held = memory(MY_LSC if holds in {"both", "lsc"} else None, MY_MIC if holds in {"both", "mic"} else None)
    response = answered(side(held), Command.AUTH_REQUEST, version=3, auth_type=asked)
    assert (response.certificate.kind if response.certificate else None) == shown
    assert (response.sudi is not None) is (shown is CertificateType.MIC)


def test_an_ec_certificate_signs_with_both_digests() -> None:
    response = answered(side(memory(lsc=EC.identity)), Command.AUTH_REQUEST, version=3, auth_type=AuthType.LSC)
    proof = proof_of(DEVICE, EC.certificate.der)
    assert verify(EC.certificate, DigestAlgorithm.SHA1, proof, response.signed_data or b"")
    assert verify(EC.certificate, DigestAlgorithm.SHA512, proof, response.sha2_signed_data or b"")


# --- keys ---


@pytest.mark.parametrize(
    ("asked", "ec_usable", "wanted"),
    [
        ({"key_type": KeyType.RSA, "key_size": 1024}, True, KeyWanted(KeyType.RSA, 1024)),
        ({"key_size": 4096}, True, KeyWanted(KeyType.RSA, 4096)),
        ({"key_type": KeyType.EC, "curve": Curve.SECP521R1}, True, KeyWanted(KeyType.EC, Curve.SECP521R1)),
        ({"key_type": KeyType.EC, "curve": Curve.SECP256R1}, False, None),
        ({"key_type": KeyType.EC, "curve": 9}, True, None),
        ({"key_type": KeyType.EC}, True, None),
        ({"key_type": KeyType.RSA, "key_size": 512}, True, None),
        ({"key_type": KeyType.RSA, "key_size": 65_535}, True, None),
        ({"key_type": 7, "key_size": 2048}, True, None),
        ({}, True, None),
    ],
)
def test_which_keys_the_phone_makes(asked: dict[str, int], wanted: KeyWanted | None, *, ec_usable: bool) -> None:
    answer = side(ec_usable=ec_usable).answer(request(Command.KEY_GENERATE_REQUEST, **asked))
    refusal = Message(Command.KEY_GENERATE_RESPONSE, SESSION, reason=ReasonCode.INVALID_ELEMENT)
    assert answer == (wanted or refusal)


# --- what it stores ---


def store(phone: PhoneSide, certificate: PhoneCertificate | None) -> int | None:
    return answered(phone, Command.STORE_REQUEST, certificate_type=1, certificate=certificate).reason


def test_an_lsc_for_the_new_key_goes_into_flash() -> None:
    held = memory(mic=MY_MIC)
    phone = side(held)
    phone.key_made(request(Command.KEY_GENERATE_REQUEST, key_size=2048), MIC.key)
    assert store(phone, PhoneCertificate(CertificateType.LSC, LSC.der)) == ReasonCode.SUCCESS
    assert phone.changed
    again = PhoneMemory(held.flash, model("8865"), ManualClock(datetime(2026, 12, 1, tzinfo=UTC)))
    assert again.identity is not None
    assert again.identity.certificate == LSC, "the LSC goes before the MIC"
    assert again.identity.private_key.private_numbers() == MIC.key.private_numbers()


def test_what_is_no_lsc_for_the_new_key_is_refused_and_the_old_one_stays() -> None:
    held = memory(lsc=EC.identity)
    phone = side(held)
    good = PhoneCertificate(CertificateType.LSC, LSC.der)
    assert store(phone, good) == ReasonCode.INVALID_ELEMENT, "no key was asked for"
    phone.key_made(request(Command.KEY_GENERATE_REQUEST, key_size=2048), MIC.key)
    bad = {
        "nothing": None,
        "a MIC": PhoneCertificate(CertificateType.MIC, LSC.der),
        "no certificate": PhoneCertificate(CertificateType.LSC, b"no DER"),
        "a certificate for another key": PhoneCertificate(CertificateType.LSC, TOMCAT.certificate.der),
        "another phone's": PhoneCertificate(CertificateType.LSC, MIC.certificate.der),
    }
    for what, certificate in bad.items():
        assert store(phone, certificate) == ReasonCode.INVALID_ELEMENT, what
    assert not phone.changed
    assert held.identity == EC.identity


def test_a_mic_cannot_be_deleted() -> None:
    held = memory(mic=MY_MIC)
    reason = answered(side(held), Command.DELETE_REQUEST, certificate_type=CertificateType.MIC).reason
    assert reason == ReasonCode.INVALID_ELEMENT
    assert held.identity == MY_MIC


def test_deleting_what_is_not_there_changes_nothing() -> None:
    phone = side(memory(mic=MY_MIC))
    assert answered(phone, Command.DELETE_REQUEST, certificate_type=1).reason == ReasonCode.SUCCESS
    assert not phone.changed


# --- ends ---


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (request(Command.END_SESSION, reason=0), Ended(CapfOutcome.NOTHING_TO_DO)),
        (request(Command.END_SESSION, reason=1), Ended(CapfOutcome.UPDATED)),
        (request(Command.END_SESSION, reason=7), Ended(CapfOutcome.REFUSED)),
        (request(Command.END_SESSION, reason=9), Ended(CapfOutcome.UNKNOWN_DEVICE)),
        (request(Command.END_SESSION, reason=200), Ended(CapfOutcome.REFUSED)),
        (request(Command.END_SESSION), Ended(CapfOutcome.NOTHING_TO_DO)),
        (request(Command.RETRY_LATER), Ended(CapfOutcome.RETRY_LATER)),
        (request(Command.ABORT_REQUEST), Ended(CapfOutcome.BROKEN, Message(Command.ABORT_RESPONSE, SESSION))),
        (request(Command.SIGN_REQUEST), Ended(CapfOutcome.BROKEN, Message(Command.ABORT_RESPONSE, SESSION))),
        (request(Command.AUTH_RESPONSE), Ended(CapfOutcome.BROKEN, Message(Command.ABORT_RESPONSE, SESSION))),
    ],
)
def test_how_a_session_ends(asked: Message, answer: Ended) -> None:
    assert side().answer(asked) == answer
