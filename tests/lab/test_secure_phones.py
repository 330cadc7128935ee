"""Phones whose security profile wants TLS: who is trusted, whose certificate counts (R-PHN-5, R-CTL-2, R-CAPF-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phone_sim.flash import MemoryFlash
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from services.callmanager.service import CiscoCallManager
from services.commandline.interpreter import Outcome
from tests.lab.capf_bench import DEVICE, MAC, CapfBench, order
from tests.lab.phone_bench import LivePhone, listed
from tests.services.commandline_cast import Desk
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker


async def command(lab: Lab, line: str) -> None:
    desk = Desk(lab.store)
    desk.context.assume_yes = True
    await desk(line)
    assert desk.outcome is Outcome.DONE


async def mixed_mode(lab: Lab) -> None:
    await command(lab, "utils ctl set-cluster mixed-mode")


async def restart(lab: Lab) -> None:
    for node in lab.laboratory.nodes.values():
        await node.supervisor.restart(CiscoCallManager.name)


async def secure(lab: Lab, security: str = "encrypted") -> None:
    definition = lab.store.snapshot.definition
    device = definition.devices[0].model_copy(update={"security": security})
    await lab.store.install(definition.model_copy(update={"devices": (device, *definition.devices[1:])}))


async def test_a_secure_phone_registers_over_tls_with_its_mic_in_a_mixed_cluster(lab: Lab) -> None:
    """The factory's CA is trusted while CallManager runs: no restart is needed."""
    bench = await CapfBench.open(lab)
    await mixed_mode(lab)
    await secure(lab)
    async with LivePhone(lab, phone=bench.phone()) as phone:
        await phone.registered()
        (row,) = await listed(lab, {DEVICE: "Match"})
        assert row.transport == "TLS"


@pytest.mark.parametrize(("security", "encrypts"), [("authenticated", False), ("encrypted", True)])
async def test_the_profile_says_whether_a_phone_encrypts(lab: Lab, security: str, *, encrypts: bool) -> None:
    """deviceSecurityMode 2 is TLS with the NULL cipher, which CallManager has from its start in a mixed cluster on."""
    bench = await CapfBench.open(lab)
    await mixed_mode(lab)
    await secure(lab, security)
    await restart(lab)
    async with LivePhone(lab, phone=bench.phone()) as phone:
        await phone.registered()
        (cipher,) = {item.source.cipher for item in manager(lab).registrar.registrations}
        assert (cipher != "NULL-SHA") is encrypts


def old_phone(bench: CapfBench) -> Phone:
    """A 7945 with its MIC; it knows TLS 1.0 alone."""
    ports = bench.lab.ports()
    phone = Phone(MAC, model("7945"), [TftpServer("127.0.0.1", ports.tftp, ports.http, ports.https)], MemoryFlash())
    phone.install_mic(bench.factory.mic(MAC, "7945"))
    return phone


@pytest.mark.parametrize(("security", "cipher"), [("authenticated", "NULL-SHA"), ("encrypted", "AES128-SHA")])
async def test_an_old_phone_registers_over_tls_1_0(lab: Lab, security: str, cipher: str) -> None:
    """R-PHN-5, R-ECC-1: the least version is 1.0 until it is told otherwise."""
    bench = await CapfBench.open(lab)
    await mixed_mode(lab)
    await secure(lab, security)
    await restart(lab)
    async with LivePhone(lab, phone=old_phone(bench)) as phone:
        await phone.registered()
        (source,) = {item.source for item in manager(lab).registrar.registrations}
        assert (source.transport, source.cipher) == ("TLS", cipher)


async def test_a_higher_least_version_shuts_an_old_phone_out_from_the_next_start_on(lab: Lab) -> None:
    """R-CRT-6 for the setting; the phone's screen and both traces say why."""
    bench = await CapfBench.open(lab)
    await mixed_mode(lab)
    await secure(lab)
    await command(lab, "set tls min-version 1.2")
    async with LivePhone(lab, phone=old_phone(bench)) as phone:
        await phone.registered()
        await restart(lab)
        await phone.said("Registration failed: TLS with tls:127.0.0.1:")
    failed = [item for item in lab.sink.events if item.step == "handshake_failed"]
    assert {(item.service, item.data["reason"]) for item in failed} == {(CiscoCallManager.name, "unsupported protocol")}


async def test_a_choice_of_suites_without_aes128_sha_refuses_an_old_phone(make_lab: LabMaker) -> None:
    """R-ECC-3"""
    lab = await make_lab(parameters='{"TLS Ciphers": "Medium-AES-256 AES-128 Only: RSA Preferred"}')
    bench = await CapfBench.open(lab)
    await mixed_mode(lab)
    await secure(lab)
    async with LivePhone(lab, phone=old_phone(bench)) as phone:
        await phone.said("Registration failed: TLS with tls:127.0.0.1:")
        assert phone.times_registered() == 0


async def test_a_secure_phone_registers_over_tls_with_the_lsc_that_capf_gave_it(lab: Lab) -> None:
    bench = await CapfBench.open(lab)
    await mixed_mode(lab)
    await secure(lab)
    await bench.schedule(order())
    async with LivePhone(lab, phone=bench.phone(mic=False)) as phone:
        await phone.registered()
        assert bench.security().lsc is not None
        (row,) = await listed(lab, {DEVICE: "Match"})
        assert row.transport == "TLS"


async def test_a_secure_phone_without_a_certificate_is_told_so(lab: Lab) -> None:
    bench = await CapfBench.open(lab)
    await mixed_mode(lab)
    await secure(lab)
    async with LivePhone(lab, phone=bench.phone(mic=False)) as phone:
        await phone.said(f"{DEVICE} showed no certificate")


async def test_in_a_non_secure_cluster_it_registers_over_tcp_until_the_mode_changes(lab: Lab) -> None:
    """Signalling security needs a CTL (R-SBD-5); the change of mode alters the ITL, so the phone is reset."""
    bench = await CapfBench.open(lab)
    await secure(lab)
    async with LivePhone(lab, phone=bench.phone()) as phone:
        await phone.registered()
        (row,) = await listed(lab, {DEVICE: "Match"})
        assert row.transport == "TCP"
        await mixed_mode(lab)
        await phone.registered(2)
        await eventually(lambda: transports(lab) == {"TLS"})


def manager(lab: Lab) -> CiscoCallManager:
    services = lab.laboratory.nodes["alpha-pub"].supervisor.services
    (found,) = (service for service in services if isinstance(service, CiscoCallManager))
    return found


def transports(lab: Lab) -> set[str]:
    return {item.source.transport for item in manager(lab).registrar.registrations}
