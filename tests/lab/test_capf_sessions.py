"""Phones and CAPF over TLS: every operation, by every authentication, with every kind of key (R-CAPF-1, R-CAPF-2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.phonesecurity import Authentication, KeyOrder, Operation
from phone_sim.capf_side import CapfOutcome
from phone_sim.report import Outcome
from tests.lab.capf_bench import ADVANCED, DEVICE, STRING, CapfBench, order

if TYPE_CHECKING:
    from tests.conftest import LabMaker

KEYS = [
    (KeyOrder.RSA, 1024),
    (KeyOrder.RSA, 2048),
    (KeyOrder.EC, 256),
    (KeyOrder.EC, 384),
    (KeyOrder.EC, 521),
    (KeyOrder.EC_PREFERRED, 384),
]


@pytest.mark.parametrize("authentication", Authentication)
async def test_every_operation_and_every_kind_of_key_by(authentication: Authentication, make_lab: LabMaker) -> None:
    bench = await CapfBench.open(await make_lab(parameters=ADVANCED))
    phone = bench.phone(auth_string=STRING)
    for key_order, size in KEYS:
        await bench.schedule(order(Operation.INSTALL, authentication, key_order, size))
        report = await phone.boot()
        assert report.outcome is Outcome.BOOTED, (key_order, size)
        assert report.capf is not None
        assert (report.capf.outcome, report.capf.detail) == (CapfOutcome.UPDATED, ""), (key_order, size)
        security = bench.security()
        assert security.status == "Upgrade Success"
        assert security.lsc is not None
        assert phone.identity is not None
        assert security.lsc == phone.identity.certificate
        assert (security.lsc.is_rsa, security.lsc.public_key.key_size) == (key_order is KeyOrder.RSA, size)
        assert security.lsc.subject.common_name == DEVICE
        assert not security.pending, "a completed operation resets the device to none"
        again = await phone.boot()
        assert again.capf is None, "and the configuration asks for nothing more"

    await bench.schedule(order(Operation.TROUBLESHOOT, authentication))
    report = await phone.boot()
    assert report.capf is not None
    assert (report.capf.outcome, report.capf.changed) == (CapfOutcome.UPDATED, False)
    assert bench.security().status == "Troubleshoot Success"
    assert phone.identity is not None
    assert bench.security().lsc == phone.identity.certificate
    assert bench.security().mic is not None

    await bench.schedule(order(Operation.DELETE, authentication))
    report = await phone.boot()
    assert report.capf is not None
    assert (report.capf.outcome, report.capf.changed) == (CapfOutcome.UPDATED, True)
    assert bench.security().status == "Delete Success"
    assert bench.security().lsc is None
    assert phone.identity is not None
    assert phone.identity.certificate == bench.security().mic, "the MIC is what is left"
