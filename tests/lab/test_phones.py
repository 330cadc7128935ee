"""Phones that stay up in a laboratory: registration, orders, new ITLs, auto-registration (R-PHN-4, R-PHN-5, R-DL-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.devices import Line
from cluster.management.certificates import regenerate
from cluster.management.phones import is_outdated
from cluster.parameters import PHONE_RESET, RESET_MANUALLY, ROLLBACK
from cluster.purposes import Purpose
from phone_sim.flash import Item
from phone_sim.reasons import Reason
from phone_sim.report import Outcome
from services.callmanager.service import CiscoCallManager
from tests.conftest import lab_config
from tests.lab.phone_bench import OPERATOR, RECEPTION, STRANGER, LivePhone, listed, order
from tests.lab.test_secure_phones import mixed_mode
from tests.waiting import eventually
from wire.errors import Refusal

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker

RECEPTION_DEVICE, STRANGER_DEVICE = f"SEP{RECEPTION}", f"SEP{STRANGER}"
CALLMANAGER = "Cisco CallManager"
NUMBERS = "auto_registration: {first: '5000', last: '5001', device_pool: Lobby}"


def callmanager(lab: Lab, node: str = "alpha-pub") -> CiscoCallManager:
    services = lab.laboratory.nodes[node].supervisor.services
    (found,) = (service for service in services if isinstance(service, CiscoCallManager))
    return found


# ---------------------------------------------------------------- registration


async def test_a_phone_boots_registers_and_is_listed_until_it_is_unplugged(lab: Lab) -> None:
    async with LivePhone(lab) as phone:
        await phone.registered()
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Match"})
        assert (row.node, row.address, row.transport, row.lines) == ("alpha-pub", "127.0.0.1", "TCP", ("2001",))
    await listed(lab, {})
    assert phone.screen[-1].text == "Unregistered"


async def test_a_phone_without_itl_is_listed_as_such(lab: Lab) -> None:
    definition = lab.store.snapshot.definition
    device = definition.devices[0].model_copy(update={"model": "7940"})
    await lab.store.install(definition.model_copy(update={"devices": (device, *definition.devices[1:])}))
    async with LivePhone(lab, model_name="7940") as phone:
        await phone.registered()
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Not Installed"})
        assert (row.node, row.itl) == ("alpha-pub", "Not Installed")
        assert not is_outdated(row, lab.store.snapshot), "it never fetches one"


async def test_the_version_check_after_a_registration_changes_nothing_when_nothing_changed(lab: Lab) -> None:
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        await phone.stays(lab)
        assert (len(phone.boots), phone.times_registered(), phone.orders()) == (1, 1, ["check-version"] * 2)


async def test_a_phone_moves_to_the_second_callmanager_and_back_when_that_stops(lab: Lab) -> None:
    """The order of the CallManager group counts."""
    pub, sub = (lab.laboratory.nodes[name].supervisor for name in ("alpha-pub", "alpha-sub1"))
    async with LivePhone(lab) as phone:
        await phone.registered()
        await pub.stop(CALLMANAGER)
        await phone.registered(2)
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Match"})
        assert row.node == "alpha-sub1"
        await pub.start(CALLMANAGER)
        await sub.stop(CALLMANAGER)
        await phone.registered(3)
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Match"})
        assert (row.node, len(phone.boots)) == ("alpha-pub", 1)


# ---------------------------------------------------------------- orders


@pytest.mark.parametrize("action", ["reset", "restart"])
@pytest.mark.parametrize("target", ["all", RECEPTION_DEVICE, "model:8865", "pool:Default"])
async def test_an_order_boots_the_phones_that_it_is_for(lab: Lab, action: str, target: str) -> None:
    async with LivePhone(lab) as phone, LivePhone(lab, "001122334456", "7841") as other:
        await phone.registered()
        await other.registered()
        for_all = target in {"all", "pool:Default"}
        assert await order(lab, action, target) == (2 if for_all else 1)
        await phone.registered(2)
        assert len(phone.boots) == 2
        if for_all:
            await other.registered(2)
        else:
            await phone.settled()
            assert len(other.boots) == 1


@pytest.mark.parametrize(
    ("action", "target", "why"),
    [
        ("explode", "all", "no order 'explode'"),
        ("call-preservation", "all", "no order"),
        ("reset", "SEP00", "is no target"),
        ("reset", "SEP00112233FFFF", "no device of the cluster"),
        ("reset", "model:9999", "no device of the cluster"),
    ],
)
async def test_orders_that_cannot_be_given_are_refused(lab: Lab, action: str, target: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        await order(lab, action, target)


@pytest.mark.parametrize("action", ["apply-config", "check-version"])
async def test_a_changed_label_restarts_the_phone_when_it_is_applied_and_not_before(lab: Lab, action: str) -> None:
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        await phone.obeys(lab, action)
        await phone.stays(lab)  # it has this version
        await relabel(lab, "Front desk")
        await phone.obeys(lab, action)
        await phone.registered(2)
        await phone.ordered(5)
        assert phone.orders() == ["check-version", action, "check-version", action, "check-version"]
        assert len(phone.boots) == 2
        assert b"Front desk" in stored_config(phone)


def stored_config(phone: LivePhone) -> bytes:
    return phone.phone._memory.flash.read(Item.CONFIG) or b""


async def relabel(lab: Lab, label: str) -> None:
    """As ``ucmsim up`` does with a changed file."""
    definition = lab.store.snapshot.definition
    device = definition.devices[0]
    line = device.lines[0].model_copy(update={"label": label})
    changed = device.model_copy(update={"lines": (line,)})
    await lab.store.install(definition.model_copy(update={"devices": (changed, *definition.devices[1:])}))


async def test_a_change_that_a_phone_missed_is_found_by_the_check_after_it_registered(lab: Lab) -> None:
    """The phone was registered with nobody when the order was given."""
    pub, sub = (lab.laboratory.nodes[name].supervisor for name in ("alpha-pub", "alpha-sub1"))
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        await pub.stop(CALLMANAGER)
        await sub.stop(CALLMANAGER)
        await relabel(lab, "Front desk")
        await order(lab, "apply-config")
        await sub.start(CALLMANAGER)
        await eventually(lambda: len(phone.boots) == 2)
        await phone.registered(3)
        assert b"Front desk" in stored_config(phone)


async def test_a_phone_that_every_server_refuses_reads_its_configuration_again(lab: Lab) -> None:
    """Its number is another one by now, and nobody could tell it so."""
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        definition = lab.store.snapshot.definition
        device = definition.devices[0].model_copy(update={"lines": (Line(number="2009"),)})
        await lab.store.install(definition.model_copy(update={"devices": (device, *definition.devices[1:])}))
        for node in lab.laboratory.nodes.values():
            await node.supervisor.restart(CALLMANAGER)
        await phone.said("Registration Rejected")
        await phone.registered(2)
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Match"})
        assert (row.lines, len(phone.boots)) == (("2009",), 2)
        assert phone.orders() == ["check-version", "check-version"]


async def test_a_phone_that_never_gets_the_version_stops_restarting_for_it(lab: Lab) -> None:
    """Its TFTP server is gone; it goes on with the old configuration (R-PHN-3)."""
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        for node in lab.laboratory.nodes.values():
            await node.supervisor.stop("Cisco Tftp")
        await relabel(lab, "Front desk")
        await order(lab, "apply-config")
        await phone.registered(4)
        await phone.ordered(5)
        assert phone.orders() == ["check-version", "apply-config", *["check-version"] * 3]
        await phone.stays(lab)
        assert len(phone.boots) == 4  # the first, and three attempts
        assert b"Front desk" not in stored_config(phone)


# ---------------------------------------------------------------- new ITLs


async def test_phones_are_reset_when_the_itl_changes(lab: Lab) -> None:
    """R-CRT-6: phones reload the ITL."""
    async with LivePhone(lab) as phone:
        await phone.registered()
        await lab.store.set_parameter(ROLLBACK, "True", OPERATOR)
        await phone.registered(2)
        assert phone.orders()[:2] == ["check-version", "reset"]
        assert next(decision.reason for decision in phone.boots[-1].decisions) is Reason.SIGNED_BY_ITL
        await listed(lab, {RECEPTION_DEVICE: "Match"})


@pytest.mark.parametrize("release", ["8.6", "10.5", "12.5", "14"])
@pytest.mark.parametrize("purpose", [Purpose.TVS, Purpose.CALLMANAGER, Purpose.CAPF])
async def test_phones_restart_themselves_when_a_certificate_of_the_itl_is_made_anew(
    make_lab: LabMaker, release: str, purpose: Purpose
) -> None:
    """R-CRT-6: they ask for CTL and ITL again, and have the present ITL when they are registered again."""
    lab = await make_lab(release)
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        await regenerate(lab.store, "alpha-pub", purpose, OPERATOR)
        await phone.registered(2)
        await phone.settled()
        assert phone.orders() == ["check-version", "reset", "check-version"]
        asked = list(dict.fromkeys(fetch.file for fetch in phone.boots[1].fetches))
        assert asked[:2] == [f"CTL{RECEPTION_DEVICE}.tlv", f"ITL{RECEPTION_DEVICE}.tlv"]
        decision = phone.boots[1].decision("ITL")
        assert decision is not None
        assert (decision.accepted, decision.reason is Reason.UNCHANGED) == (True, False)
        await listed(lab, {RECEPTION_DEVICE: "Match"})


@pytest.mark.parametrize("release", ["8.6", "14"])
async def test_by_hand_means_by_hand_in_every_release(make_lab: LabMaker, release: str) -> None:
    lab = await make_lab(release)
    await lab.store.set_parameter(PHONE_RESET, RESET_MANUALLY, OPERATOR)
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        await regenerate(lab.store, "alpha-pub", Purpose.TVS, OPERATOR)
        await listed(lab, {RECEPTION_DEVICE: "MisMatch"})
        assert phone.orders() == ["check-version"]
        await order(lab, "reset")
        await phone.registered(2)
        await listed(lab, {RECEPTION_DEVICE: "Match"})


async def test_an_itl_from_another_tftp_server_of_the_cluster_is_a_current_one(lab: Lab) -> None:
    """R-ITL-5: each node serves its own."""
    async with LivePhone(lab, node="alpha-sub1") as phone:
        await phone.registered()
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Match"})
        assert row.node == "alpha-pub"


async def test_phones_are_not_reset_when_the_administrator_wants_to_do_that(lab: Lab) -> None:
    await lab.store.set_parameter(PHONE_RESET, RESET_MANUALLY, OPERATOR)
    async with LivePhone(lab) as phone:
        await phone.registered()
        await listed(lab, {RECEPTION_DEVICE: "Match"})
        await lab.store.set_parameter(ROLLBACK, "True", OPERATOR)
        await listed(lab, {RECEPTION_DEVICE: "MisMatch"})
        assert len(phone.boots) == 1
        await order(lab, "reset")
        await phone.registered(2)
        await listed(lab, {RECEPTION_DEVICE: "Match"})


async def test_phones_that_missed_a_change_of_the_trust_lists_are_listed(lab: Lab) -> None:
    """R-ITL-6, R-CTL-2: by what they reported when they registered."""
    await lab.store.set_parameter(PHONE_RESET, RESET_MANUALLY, OPERATOR)
    async with LivePhone(lab) as phone:
        await phone.registered()
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Match"})
        assert (row.ctl, is_outdated(row, lab.store.snapshot)) == ("Not Installed", False)
        await mixed_mode(lab)
        (row,) = await listed(lab, {RECEPTION_DEVICE: "MisMatch"})
        assert (row.ctl, is_outdated(row, lab.store.snapshot)) == ("Not Installed", True)
        await order(lab, "reset")
        await phone.registered(2)
        (row,) = await listed(lab, {RECEPTION_DEVICE: "Match"})
        assert (row.ctl, is_outdated(row, lab.store.snapshot)) == ("Match", False)


@pytest.mark.parametrize(("release", "resets"), [("8.6", False), ("10.5", True), ("14", True)])
async def test_preparing_a_rollback_resets_phones_from_10_5_on(make_lab: LabMaker, release: str, resets: bool) -> None:  # noqa: FBT001
    """R-RBK-1."""
    lab = await make_lab(release)
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        await lab.store.set_parameter(ROLLBACK, "True", OPERATOR)
        if resets:
            await phone.registered(2)
        else:
            await listed(lab, {RECEPTION_DEVICE: "MisMatch"})
            assert len(phone.boots) == 1


async def test_a_service_that_restarts_registers_its_phones_again(lab: Lab) -> None:
    async with LivePhone(lab) as phone:
        await phone.registered()
        await lab.laboratory.nodes["alpha-pub"].supervisor.restart(CALLMANAGER)
        await phone.registered(2)
        assert len(phone.boots) == 1


# ---------------------------------------------------------------- auto-registration


async def test_an_unknown_phone_gets_a_device_and_its_own_configuration(make_lab: LabMaker) -> None:
    """R-DL-5: XMLDefault, a registration, a device with a number, a restart, the configuration."""
    lab = await make_lab(more=NUMBERS)
    async with LivePhone(lab, STRANGER) as phone:
        await phone.registered(2)
        await phone.settled()
        assert phone.orders() == ["restart", "check-version"]
        assert [boot.outcome for boot in phone.boots] == [Outcome.BOOTED, Outcome.BOOTED]
        assert f"SEP{STRANGER}.cnf.xml.sgn" in [fetch.file for fetch in phone.boots[1].fetches]
        (row,) = await listed(lab, {STRANGER_DEVICE: "Match"})
        assert row.lines == ("5000",)
        device = lab.store.snapshot.devices[STRANGER_DEVICE]
        assert (device.model, device.device_pool, device.security) == ("8865", "Lobby", "non-secure")
        newest = (await lab.store.audit(1))[0]
        assert (newest.what, newest.who, newest.origin) == (
            f"auto-registration of {STRANGER_DEVICE}",
            STRANGER_DEVICE,
            "auto-registration",
        )


async def test_numbers_are_given_once_and_then_refused(make_lab: LabMaker) -> None:
    lab = await make_lab(more=NUMBERS)
    macs = ("0011223300AA", "0011223300BB", "0011223300CC")
    async with LivePhone(lab, macs[0]) as first, LivePhone(lab, macs[1]) as second:
        await first.registered(2)
        await second.registered(2)
        numbers = {lab.store.snapshot.devices[f"SEP{mac}"].lines[0].number for mac in macs[:2]}
        assert numbers == {"5000", "5001"}
        async with LivePhone(lab, macs[2]) as third:
            await third.said("5000 to 5001, are given away")
            assert f"SEP{macs[2]}" not in lab.store.snapshot.devices


@pytest.mark.parametrize(
    ("parameters", "more", "why"),
    [("{}", "", "which has no numbers to give it"), ("{Auto-registration: false}", NUMBERS, "")],
)
async def test_an_unknown_phone_is_refused_when_nothing_is_there_for_it(
    make_lab: LabMaker, parameters: str, more: str, why: str
) -> None:
    lab = await make_lab(parameters=parameters, more=more)
    async with LivePhone(lab, STRANGER) as phone:
        if why:
            await phone.said(why)
        else:
            await eventually(lambda: len(phone.boots) >= 2)  # without XMLDefault it has nothing to register with
            assert phone.boots[0].outcome is Outcome.NO_CONFIG
        assert STRANGER_DEVICE not in lab.store.snapshot.devices


async def test_a_device_that_registered_itself_outlives_restarts_until_the_definition_has_it(
    make_lab: LabMaker,
) -> None:
    lab = await make_lab(more=NUMBERS)
    async with LivePhone(lab, STRANGER) as phone:
        await phone.registered(2)
    before = lab.store.snapshot
    await lab.store.install(lab_config().clusters[0])  # as a start with a file that has no numbers
    snapshot = lab.store.snapshot
    assert snapshot.devices[STRANGER_DEVICE] == before.devices[STRANGER_DEVICE]
    definition = lab_config().clusters[0]
    device = definition.devices[0].model_copy(update={"mac": STRANGER, "model": "7841"})
    await lab.store.install(definition.model_copy(update={"devices": (*definition.devices, device)}))
    assert lab.store.snapshot.devices[STRANGER_DEVICE] == device


async def test_other_phones_are_not_bothered_by_one_that_registers_itself(make_lab: LabMaker) -> None:
    lab = await make_lab(more=NUMBERS)
    async with LivePhone(lab) as phone:
        await phone.registered()
        await phone.settled()
        async with LivePhone(lab, STRANGER) as stranger:
            await stranger.registered(2)
        await phone.obeys(lab, "apply-config")
        await phone.stays(lab)
        assert (len(phone.boots), phone.orders()) == (1, ["check-version", "apply-config", "check-version"])
