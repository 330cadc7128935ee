"""RSA keys of more than 2048 bits, which some models do not know (R-CRT-8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from base.clock import SystemClock
from phone_sim.capf_side import KeyWanted, PhoneSide
from phone_sim.flash import MemoryFlash
from phone_sim.memory import PhoneMemory
from phone_sim.models import model
from phone_sim.reasons import Reason
from phone_sim.trust import (
    Accept,
    Held,
    KeepOld,
    ListKind,
    ServerPurpose,
    judge_list,
    judge_server,
    judge_signed,
)
from tests.phone_sim.cast import CCM_TFTP, CONFIG_NAME, EC, PUB, SAST, Party, make_list, make_signed
from wire.capf import Command, KeyType, Message, ReasonCode
from wire.certificates import Certificate

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def long_key() -> Party:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=4096)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "long")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2026, 1, 1), datetime(2036, 1, 1))
    made = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    return Party(Certificate.from_der(made), key)


def held(party: Party, *, long_keys: bool) -> Held:
    itl = make_list(party, (party.record(SAST), party.record(CCM_TFTP)))
    return Held(itl=itl, long_keys=long_keys)


def test_a_model_without_long_keys_refuses_them_everywhere(long_key: Party) -> None:
    refusal = KeepOld(Reason.KEY_TOO_LONG, "signed with a key of 4096 bits")
    poor, rich = held(long_key, long_keys=False), held(long_key, long_keys=True)
    config = make_signed(long_key)
    assert judge_signed(CONFIG_NAME, config, poor) == refusal
    assert judge_signed(CONFIG_NAME, config, rich) == Accept(Reason.SIGNED_BY_ITL)
    newer = make_list(long_key, (long_key.record(SAST),), timestamp=1_790_000_001)
    assert judge_list(ListKind.ITL, "ITLFile.tlv", newer, poor) == refusal
    assert judge_list(ListKind.ITL, "ITLFile.tlv", newer, rich) == Accept(Reason.SIGNED_BY_ITL)
    assert judge_list(ListKind.ITL, "ITLFile.tlv", newer, Held(long_keys=False)) == refusal, "not even blindly"
    for purpose in (ServerPurpose.CONFIGURATION, ServerPurpose.CALL_CONTROL):  # its registration fails
        server = judge_server(long_key.certificate, purpose, poor, NOW)
        assert server == KeepOld(Reason.KEY_TOO_LONG, "a key of 4096 bits")
        assert judge_server(long_key.certificate, purpose, rich, NOW) == Accept(Reason.SERVER_IN_ITL)


def test_short_and_elliptic_keys_are_everybodys() -> None:
    poor = held(PUB, long_keys=False)
    assert judge_signed(CONFIG_NAME, make_signed(PUB), poor) == Accept(Reason.SIGNED_BY_ITL)
    with_ec = replace(poor, itl=make_list(PUB, (PUB.record(SAST), EC.record(CCM_TFTP))))
    assert judge_server(EC.certificate, ServerPurpose.CONFIGURATION, with_ec, NOW) == Accept(Reason.SERVER_IN_ITL)


@pytest.mark.parametrize(
    ("size", "long_keys", "made"), [(2048, False, True), (3072, False, False), (4096, False, False), (4096, True, True)]
)
def test_capf_gets_no_longer_key_from_such_a_model(size: int, *, long_keys: bool, made: bool) -> None:
    memory = PhoneMemory(MemoryFlash(), model("8865"), SystemClock())
    side = PhoneSide(
        "SEP001122334455",
        memory,
        mode=2,
        auth_string=None,
        ec_known=True,
        ec_usable=True,
        long_keys=long_keys,
    )
    answer = side.answer(Message(Command.KEY_GENERATE_REQUEST, 1, key_type=KeyType.RSA, key_size=size))
    refusal = Message(Command.KEY_GENERATE_RESPONSE, 1, reason=ReasonCode.INVALID_ELEMENT)
    assert answer == (KeyWanted(KeyType.RSA, size) if made else refusal)
