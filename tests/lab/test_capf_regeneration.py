"""What becomes of old LSCs when the CAPF certificate is regenerated (R-CRT-6, R-CAPF-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.management.certificates import regenerate
from cluster.phonesecurity import Authentication, Operation
from cluster.purposes import Purpose
from cluster.servicecatalogue import CAPF
from services.commandline.interpreter import Outcome
from tests.lab.capf_bench import ADMIN, DEVICE, CapfBench, order
from tests.lab.phone_bench import LivePhone
from tests.lab.test_secure_phones import mixed_mode, secure
from tests.services.commandline_cast import Desk

if TYPE_CHECKING:
    from phone_sim.phone import Phone
    from tests.conftest import Lab
    from wire.certificates import Certificate

pytestmark = pytest.mark.timeout(90)
PUB = "alpha-pub"
EARLIER = "issued by an earlier CAPF certificate"


async def enrolled(lab: Lab) -> tuple[CapfBench, Phone, Certificate]:
    """A phone with an LSC, and the CAPF certificate that signed it, which has been regenerated since."""
    bench = await CapfBench.open(lab)
    await bench.schedule(order())
    phone = bench.phone()
    await phone.boot()
    old = lab.store.snapshot.require(PUB, Purpose.CAPF).certificate
    await regenerate(lab.store, PUB, Purpose.CAPF, ADMIN)
    await lab.laboratory.nodes[PUB].supervisor.restart(CAPF)
    return bench, phone, old


async def test_an_old_lsc_registers_and_is_replaced_by_itself(lab: Lab) -> None:
    await mixed_mode(lab)
    await secure(lab)
    bench, phone, old = await enrolled(lab)
    desk = Desk(lab.store)
    lsc = bench.security().lsc
    assert lsc is not None
    assert await desk("utils capf stale-lsc list") == f"{DEVICE}: serial {lsc.serial:x}, {EARLIER}\n"
    async with LivePhone(lab, phone=phone) as live:
        await live.registered()
    await bench.schedule(order(Operation.INSTALL, Authentication.LSC))
    await phone.boot()
    renewed = bench.security().lsc
    assert renewed is not None
    assert (renewed.issuer == old.subject, bench.security().status) == (False, "Upgrade Success")
    assert await desk("utils capf stale-lsc list") == "No stale LSC\n"


async def test_without_the_old_certificate_in_capf_trust_an_old_lsc_counts_nowhere(lab: Lab) -> None:
    await mixed_mode(lab)
    await secure(lab)
    bench, phone, old = await enrolled(lab)
    await lab.store.delete_trust("CAPF-trust", old.sha256)
    async with LivePhone(lab, phone=phone) as live:
        await live.said("the TLS certificate does not count")
    await bench.schedule(order(Operation.INSTALL, Authentication.LSC))
    await phone.boot()
    assert bench.security().status == "Upgrade Failed: Invalid LSC"
    await bench.schedule(order(Operation.INSTALL, Authentication.MIC))
    await phone.boot()
    assert bench.security().status == "Upgrade Success"
    async with LivePhone(lab, phone=phone) as live:
        await live.registered()


async def test_deleted_stale_lscs_are_forgotten_by_the_cluster_and_kept_by_the_phone(lab: Lab) -> None:
    bench, phone, _ = await enrolled(lab)
    desk = Desk(lab.store)
    shown = await desk("utils capf stale-lsc delete", "no")
    assert (desk.outcome, "Nothing was changed" in shown, bench.security().lsc is None) == (
        Outcome.REFUSED,
        True,
        False,
    )
    shown = await desk("utils capf stale-lsc delete", "yes")
    assert shown.endswith("1 stale LSC(s) deleted\n")
    assert bench.security().lsc is None
    assert phone.identity is not None
    assert phone.identity.certificate.subject.common_name == DEVICE
    assert await desk("utils capf stale-lsc delete") == "No stale LSC\n"
