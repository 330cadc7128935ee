"""What goes wrong between a phone and CAPF, what both say of it, and how it is mended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from base.tls import server_context
from cluster.management.certificates import regenerate
from cluster.management.ctl import set_mixed_mode
from cluster.phonesecurity import Authentication, CapfOrder, KeyOrder, Operation
from cluster.purposes import Purpose
from phone_sim.capf_side import CapfOutcome
from phone_sim.reasons import Reason
from phone_sim.report import Outcome
from tests.lab.capf_bench import ADMIN, ADVANCED, DEVICE, STRING, CapfBench, order
from tests.lab.phone_bench import LivePhone

if TYPE_CHECKING:
    from phone_sim.clients.capf import CapfResult
    from phone_sim.report import BootReport
    from tests.conftest import LabMaker

CAPF = "Cisco Certificate Authority Proxy Function"
INSTALL = Operation.INSTALL


def capf(report: BootReport) -> CapfResult:
    assert report.capf is not None
    return report.capf


async def test_a_phone_waits_for_the_string_that_a_person_types(make_lab: LabMaker) -> None:
    bench = await CapfBench.open(await make_lab())
    phone = bench.phone()
    await bench.schedule(order(INSTALL, Authentication.STRING))
    report = await phone.boot()
    assert (report.outcome, capf(report).outcome) == (Outcome.BOOTED, CapfOutcome.STRING_NEEDED)
    assert bench.security().status == "Operation Pending"
    assert (await phone.update_lsc()).outcome is CapfOutcome.STRING_NEEDED
    wrong = await phone.update_lsc("1111")
    assert (wrong.outcome, wrong.changed) == (CapfOutcome.REFUSED, False)
    assert bench.security().status == "Upgrade Failed: Invalid Authentication String"
    right = await phone.update_lsc(STRING)
    assert (right.outcome, right.changed) == (CapfOutcome.UPDATED, True)
    assert bench.security().status == "Upgrade Success"


async def test_three_wrong_strings_end_the_operation(make_lab: LabMaker) -> None:
    bench = await CapfBench.open(await make_lab())
    await bench.schedule(order(INSTALL, Authentication.STRING))
    phone = bench.phone(auth_string="0000")
    outcomes = [capf(await phone.boot()).outcome, *[(await phone.update_lsc()).outcome for _ in range(3)]]
    assert outcomes == [CapfOutcome.REFUSED] * 3 + [CapfOutcome.NOTHING_TO_DO]
    assert (await phone.boot()).capf is None, "the configuration asks for it no more"


async def test_ec_preferred_falls_back_to_rsa_on_a_phone_without_ec(make_lab: LabMaker) -> None:
    """R-CAPF-2, with the parameter on or off."""
    bench = await CapfBench.open(await make_lab(parameters=ADVANCED))
    wanted = order(key_order=KeyOrder.EC_PREFERRED, size=384)
    for _ in range(2):
        await bench.schedule(wanted)
        phone = bench.phone(ec=False)
        assert capf(await phone.boot()).outcome is CapfOutcome.UPDATED
        lsc = bench.security().lsc
        assert lsc is not None
        assert (lsc.is_rsa, lsc.public_key.key_size) == (True, 1024)
        await bench.lab.store.set_parameter("Endpoint Advanced Encryption Algorithms Support", "False")


async def test_ec_only_fails_on_a_phone_without_ec(make_lab: LabMaker) -> None:
    bench = await CapfBench.open(await make_lab(parameters=ADVANCED))
    await bench.schedule(order(key_order=KeyOrder.EC))
    assert capf(await bench.phone(ec=False).boot()).outcome is CapfOutcome.REFUSED
    assert bench.security().status == "Upgrade Failed: No Support for EC only in CAPF version 3"


async def test_a_phone_that_knows_ec_gets_no_lsc_at_all_while_the_parameter_is_off(make_lab: LabMaker) -> None:
    """R-CAPF-3: not even the RSA backup."""
    bench = await CapfBench.open(await make_lab())
    await bench.schedule(order(key_order=KeyOrder.EC_PREFERRED))
    phone = bench.phone()
    assert capf(await phone.boot()).outcome is CapfOutcome.REFUSED
    assert bench.security().status == "Upgrade Failed"
    assert bench.security().lsc is None


async def test_a_phone_whose_itl_does_not_allow_ec_takes_the_backup(make_lab: LabMaker) -> None:
    """The parameter was switched on after the phone had its ITL: it learns so with the next one."""
    bench = await CapfBench.open(await make_lab())
    phone = bench.phone()
    await bench.schedule(order(INSTALL, Authentication.STRING, KeyOrder.EC_PREFERRED))
    await phone.boot()
    await bench.lab.store.set_parameter("Endpoint Advanced Encryption Algorithms Support", "True")
    assert (await phone.update_lsc(STRING)).outcome is CapfOutcome.UPDATED
    lsc = bench.security().lsc
    assert lsc is not None
    assert lsc.is_rsa


async def test_a_phone_boots_without_capf_when_the_service_is_down(make_lab: LabMaker) -> None:
    bench = await CapfBench.open(await make_lab())
    await bench.schedule(order())
    supervisor = bench.lab.laboratory.nodes["alpha-pub"].supervisor
    await supervisor.stop(CAPF)
    phone = bench.phone()
    report = await phone.boot()
    assert (report.outcome, report.exit_code) == (Outcome.BOOTED, 0)
    assert capf(report).outcome is CapfOutcome.UNREACHABLE
    await supervisor.start(CAPF)
    assert capf(await phone.boot()).outcome is CapfOutcome.UPDATED


async def test_a_new_capf_certificate_is_vouched_for_by_tvs(make_lab: LabMaker) -> None:
    """The phone's ITL has the old one; TVS knows the new one in the role of CAPF."""
    bench = await CapfBench.open(await make_lab())
    phone = bench.phone()
    await bench.schedule(order(INSTALL, Authentication.STRING))
    await phone.boot()
    await regenerate(bench.lab.store, "alpha-pub", Purpose.CAPF, ADMIN)
    await bench.lab.laboratory.nodes["alpha-pub"].supervisor.restart(CAPF)
    assert (await phone.update_lsc(STRING)).outcome is CapfOutcome.UPDATED
    judged = await phone.boot()
    assert judged.exit_code == 0


async def test_a_capf_server_that_nobody_knows_learns_nothing(make_lab: LabMaker) -> None:
    """Its certificate is neither in the ITL nor known to TVS in that role."""
    bench = await CapfBench.open(await make_lab())
    phone = bench.phone()
    await bench.schedule(order())
    await bench.lab.laboratory.nodes["alpha-pub"].supervisor.stop(CAPF)
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    context = server_context([bench.lab.store.snapshot.require("alpha-pub", Purpose.IPSEC).identity])
    async with await asyncio.start_server(listen, "127.0.0.1", bench.lab.ports().capf, ssl=context):
        report = await phone.boot()
    assert capf(report).outcome is CapfOutcome.SERVER_NOT_TRUSTED
    judged = report.decision("server")
    assert judged is not None
    assert judged.reason is Reason.TVS_DOES_NOT_KNOW
    assert report.outcome is Outcome.BOOTED
    assert b"".join(heard) == b""


async def test_a_phone_that_comes_too_late_keeps_what_it_has(make_lab: LabMaker) -> None:
    bench = await CapfBench.open(await make_lab())
    phone = bench.phone()
    before = phone.identity
    past = datetime.now(UTC) - timedelta(hours=1)
    await bench.schedule(CapfOrder(INSTALL, rsa_size=1024, complete_by=past))
    assert capf(await phone.boot()).outcome is CapfOutcome.NOTHING_TO_DO
    assert bench.security().status == "Upgrade Failed: User Initiated Request Late"
    assert phone.identity == before


async def test_a_stranger_of_the_same_name_cannot_pass_for_the_phone_by_certificate(make_lab: LabMaker) -> None:
    bench = await CapfBench.open(await make_lab())
    for authentication, status in (
        (Authentication.MIC, "Upgrade Failed: Invalid MIC"),
        (Authentication.LSC, "Upgrade Failed: Invalid LSC"),
    ):
        await bench.schedule(order(INSTALL, authentication))
        stranger = bench.phone(mic=False)
        assert capf(await stranger.boot()).outcome is CapfOutcome.REFUSED
        assert bench.security().status == status
    other = bench.phone(mic=False)
    other.install_mic(bench.factory.mic("001122334456", "8865"))
    assert capf(await other.boot()).outcome is CapfOutcome.REFUSED
    assert bench.security().status == "Upgrade Failed: Invalid MIC"
    assert bench.security().pending, "the phone itself may still come"
    assert capf(await bench.phone().boot()).outcome is CapfOutcome.UPDATED


async def test_a_secure_phone_registers_over_tls_with_its_lsc(make_lab: LabMaker) -> None:
    """R-PHN-5: for every kind of key; with its MIC it could, too."""
    lab = await make_lab(parameters=ADVANCED)
    bench = await CapfBench.open(lab)
    definition = lab.store.snapshot.definition
    devices = tuple(
        item.model_copy(update={"security": "encrypted"}) if item.name == DEVICE else item
        for item in definition.devices
    )
    await lab.store.install(definition.model_copy(update={"devices": devices}))
    await set_mixed_mode(lab.store, ADMIN)  # R-SBD-5: a secure profile counts in a mixed cluster
    for key_order, size in ((KeyOrder.RSA, 1024), (KeyOrder.RSA, 2048), (KeyOrder.EC, 256)):
        await bench.schedule(order(key_order=key_order, size=size))
        async with LivePhone(lab) as live:
            live.phone.install_mic(bench.factory.mic("001122334455", "8865"))
            await live.registered()
            assert live.boots[0].capf is not None
            assert live.boots[0].capf.outcome is CapfOutcome.UPDATED, (key_order, size)
    async with LivePhone(lab) as with_mic:
        with_mic.phone.install_mic(bench.factory.mic("001122334455", "8865"))
        await with_mic.registered()
    async with LivePhone(lab) as without:
        await without.said("showed no certificate")
        assert without.times_registered() == 0
