"""Authenticated profiles: TLS that proves who is there and does not encrypt (NULL-SHA), on the phones' secure port."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from base.identity import Identity
from base.tls import client_context
from cluster.audit import Actor
from cluster.ciphers import DEFAULT, NULL_SUITE, TLS_CIPHER_CHOICES, sip_line_suites
from cluster.management.ctl import set_mixed_mode
from cluster.parameters import TLS_CIPHERS
from tests.services.sip_cast import Desk, register, snapshot, tls
from tests.services.sip_daemon import Client
from tests.services.wires import HOST, any_server, shake_hands
from tests.wire.material import certificate, private_key

if TYPE_CHECKING:
    from tests.conftest import Lab

OPERATOR = Actor("admin", "test")
MIC = certificate("phone-mic.pem")
PHONE = Identity(MIC, private_key("phone-mic.pem"))
ECDSA_ONLY = ("Medium-AES-256 AES-128 Only: ECDSA Only", "Strongest-AES-256 SHA-384 Only: ECDSA Only")
"""Without RSA, which NULL-SHA needs."""


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("label", TLS_CIPHER_CHOICES)
def test_authenticated_mode_adds_its_suite_behind_those_of_the_choice(label: str, *, mixed: bool) -> None:
    usual, suites = TLS_CIPHER_CHOICES[label], sip_line_suites(label, mixed_mode=mixed)
    assert suites[: len(usual)] == usual
    assert suites[len(usual) :] == ((NULL_SUITE,) if mixed and label not in ECDSA_ONLY else ())


AES = "ECDHE-RSA-AES256-GCM-SHA384"
BY_PROFILE = [
    ("authenticated", NULL_SUITE, 200, ""),
    ("authenticated", AES, 200, ""),
    ("encrypted", AES, 200, ""),
    ("encrypted", NULL_SUITE, 403, "has to encrypt: its profile is encrypted, and NULL-SHA does not"),
]


@pytest.mark.parametrize(("security", "cipher", "status", "why"), BY_PROFILE)
def test_the_profile_decides_whether_null_will_do(security: str, cipher: str, status: int, why: str) -> None:
    devices = f"devices: [{{mac: 001122334455, model: 8865, security: {security}, lines: [{{number: 2001}}]}}]"
    desk = Desk(snapshot(devices=devices, authorities=[MIC]))
    where = tls(MIC)
    source = type(where)(where.transport, where.address, where.port, where.key, MIC, cipher)
    answer = desk.answer(register(), source)
    assert answer.status == status
    assert why in (answer.get("Warning") or "")


def null(identity: Identity | None = None) -> ssl.SSLContext:
    context = client_context(identity, ciphers=f"{NULL_SUITE}:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def offers_null(lab: Lab) -> bool:
    try:
        return (await shake_hands(lab.ports().secured_sip, null())).suite == NULL_SUITE
    except (ssl.SSLError, ConnectionError):
        return False


async def restart(lab: Lab) -> None:
    await lab.laboratory.nodes["alpha-pub"].supervisor.restart("Cisco CallManager")


async def test_it_is_there_in_a_mixed_cluster_after_a_restart_unless_the_choice_has_no_rsa(lab: Lab) -> None:
    assert not await offers_null(lab)
    await set_mixed_mode(lab.store, OPERATOR)
    assert not await offers_null(lab), "bound at start"
    await restart(lab)
    assert await offers_null(lab)
    everything = any_server("ALL:eNULL:@SECLEVEL=0", maximum=ssl.TLSVersion.TLSv1_2)
    assert (await shake_hands(lab.ports().secured_sip, everything)).suite != NULL_SUITE, "never for one that can more"
    await lab.store.set_parameter(TLS_CIPHERS, ECDSA_ONLY[0], OPERATOR)
    await restart(lab)
    assert not await offers_null(lab)
    await lab.store.set_parameter(TLS_CIPHERS, DEFAULT, OPERATOR)
    await restart(lab)
    assert await offers_null(lab)


@pytest.mark.parametrize(("security", "status"), [("authenticated", 200), ("encrypted", 403)])
async def test_a_phone_over_null_sha_is_registered_or_told_why_not(lab: Lab, security: str, status: int) -> None:
    definition = lab.store.snapshot.definition
    device = definition.devices[0].model_copy(update={"security": security})
    await lab.store.install(definition.model_copy(update={"devices": (device,)}))
    await lab.store.add_trust("CAPF-trust", [MIC])
    await set_mixed_mode(lab.store, OPERATOR)
    await restart(lab)
    phone = Client(*await asyncio.open_connection(HOST, lab.ports().secured_sip, ssl=null(PHONE), server_hostname="x"))
    phone.send(register())
    answer = await phone.final()
    assert answer.status == status
    assert ("NULL-SHA" in (answer.get("Warning") or "")) is (status == 403)
    phone.close()
