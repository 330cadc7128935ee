"""The ports of Cisco CTIManager: who is shown what, what becomes of what is said, and when they are there (R-ECC-1)."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from base.tls import client_context
from base.trace import Trace
from cluster.audit import Actor
from cluster.ciphers import TLS_CIPHER_CHOICES
from cluster.management.certificates import regenerate
from cluster.parameters import TLS_CIPHERS, TLS_MIN_VERSION
from cluster.purposes import Purpose
from services.cti.daemon import CiscoCtiManager, CtiLimits
from tests.services.wires import HOST, any_server, connection, identity, send, shake_hands, until_closed
from tests.shared_lab import PUB
from tests.waiting import PATIENCE_S, WatchedSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Lab, LabMaker

OPERATOR = Actor("admin", "test")
RSA, EC = "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"
GOVERNED = {
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "AES128-SHA",
}
REFUSED = (
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "AES256-SHA256",
    "NULL-SHA",
)


def only(suite: str) -> ssl.SSLContext:
    return any_server(f"{suite}:@SECLEVEL=0", maximum=ssl.TLSVersion.TLSv1_2)


async def has(port: int, suite: str) -> bool:
    try:
        return (await shake_hands(port, only(suite))).suite == suite
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize("suite", sorted(GOVERNED))
async def test_secure_cti_has_the_suites_of_the_parameter_with_the_certificate_of_each(lab: Lab, suite: str) -> None:
    """R-ECC-2, R-ECC-3"""
    shown = await shake_hands(lab.ports().secure_cti, only(suite))
    purpose = Purpose.CALLMANAGER_ECDSA if "ECDSA" in suite else Purpose.CALLMANAGER
    assert shown.suite == suite
    assert shown.version == "TLSv1.2"
    assert shown.certificate == lab.store.snapshot.require(PUB, purpose).certificate


async def test_secure_cti_speaks_the_least_version_of_its_last_start(lab: Lab) -> None:
    """What knows TLS 1.0 alone gets AES128-SHA, until the least version is a higher one."""
    old = any_server("AES128-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)
    await lab.store.set_parameter(TLS_MIN_VERSION, "1.2", OPERATOR)
    shown = await shake_hands(lab.ports().secure_cti, old)
    assert (shown.version, shown.suite) == ("TLSv1", "AES128-SHA")
    await lab.laboratory.nodes[PUB].supervisor.restart(CiscoCtiManager.name)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake_hands(lab.ports().secure_cti, old)
    assert (await shake_hands(lab.ports().secure_cti, only("AES128-SHA"))).version == "TLSv1.2"


async def test_secure_cti_refuses_the_cbc_suites_and_says_so_in_the_trace(lab: Lab) -> None:
    """R-ECC-3"""
    assert [suite for suite in REFUSED if await has(lab.ports().secure_cti, suite)] == []
    reasons = [
        event.data["reason"]
        for event in lab.sink.events
        if (event.service, event.step) == (CiscoCtiManager.name, "handshake_failed")
    ]
    assert reasons == ["no shared cipher"] * len(REFUSED)


@pytest.mark.parametrize("label", TLS_CIPHER_CHOICES)
async def test_tls_ciphers_governs_secure_cti(make_lab: LabMaker, label: str) -> None:
    """R-ECC-1"""
    lab = await make_lab(parameters=f'{{"TLS Ciphers": "{label}"}}')
    found = {suite for suite in GOVERNED if await has(lab.ports().secure_cti, suite)}
    assert found == set(TLS_CIPHER_CHOICES[label])


async def test_another_choice_or_certificate_counts_when_ctimanager_restarts(lab: Lab) -> None:
    """R-CRT-6"""
    port, supervisor = lab.ports().secure_cti, lab.laboratory.nodes[PUB].supervisor
    old = lab.store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    await regenerate(lab.store, PUB, Purpose.CALLMANAGER, OPERATOR)
    await lab.store.set_parameter(TLS_CIPHERS, "Strongest- AES-256 SHA-384 Only: RSA Preferred", OPERATOR)
    new = lab.store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    await supervisor.restart("Cisco CallManager")
    assert (await shake_hands(port, only("AES128-SHA"))).certificate == old != new
    await supervisor.restart(CiscoCtiManager.name)
    assert lab.ports().secure_cti == port
    assert not await has(port, "AES128-SHA")
    assert (await shake_hands(port, only(RSA))).certificate == new


# ---------------------------------------------------------------- what is said


@asynccontextmanager
async def serving(lab: Lab, **limits: float) -> AsyncIterator[tuple[int, int, WatchedSink]]:
    """Plain port, secure port and trace of a service of its own."""
    sink = WatchedSink()
    ports = type(lab.ports()).any_free()
    service = CiscoCtiManager(
        PUB,
        HOST,
        lambda: ports,
        lab.store,
        trace=Trace(sink),
        limits=CtiLimits(**limits),  # type: ignore[arg-type]
    )
    await service.start()
    plain, secure = (listener.port for listener in service.listeners)
    try:
        yield plain, secure, sink
    finally:
        await service.stop(0)
        assert service.listeners == ()


async def traced(sink: WatchedSink, step: str) -> dict[str, object]:
    return dict((await sink.seen(step)).data)


SAID = {
    "a byte": b"\0",
    "a message": bytes(range(100)),
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "much": bytes(60_000),
}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
async def test_what_an_application_says_is_counted_and_the_connection_ends_in_order(
    lab: Lab, said: bytes, *, tls: bool
) -> None:
    async with serving(lab, message_s=0.1) as (plain, secure, sink):
        async with connection(secure if tls else plain, any_server() if tls else None) as (reader, writer):
            writer.write(said)
            async with asyncio.timeout(PATIENCE_S):
                assert await reader.read() == b"", "an end of the stream, no reset"
        told = await traced(sink, "not_served")
        assert told == {"octets": len(said), "reason": "this simulator has no call control"}
        assert str((await traced(sink, "connected"))["tls"]).startswith("TLSv1.2" if tls else "")


async def test_who_says_nothing_is_hung_up_on(lab: Lab) -> None:
    async with serving(lab, silence_s=0.05) as (plain, secure, sink):
        async with connection(plain) as (first, _), connection(secure, any_server()) as (second, _):
            assert await until_closed(first) == await until_closed(second) == b""
        await traced(sink, "connection_timed_out")


async def test_who_says_too_much_is_cut_off(lab: Lab) -> None:
    async with serving(lab, message_size=1_000, message_s=PATIENCE_S) as (plain, _, sink):
        assert await send(plain, bytes(1_001)) == b""
        assert await traced(sink, "message_too_long") == {"limit": 1_000}


async def test_applications_over_the_limit_are_refused(lab: Lab) -> None:
    async with serving(lab, connections=1) as (plain, _, sink), connection(plain):
        await traced(sink, "connected")
        assert await send(plain, b"") == b""
        await traced(sink, "connection_refused")


async def test_an_application_shows_the_certificate_that_capf_gave_it(make_lab: LabMaker) -> None:
    """CAs that come into CAPF-trust count at once."""
    lab = await make_lab()
    mic = identity("phone-mic")
    async with serving(lab) as (_, secure, sink):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shake_hands(secure, client_context(mic))
        assert "certificate" in str((await traced(sink, "handshake_failed"))["reason"])
        await lab.store.add_trust("CAPF-trust", [mic.certificate])
        async with connection(secure, client_context(mic)):
            assert (await traced(sink, "connected"))["client"] == str(mic.certificate.subject)
