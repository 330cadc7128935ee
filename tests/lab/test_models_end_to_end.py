"""Phone models against a running cluster: each boots, asks TVS and registers in the way that its abilities say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from base.phonemodels import TlsVersion
from cluster.audit import Actor
from cluster.management.certificates import regenerate
from cluster.management.fields import CertificateFields
from cluster.phonesecurity import KeyOrder
from cluster.purposes import Purpose
from cluster.store import ClusterStore
from lab.laboratory import database_path
from phone_sim.boot import Attempt, Transport
from phone_sim.flash import Item, MemoryFlash
from phone_sim.models import Ability, Model, all_models, model
from phone_sim.namedfiles import KINDS
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.report import SERVER, BootReport, Outcome
from phone_sim.servers import TftpServer
from tests.conftest import lab_config
from tests.lab.capf_bench import ADVANCED, CapfBench, order
from tests.lab.phone_bench import STRANGER, LivePhone, listed
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.conftest import Lab, LabMaker

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")

HOST, PUB, SUB = "127.0.0.1", "alpha-pub", "alpha-sub1"
MAC = "001122334455"
DEVICE = f"SEP{MAC}"
ITL, SIGNED, PLAIN = f"ITL{DEVICE}.tlv", f"{DEVICE}.cnf.xml.sgn", f"{DEVICE}.cnf.xml"
ADMIN = Actor("admin", "test")


def phone(lab: Lab, kind: Model, flash: MemoryFlash | None = None, node: str = PUB) -> Phone:
    ports = lab.ports(node)
    return Phone(MAC, kind, [TftpServer(HOST, ports.tftp, ports.http, ports.https)], flash or MemoryFlash())


def tried(report: BootReport, file: str) -> list[tuple[Transport, Attempt | None]]:
    return [(item.transport, item.failure) for item in report.fetches if item.file == file]


def decisions(report: BootReport) -> list[tuple[str, Reason]]:
    """But for those on the files beside the configuration."""
    return [(item.what, item.reason) for item in report.decisions if item.what not in KINDS]


def spoken(lab: Lab, service: str) -> set[str]:
    """Versions of TLS in which a service was spoken to."""
    connected = [item for item in lab.sink.events if item.step == "connected" and item.service == service]
    return {str(item.data["tls"]).split(" ")[0] for item in connected}


# --- downloads ---

BY_HTTPS = [(Transport.HTTPS, None)]
TOO_OLD_FOR_HTTPS = [(Transport.HTTPS, Attempt.BROKEN), (Transport.HTTP, None)]
NEVER_ASKED: list[Any] = []


@pytest.mark.parametrize(
    ("name", "changes", "trust_list", "signed", "plain"),
    [
        ("7960", {}, NEVER_ASKED, NEVER_ASKED, [(Transport.HTTP, None)]),
        ("7945", {}, [(Transport.HTTP, None)], TOO_OLD_FOR_HTTPS, NEVER_ASKED),
        ("7945", {"http": Ability.NO}, [(Transport.TFTP, None)], [TOO_OLD_FOR_HTTPS[0], (Transport.TFTP, None)], []),
        ("8945", {}, [(Transport.HTTP, None)], BY_HTTPS, NEVER_ASKED),
        ("7841", {}, [(Transport.HTTP, None)], BY_HTTPS, NEVER_ASKED),
        ("8865", {}, [(Transport.HTTP, None)], BY_HTTPS, NEVER_ASKED),
        ("8865", {"https_config": Ability.NO}, [(Transport.HTTP, None)], [(Transport.HTTP, None)], NEVER_ASKED),
        ("8865", {"http": Ability.NO}, [(Transport.TFTP, None)], BY_HTTPS, NEVER_ASKED),
        ("9841", {}, [(Transport.HTTP, None)], BY_HTTPS, NEVER_ASKED),
        ("DX80", {}, [(Transport.HTTP, None)], BY_HTTPS, NEVER_ASKED),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value) if isinstance(value, dict) else "",
)
async def test_what_a_model_fetches_over_what(
    make_lab: LabMaker, name: str, changes: dict[str, Any], trust_list: object, signed: object, plain: object
) -> None:
    """R-DL-4: the ITL offers HTTPS 6971, which speaks TLS 1.2 and above; a TLS 1.0 phone falls back to HTTP or TFTP."""
    lab = await make_lab(parameters=ADVANCED)
    report = await phone(lab, replace(model(name), **changes)).boot()
    assert (report.outcome, report.exit_code) == (Outcome.BOOTED, 0)
    assert (tried(report, ITL), tried(report, SIGNED), tried(report, PLAIN)) == (trust_list, signed, plain)


async def test_every_model_that_can_be_simulated_boots(make_lab: LabMaker) -> None:
    """12.5 signs with SHA-1, which all know."""
    lab = await make_lab(parameters=ADVANCED)
    for kind in all_models().values():
        report = await phone(lab, kind).boot()
        assert (kind.name, report.outcome, report.exit_code) == (kind.name, Outcome.BOOTED, 0)
        unsigned = kind.security_by_default is Ability.NO
        assert (kind.name, bool(report.trust_lists)) == (kind.name, not unsigned)


async def test_why_a_tls_1_0_phone_does_not_get_its_configuration_over_https(make_lab: LabMaker) -> None:
    lab = await make_lab(parameters=ADVANCED)
    report = await phone(lab, model("7975")).boot()
    (refused,) = [item for item in report.fetches if item.transport is Transport.HTTPS]
    assert "TLS with https://" in refused.detail
    assert decisions(report) == [("ITL", Reason.LEAP_OF_FAITH), ("configuration", Reason.SIGNED_BY_ITL)]


# --- signatures ---


@pytest.mark.parametrize(
    ("name", "decided"),
    [
        ("7945", [("ITL", Reason.DIGEST_NOT_SUPPORTED)]),
        ("8961", [("ITL", Reason.DIGEST_NOT_SUPPORTED)]),
        ("7960", [("configuration", Reason.NO_TRUST_LIST)]),
        ("7821", [("ITL", Reason.LEAP_OF_FAITH), ("configuration", Reason.SIGNED_BY_ITL)]),
        ("8865", [("ITL", Reason.LEAP_OF_FAITH), ("configuration", Reason.SIGNED_BY_ITL)]),
    ],
)
async def test_who_takes_files_signed_with_sha_512(
    make_lab: LabMaker, name: str, decided: list[tuple[str, Reason]]
) -> None:
    """Release 14 signs so until it is told otherwise."""
    lab = await make_lab("14")
    report = await phone(lab, model(name)).boot()
    assert decisions(report) == decided
    await lab.store.set_parameter("TFTP File Signature Algorithm", "SHA-1")
    mended = await phone(lab, model(name)).boot()
    assert (mended.outcome, mended.exit_code) == (Outcome.BOOTED, 0)


# --- TVS ---


@pytest.mark.parametrize(("name", "highest", "version"), [("7945", None, "TLSv1"), ("8865", "1.2", "TLSv1.2")])
async def test_tvs_is_asked_in_the_versions_that_the_model_knows(
    make_lab: LabMaker, name: str, highest: str | None, version: str
) -> None:
    lab = await make_lab("11.5")
    kind = model(name)
    if highest:
        kind = replace(kind, tls_max=TlsVersion(highest))
    flash = MemoryFlash()
    await phone(lab, kind, flash).boot()
    report = await phone(lab, kind, flash, SUB).boot()
    assert decisions(report)[0] == ("ITL", Reason.SIGNER_VOUCHED_BY_TVS)
    assert spoken(lab, "Cisco Trust Verification Service") == {version}


# --- memory ---


async def test_a_trust_list_over_the_model_s_own_limit_is_not_loaded(make_lab: LabMaker) -> None:
    """R-ITL-8"""
    lab = await make_lab()
    flash = MemoryFlash()
    await phone(lab, model("8865"), flash).boot()
    size = len(flash.read(Item.ITL) or b"")
    fits = await phone(lab, replace(model("8865"), max_list_size=size)).boot()
    assert fits.exit_code == 0
    small = replace(model("8865"), max_list_size=size - 1)
    report = await phone(lab, small).boot()
    assert decisions(report) == [("ITL", Reason.TOO_LARGE)]
    assert report.decisions[0].detail == f"{size} bytes; the limit is {size - 1}"
    after = phone(lab, small, flash).settings
    assert (after.trust_lists, after.status_messages[-1].reason) == ((), Reason.TOO_LARGE.value)


# --- CAPF ---


@pytest.mark.parametrize("changes", [{}, {"lsc": Ability.NO}], ids=["knows LSCs", "knows none"])
async def test_a_model_without_lscs_leaves_capf_alone(make_lab: LabMaker, changes: dict[str, Any]) -> None:
    bench = await CapfBench.open(await make_lab())
    await bench.schedule(order())
    report = await phone(bench.lab, replace(model("8865"), **changes)).boot()
    assert (report.capf is None) is bool(changes)
    assert (bench.security().lsc is None) is bool(changes)


async def test_an_old_phone_gets_an_rsa_key_where_ec_was_preferred_and_all_of_it_over_tls_1_0(
    make_lab: LabMaker,
) -> None:
    """R-CAPF-2: the 7900s are taken to know no elliptic curves. Release 10.5 serves its menus to them, too."""
    bench = await CapfBench.open(await make_lab("10.5"))
    await bench.schedule(order(key_order=KeyOrder.EC_PREFERRED))
    old = phone(bench.lab, model("7945"))
    report = await old.boot()
    assert report.capf is not None
    lsc = bench.security().lsc
    assert lsc is not None
    assert lsc.is_rsa
    directory = await old.open_directory()
    assert directory.menu is not None, directory.failure
    assert spoken(bench.lab, "Cisco Certificate Authority Proxy Function") == {"TLSv1"}
    assert spoken(bench.lab, "Cisco Trust Verification Service") == {"TLSv1"}


# --- long keys ---


@pytest.fixture
async def long_key_state(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> Path:
    """An installed cluster whose publisher has a CallManager key of 4096 bits."""
    folder = tmp_path / "long"
    shutil.copytree(await state_templates("12.5"), folder)
    store = await ClusterStore.open(database_path(folder, "alpha"))
    try:
        await store.install(lab_config().clusters[0])
        await regenerate(store, PUB, Purpose.CALLMANAGER, ADMIN, CertificateFields(key_length=4096))
    finally:
        await store.close()
    return folder


async def test_a_callmanager_key_of_4096_bits_keeps_models_without_long_keys_from_registering(
    make_lab: LabMaker, long_key_state: Path
) -> None:
    """R-CRT-8"""
    lab = await make_lab(state=long_key_state)
    async with LivePhone(lab, model_name="7841") as able:
        await able.registered()
        await listed(lab, {DEVICE: "Match"})
    report = await phone(lab, model("7945")).boot()
    assert decisions(report) == [("ITL", Reason.LEAP_OF_FAITH), ("configuration", Reason.KEY_TOO_LONG)]
    assert (report.outcome, report.config) == (Outcome.REFUSED, None)
    async with LivePhone(lab, model_name="7945") as unable:
        await eventually(lambda: len(unable.boots) > 1)  # it tries again, as a phone without a configuration does
        assert {item.outcome for item in unable.boots} == {Outcome.REFUSED}
        assert unable.times_registered() == 0
        await listed(lab, {})


async def test_over_https_its_server_is_refused_for_its_key(make_lab: LabMaker, long_key_state: Path) -> None:
    """The CallManager certificate, not the EC one, is shown to a model without EC."""
    lab = await make_lab(state=long_key_state, parameters=ADVANCED)
    short = replace(model("8865"), rsa_4096=Ability.NO, ec=Ability.NO)
    report = await phone(lab, short).boot()
    assert decisions(report)[1:] == [(SERVER, Reason.KEY_TOO_LONG), ("configuration", Reason.KEY_TOO_LONG)]


# --- type numbers ---

NUMBERS = "auto_registration: {first: '5000', last: '5001', device_pool: Lobby}"


async def test_a_new_phone_is_recorded_as_what_its_type_number_says(make_lab: LabMaker) -> None:
    """R-DL-5"""
    lab = await make_lab(more=NUMBERS)
    async with LivePhone(lab, STRANGER, "DX650") as newcomer:
        await newcomer.registered()
    assert lab.store.snapshot.devices[f"SEP{STRANGER}"].model == "DX650"


async def test_a_new_phone_whose_type_number_nobody_knows_cannot_register_itself(make_lab: LabMaker) -> None:
    lab = await make_lab(more=NUMBERS)
    ports = lab.ports()
    kind = replace(model("DX650"), type_number=None)
    stranger = Phone(STRANGER, kind, [TftpServer(HOST, ports.tftp, ports.http, ports.https)], MemoryFlash())
    async with LivePhone(lab, phone=stranger) as newcomer:
        await newcomer.said("of model number '', which is not known")
    assert f"SEP{STRANGER}" not in lab.store.snapshot.devices
