"""A phone whose date is wrong: what it still trusts, and what it does not until the date is right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from phone_sim.clients.http import HttpLimits
from phone_sim.flash import MemoryFlash
from phone_sim.models import model
from phone_sim.options import Timeouts
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from tests.phone_sim.cast import (
    APP,
    CCM_TFTP,
    CONFIG_NAME,
    ITL_RECORDS,
    MAC,
    PUB,
    RECOVERY,
    SAST,
    SUB,
    TOMCAT,
    TVS,
    TVS_SERVER,
    list_bytes,
    signed_bytes,
    vector,
)
from tests.phone_sim.tiny_cluster import HOST, TinyCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from phone_sim.report import DirectoryReport

QUICK = Timeouts(HttpLimits(connect_s=5, transfer_s=5), tftp_s=5, tvs_connect_s=5)
MENU = b"<CiscoIPPhoneMenu><Title>Directories</Title></CiscoIPPhoneMenu>"
ITL_NAME = f"ITLSEP{MAC}.tlv"
RIGHT = datetime(2026, 12, 1, tzinfo=UTC)
NEVER_SET, FAR_AHEAD = datetime(1970, 1, 1, tzinfo=UTC), datetime(2150, 1, 1, tzinfo=UTC)
WRONG = {"never set": NEVER_SET, "far ahead": FAR_AHEAD}
REFUSAL = {"never set": Reason.CERTIFICATE_NOT_YET_VALID, "far ahead": Reason.CERTIFICATE_EXPIRED}
SUB_RECORDS = (SUB.record(SAST), SUB.record(CCM_TFTP), TVS_SERVER.record(TVS))


@pytest.fixture
async def cluster() -> AsyncIterator[TinyCluster]:
    async with TinyCluster() as tiny:
        tiny.files[ITL_NAME] = list_bytes(RECOVERY)
        tiny.files[CONFIG_NAME] = signed_bytes(PUB, tiny.config())
        tiny.tvs.knows(TOMCAT, APP)
        yield tiny


def phone_at(cluster: TinyCluster, clock: ManualClock) -> Phone:
    return Phone(MAC, model("8865"), [cluster.server], MemoryFlash(), clock=clock, timeouts=QUICK)


def reason(report: DirectoryReport) -> Reason | None:
    return report.decision.reason if report.decision else None


@pytest.mark.parametrize("how", WRONG)
async def test_lists_and_configurations_are_trusted_whatever_the_date(cluster: TinyCluster, how: str) -> None:
    """Also through TVS, whose own certificate is known by the ITL and not by its dates."""
    phone = phone_at(cluster, ManualClock(WRONG[how]))
    assert (await phone.boot()).exit_code == 0
    cluster.tvs.knows(SUB, SAST, CCM_TFTP)
    cluster.files[ITL_NAME] = list_bytes(SUB, SUB_RECORDS)
    cluster.files[CONFIG_NAME] = signed_bytes(SUB, cluster.config())
    report = await phone.boot()
    assert [item.reason for item in report.decisions] == [Reason.SIGNER_VOUCHED_BY_TVS, Reason.SIGNED_BY_ITL]
    assert not TVS_SERVER.certificate.not_before <= WRONG[how] <= TVS_SERVER.certificate.not_after


@pytest.mark.parametrize("how", WRONG)
async def test_a_directory_is_host_not_found_until_the_date_is_right(cluster: TinyCluster, how: str) -> None:
    clock = ManualClock(WRONG[how])
    url = f"https://{HOST}:{await cluster.serve_menu(TOMCAT, MENU)}/directory"
    phone = phone_at(cluster, clock)
    await phone.boot()
    assert reason(await phone.open_directory(url)) is REFUSAL[how]
    assert phone.settings.status_messages[-1].text == "Host Not Found"
    assert "TVS verify" not in cluster.asked, "the date decides before TVS is asked"
    clock.set_date(RIGHT)
    assert reason(await phone.open_directory(url)) is Reason.SERVER_VOUCHED_BY_TVS


@pytest.mark.parametrize("how", WRONG)
async def test_a_configuration_server_is_passed_over_for_http(how: str) -> None:
    async with TinyCluster() as cluster:
        cluster.files[ITL_NAME] = vector("v11/ITLFile.tlv")
        cluster.files[CONFIG_NAME] = cluster.https_files[CONFIG_NAME] = signed_bytes(PUB, cluster.config())
        report = await phone_at(cluster, ManualClock(WRONG[how])).boot()
    assert [item.reason for item in report.decisions] == [Reason.LEAP_OF_FAITH, REFUSAL[how], Reason.SIGNED_BY_ITL]
    assert f"HTTPS {CONFIG_NAME}" not in cluster.asked
    assert report.exit_code == 0


async def test_an_answer_of_tvs_is_asked_for_again_when_the_clock_was_set_back(cluster: TinyCluster) -> None:
    """The server's certificate lives long enough for both dates; the answer does not."""
    clock = ManualClock(RIGHT)
    url = f"https://{HOST}:{await cluster.serve_menu(TOMCAT, MENU)}/directory"
    phone = phone_at(cluster, clock)
    await phone.boot()
    await phone.open_directory(url)
    await phone.open_directory(url)
    assert cluster.asked.count("TVS verify") == 1
    clock.set_date(datetime(2026, 11, 30, tzinfo=UTC))
    await phone.open_directory(url)
    assert cluster.asked.count("TVS verify") == 2
    clock.set_date(datetime(2027, 6, 1, tzinfo=UTC))
    await phone.open_directory(url)
    assert cluster.asked.count("TVS verify") == 3


async def test_a_listed_server_needs_the_right_date_as_well(cluster: TinyCluster) -> None:
    cluster.files[ITL_NAME] = list_bytes(RECOVERY, (*ITL_RECORDS, TOMCAT.record(APP)))
    clock = ManualClock(NEVER_SET)
    url = f"https://{HOST}:{await cluster.serve_menu(TOMCAT, MENU)}/directory"
    phone = phone_at(cluster, clock)
    await phone.boot()
    assert reason(await phone.open_directory(url)) is Reason.CERTIFICATE_NOT_YET_VALID
    clock.set_date(RIGHT)
    assert reason(await phone.open_directory(url)) is Reason.SERVER_IN_ITL
