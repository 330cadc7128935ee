"""Phones whose security profile wants TLS: who is trusted, whose certificate counts (R-PHN-5, R-CTL-2, R-CAPF-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.callmanager.service import CiscoCallManager
from services.commandline.interpreter import Outcome
from tests.lab.capf_bench import DEVICE, CapfBench, order
from tests.lab.phone_bench import LivePhone, listed
from tests.services.commandline_cast import Desk
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import Lab


async def mixed_mode(lab: Lab) -> None:
    desk = Desk(lab.store)
    desk.context.assume_yes = True
    await desk("utils ctl set-cluster mixed-mode")
    assert desk.outcome is Outcome.DONE


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
    for node in lab.laboratory.nodes.values():
        await node.supervisor.restart(CiscoCallManager.name)
    async with LivePhone(lab, phone=bench.phone()) as phone:
        await phone.registered()
        (cipher,) = {item.source.cipher for item in manager(lab).registrar.registrations}
        assert (cipher != "NULL-SHA") is encrypts


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
