"""Whose request it is that comes to a SIP port, and what it is answered. No socket, no clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from services.callmanager.answers import Moment
from services.callmanager.registrations import Source
from services.callmanager.trunkdesk import TrunkDesk, judge_far_end
from tests.services.sip_cast import other
from tests.services.trunk_cast import (
    AUTHORITY,
    CA_KEY,
    DAY,
    NAME,
    NOW,
    RSA_KEY,
    SELF_SIGNED,
    issued,
    secure_trunk,
    trunk,
    trusting,
)
from wire.certificates import Certificate

if TYPE_CHECKING:
    from cluster.siptrunk import SipTrunk

GATEWAY, STRANGER = "192.0.2.10", "192.0.2.99"
MOMENT = Moment(NOW, 7)
OWN = SELF_SIGNED.certificate
TRUNKS = (
    trunk("plain", GATEWAY),
    trunk("beside", GATEWAY, incoming_port=5070),
    secure_trunk("secure", GATEWAY),
    secure_trunk("secure beside", GATEWAY, incoming_port=5071),
)


def source(
    transport: str = "TCP",
    address: str = GATEWAY,
    certificate: Certificate | None = None,
    cipher: str = "",
    trunk_port: int = 0,
) -> Source:
    return Source(transport, address, 40_000, "key", certificate, cipher, trunk_port)


def answered(
    where: Source, method: str = "OPTIONS", *trusted: Certificate, more: str = ""
) -> tuple[str, int, str] | None:
    """(trunk, status, warning); None for what phones' rules are for, status 0 for silence."""
    view = trusting(*(trusted or (OWN,)), more=more)
    found = TrunkDesk("alpha-pub", TRUNKS, lambda: view).answer(other(method), where, MOMENT)
    if found is None:
        return None
    name, responses = found
    if not responses:
        return name, 0, ""
    (response,) = responses
    assert response.get("Call-ID") == "other@192.168.7.104"
    return name, response.status, response.get("Warning") or ""


NO_CALL_CONTROL = "this simulator has no call control"
KNOWN = [
    (source(), "OPTIONS", "plain", 200, ""),
    (source("UDP"), "OPTIONS", "plain", 200, ""),
    (source(trunk_port=5070), "OPTIONS", "beside", 200, ""),
    (source("UDP", trunk_port=5070), "OPTIONS", "beside", 200, ""),
    (source(trunk_port=5070), "INVITE", "beside", 501, f"INVITE: {NO_CALL_CONTROL}"),
    (source(trunk_port=5070), "REGISTER", "beside", 501, f"REGISTER: {NO_CALL_CONTROL}"),
    (source(), "INVITE", "plain", 501, f"INVITE: {NO_CALL_CONTROL}"),
    (source(), "CANCEL", "plain", 481, "there is nothing to cancel"),
    (source(), "ACK", "plain", 0, ""),
    (source("TLS", certificate=OWN), "OPTIONS", "secure", 200, ""),
    (source("TLS", certificate=OWN, trunk_port=5071), "OPTIONS", "secure beside", 200, ""),
    (source("TLS", certificate=OWN, trunk_port=5071), "INVITE", "secure beside", 501, NO_CALL_CONTROL),
    (source("TLS"), "OPTIONS", "secure", 403, "SIP trunk secure: it showed no certificate"),
    (source("TLS", trunk_port=5071), "OPTIONS", "secure beside", 403, "it showed no certificate"),
    (source("TLS", certificate=OWN, cipher="NULL-SHA"), "OPTIONS", "secure", 403, "NULL-SHA does not encrypt"),
    (source("TLS", certificate=issued("x")), "OPTIONS", "secure", 403, f"CN=x has none of the subject names {NAME}"),
    (source(address=STRANGER, trunk_port=5070), "OPTIONS", "", 503, f"no SIP trunk of this node leads to {STRANGER}"),
    (source("TLS", STRANGER, OWN, trunk_port=5071), "OPTIONS", "", 503, "no SIP trunk of this node leads to"),
    (source(address=STRANGER, trunk_port=5070), "INVITE", "", 503, "no SIP trunk of this node leads to"),
    (source(address=STRANGER, trunk_port=5070), "ACK", "", 0, ""),
]


@pytest.mark.parametrize(("where", "method", "name", "status", "why"), KNOWN)
def test_a_request_over_a_trunk_is_answered(where: Source, method: str, name: str, status: int, why: str) -> None:
    found = answered(where, method)
    assert found is not None
    assert found[:2] == (name, status)
    assert why in found[2]
    assert bool(why) == bool(found[2])


PHONES = [
    (source(address=STRANGER), "OPTIONS"),
    (source("TLS", STRANGER, OWN), "OPTIONS"),
    (source("TLS", STRANGER), "INVITE"),
    *((source(), method) for method in ("REGISTER", "REFER", "NOTIFY", "SUBSCRIBE")),
    *((source("TLS", certificate=OWN), method) for method in ("REGISTER", "REFER")),
]


@pytest.mark.parametrize(("where", "method"), PHONES)
def test_on_a_shared_port_the_rest_is_for_phones_rules(where: Source, method: str) -> None:
    assert answered(where, method) is None


def test_a_phone_at_the_address_of_a_gateway_is_known_by_its_certificate() -> None:
    phone = issued("SEP001122334455", by="Example CA", by_key=CA_KEY)
    view = trusting(AUTHORITY, store="CAPF-trust")
    desk = TrunkDesk("alpha-pub", TRUNKS, lambda: view)
    assert desk.answer(other("OPTIONS"), source("TLS", certificate=phone), MOMENT) is None
    found = desk.answer(other("OPTIONS"), source("TLS", certificate=phone, trunk_port=5071), MOMENT)
    assert found is not None, "a port for trunks alone has no phones"
    assert found[1][0].status == 403


# ---------------------------------------------------------------- certificates

OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
BY_CA = issued(by="Example CA", by_key=CA_KEY)
NOT_TRUSTED = f"neither CN={NAME} nor its issuer is in CallManager-trust"
JUDGED: dict[str, tuple[Certificate | None, SipTrunk, tuple[Certificate, ...], str]] = {
    "itself in the store": (OWN, secure_trunk(), (OWN,), ""),
    "its CA in the store": (BY_CA, secure_trunk(), (AUTHORITY,), ""),
    "one of several names": (OWN, secure_trunk(subject_names=["a", NAME]), (OWN,), ""),
    "letters in another case": (OWN, secure_trunk(subject_names=[NAME.upper()]), (OWN,), ""),
    "an alternative name": (cert := issued("x", also=["y", NAME]), secure_trunk(), (cert,), ""),
    "an EC key": (cert := issued(key=CA_KEY), secure_trunk(), (cert,), ""),
    "none": (None, secure_trunk(), (OWN,), "it showed no certificate"),
    "another name": (OWN, secure_trunk(subject_names=["x"]), (OWN,), f"CN={NAME} has none of the subject names x"),
    "a part of the name": (OWN, secure_trunk(subject_names=["gateway"]), (OWN,), "none of the subject names gateway"),
    "not in the store": (OWN, secure_trunk(), (), NOT_TRUSTED),
    "another with its name in the store": (OWN, secure_trunk(), (issued(key=OTHER_KEY),), NOT_TRUSTED),
    "a CA of that name with another key": (
        issued(by="Example CA", by_key=OTHER_KEY), secure_trunk(), (AUTHORITY,), NOT_TRUSTED
    ),
    "over": (cert := issued(begin=NOW - 2 * DAY, end=NOW - DAY), secure_trunk(), (cert,), "is outside its validity"),
    "not yet": (cert := issued(begin=NOW + DAY, end=NOW + 2 * DAY), secure_trunk(), (cert,), "is outside its validity"),
}  # fmt: skip


@pytest.mark.parametrize(("certificate", "of", "trusted", "why"), JUDGED.values(), ids=JUDGED)
def test_the_other_ends_certificate_is_judged(
    certificate: Certificate | None, of: SipTrunk, trusted: tuple[Certificate, ...], why: str
) -> None:
    found = judge_far_end(certificate, of, trusted, NOW)
    assert why in found
    assert bool(why) == bool(found)


def test_what_is_trusted_is_callmanager_trust_alone() -> None:
    where = source("TLS", certificate=OWN)
    assert answered(where) == ("secure", 200, "")
    view = trusting(OWN, store="tomcat-trust")
    found = TrunkDesk("alpha-pub", TRUNKS, lambda: view).answer(other("OPTIONS"), where, MOMENT)
    assert found is not None
    assert found[1][0].status == 403


def test_a_certificate_with_unreadable_extensions_does_not_count() -> None:
    builder = x509.CertificateBuilder(
        OWN.x509.subject, OWN.x509.subject, RSA_KEY.public_key(), 5, OWN.not_before, OWN.not_after
    ).add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), b"\xff\xff"), critical=False)
    broken = Certificate.from_der(builder.sign(RSA_KEY, hashes.SHA256()).public_bytes(Encoding.DER))
    assert "cannot be read" in judge_far_end(broken, secure_trunk(), (broken,), NOW)


UNREADABLE = [("Via", "nonsense"), ("From", "nobody"), ("To", "<sip:"), ("Call-ID", "a b")]


@pytest.mark.parametrize(("name", "value"), UNREADABLE)
def test_what_an_answer_repeats_has_to_be_readable(name: str, value: str) -> None:
    request = other("OPTIONS")
    headers = tuple((key, value if key == name else kept) for key, kept in request.headers)
    view = trusting(OWN)
    found = TrunkDesk("alpha-pub", TRUNKS, lambda: view).answer(replace(request, headers=headers), source(), MOMENT)
    assert found is not None
    (response,) = found[1]
    assert response.status == 400
    assert "cannot be read" in (response.get("Warning") or "")


def test_a_node_without_trunks_leaves_everything_to_phones_rules() -> None:
    desk = TrunkDesk("alpha-pub", (), trusting)
    assert desk.answer(other("OPTIONS"), replace(source(), address=GATEWAY), MOMENT) is None
