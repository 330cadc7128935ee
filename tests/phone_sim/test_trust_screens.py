"""What a person sees of each decision: the rows of the tables as whole phones, over real sockets, in two families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from phone_sim.clients.http import HttpLimits
from phone_sim.flash import Item, MemoryFlash
from phone_sim.messages import Status
from phone_sim.models import Model, model
from phone_sim.options import Timeouts
from phone_sim.phone import Phone
from phone_sim.trust import ServerPurpose
from tests.phone_sim.cast import CONFIG_NAME, MAC
from tests.phone_sim.tiny_cluster import HOST, TinyCluster
from tests.phone_sim.trust_rows import ASKS, CONFIGS, ITL_NAME, LISTS, NOW, ROLES, SERVERS, ListRow, ServerRow

if TYPE_CHECKING:
    from phone_sim.report import BootReport
    from phone_sim.trust import Held

QUICK = Timeouts(HttpLimits(connect_s=5, transfer_s=5), tftp_s=5, tvs_connect_s=5)
MENU = b"<CiscoIPPhoneMenu><Title>Directories</Title></CiscoIPPhoneMenu>"
NEW_FAMILIES, OLD_FAMILY = ("8865", "7841"), ("7965",)
"""The 7965 knows neither SHA-512 nor long keys."""

ALL_LISTS = {
    **LISTS,
    **{name: row for name, row in ROLES.items() if isinstance(row, ListRow)},
}


def models_of(held: Held) -> tuple[str, ...]:
    return NEW_FAMILIES if held.sha512 else OLD_FAMILY


def holding(held: Held, cluster: TinyCluster) -> MemoryFlash:
    """Flash with these lists, and with a configuration that names the cluster's TVS, if one is to be known."""
    flash = MemoryFlash()
    for item, trust_list in ((Item.CTL, held.ctl), (Item.ITL, held.itl)):
        if trust_list is not None:
            flash.write(item, trust_list.data)
    if held.tvs_configured:
        flash.write(Item.CONFIG, cluster.config())
    return flash


def plugged_in(
    held: Held, cluster: TinyCluster, name: str, clock: ManualClock | None = None
) -> tuple[Phone, MemoryFlash]:
    flash = holding(held, cluster)
    phone = Phone(MAC, model(name), [cluster.server], flash, clock=clock or ManualClock(NOW), timeouts=QUICK)
    return phone, flash


def says(report: BootReport, status: Status, told_by: Model, file: str = "") -> bool:
    return status.text(told_by.family, file) in {message.text for message in report.status_messages}


ABOUT_LISTS = (
    Status.TRUST_LIST_UPDATE_FAILED,
    Status.TRUST_LIST_UPDATED,
    Status.CTL_INSTALLED,
    Status.ITL_INSTALLED,
    Status.CTL_AND_ITL_INSTALLED,
    Status.NO_TRUST_LIST,
)
LIST_SCREENS = [
    pytest.param(case, name, id=f"{case} ({name})")
    for case, row in ALL_LISTS.items()
    if row.reason != ASKS
    for name in models_of(row.held)
]


@pytest.mark.parametrize(("case", "name"), LIST_SCREENS)
async def test_what_the_phone_shows_and_reports_of_a_trust_list(case: str, name: str) -> None:
    row = ALL_LISTS[case]
    assert row.shows is not None, "the row does not say what the screen does"
    status, alarm = row.shows
    async with TinyCluster() as cluster:
        cluster.files[row.name] = row.data
        cluster.tvs.says = cluster.backup_tvs.says = row.answer
        phone, flash = plugged_in(row.held, cluster, name)
        report = await phone.boot()
    decision = report.decision("ITL" if row.name == ITL_NAME else "CTL")
    assert decision is not None
    assert decision.reason == row.reason
    assert report.alarm is alarm
    told = [item for item in ABOUT_LISTS if says(report, item, phone.model)]
    assert told == ([status] if status else [])
    if status is Status.TRUST_LIST_UPDATE_FAILED:
        refusals = [(item.reason, item.detail) for item in report.status_messages if item.reason]
        assert refusals == [(decision.reason.value, decision.reason.text())]
    item, old = (Item.ITL, row.held.itl) if row.name == ITL_NAME else (Item.CTL, row.held.ctl)
    kept = row.data if decision.accepted else old.data if old else None
    assert flash.read(item) == kept, "R-PHN-3: what is refused leaves the old in place"


CONFIG_SCREENS = [
    pytest.param(case, name, id=f"{case} ({name})")
    for case, row in CONFIGS.items()
    if row.reason != ASKS and row.asked == CONFIG_NAME and not row.https and not row.held.is_empty
    for name in models_of(row.held)
]


@pytest.mark.parametrize(("case", "name"), CONFIG_SCREENS)
async def test_what_the_phone_shows_of_a_configuration(case: str, name: str) -> None:
    row = CONFIGS[case]
    async with TinyCluster() as cluster:
        cluster.files[CONFIG_NAME] = row.data
        cluster.tvs.says = cluster.backup_tvs.says = row.answer
        phone, flash = plugged_in(row.held, cluster, name)
        before = flash.read(Item.CONFIG)
        report = await phone.boot()
    decision = report.decision("configuration")
    assert decision is not None
    assert decision.reason == row.reason
    if decision.accepted:
        assert says(report, Status.CONFIG_IN_USE, phone.model, f"SEP{MAC}.cnf.xml")
        assert flash.read(Item.CONFIG) == b"<device/>"
    else:
        assert row.shows is Status.CONFIG_REFUSED
        assert report.status_messages[-1].text == f"invalid file {CONFIG_NAME}, authenticated fail."
        assert report.status_messages[-1].reason == decision.reason.value
        assert flash.read(Item.CONFIG) == before, "R-PHN-3"


SERVER_SCREENS = [
    case
    for case, row in {**SERVERS, **ROLES}.items()
    if isinstance(row, ServerRow) and row.purpose is ServerPurpose.APPLICATION and row.reason != ASKS
]


@pytest.mark.parametrize("case", SERVER_SCREENS)
async def test_what_the_phone_shows_of_an_application_server(case: str) -> None:
    row = {**SERVERS, **ROLES}[case]
    assert isinstance(row, ServerRow)
    async with TinyCluster() as cluster:
        port = await cluster.serve_menu(row.party, MENU)
        cluster.tvs.says = cluster.backup_tvs.says = row.answer
        phone, _ = plugged_in(row.held, cluster, models_of(row.held)[0], ManualClock(row.now))
        report = await phone.open_directory(f"https://{HOST}:{port}/directory")
        assert report.decision is not None
        assert report.decision.reason == row.reason
        assert (report.menu is not None) is report.decision.accepted
        shown = [message.text for message in phone.settings.status_messages]
        assert shown == ([row.shows.text(phone.model.family)] if row.shows else [])
        assert ("menu directory" in cluster.asked) is report.decision.accepted, "a refused server learns nothing"
