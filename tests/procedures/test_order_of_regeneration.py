"""Certificates made anew: the right order keeps phones, the wrong order strands them (R-CRT-6, R-CRT-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phone_sim.reasons import Reason
from tests.procedures.field import SUB, Boot, Directory, Erase, Field, Run

if TYPE_CHECKING:
    from tests.conftest import LabMaker

FIRST = Boot(itl=Reason.LEAP_OF_FAITH, config=Reason.SIGNED_BY_ITL)
SAME = Boot(itl=Reason.UNCHANGED, config=Reason.SIGNED_BY_ITL)
BY_ITL = Boot(itl=Reason.SIGNED_BY_ITL, config=Reason.SIGNED_BY_ITL)
BY_TVS = Boot(itl=Reason.SIGNER_VOUCHED_BY_TVS, config=Reason.SIGNED_BY_ITL)
RESTART_TVS = Run("utils service restart Cisco Trust Verification Service")
RESTART_TFTP = Run("utils service restart Cisco Tftp")
RESTART_TOMCAT = Run("utils service restart Cisco Tomcat")
TVS_AND_CALLMANAGER = (
    Run("set cert regen TVS"),
    Run("set cert regen TVS", SUB),
    Run("set cert regen CallManager"),
    RESTART_TVS,
    Run("utils service restart Cisco Trust Verification Service", SUB),
    RESTART_TFTP,
)
STRANDED = Boot(itl=Reason.TVS_UNREACHABLE, config=Reason.TVS_UNREACHABLE)

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("release", ["10.5", "11.5"])
async def test_tvs_first_then_callmanager_keeps_the_phone_where_callmanager_signs(
    make_lab: LabMaker, release: str
) -> None:
    await Field(await make_lab(release)).walk(
        FIRST,
        Run("set cert regen TVS"),
        RESTART_TVS,
        BY_ITL,  # the phone gets the ITL with the new TVS certificate, signed by the CallManager that it knows
        Run("set cert regen CallManager"),
        RESTART_TFTP,
        BY_TVS,  # the new signer is unknown, and TVS vouches for it
        SAME,
    )


@pytest.mark.parametrize("release", ["12.5", "14"])
async def test_from_release_12_the_recovery_certificate_carries_phones_over(make_lab: LabMaker, release: str) -> None:
    await Field(await make_lab(release)).walk(FIRST, *TVS_AND_CALLMANAGER, BY_ITL, SAME)


@pytest.mark.parametrize("release", ["10.5", "11.5"])
async def test_tvs_and_callmanager_at_once_strand_the_phone_and_the_recovery_key_brings_it_back(
    make_lab: LabMaker, release: str
) -> None:
    await Field(await make_lab(release)).walk(
        FIRST,
        *TVS_AND_CALLMANAGER,
        STRANDED,
        Directory(Reason.TVS_UNREACHABLE),
        Run("utils itl reset localkey"),  # signed by ITLRecovery, which the old ITL lists
        BY_ITL,
        RESTART_TFTP,  # signed by CallManager again, which the reset ITL lists
        BY_ITL,
        Directory(Reason.SERVER_VOUCHED_BY_TVS),
        SAME,
    )


async def test_before_release_10_only_erasing_the_list_by_hand_helps(make_lab: LabMaker) -> None:
    await Field(await make_lab("8.6")).walk(FIRST, *TVS_AND_CALLMANAGER, STRANDED, STRANDED, Erase(), FIRST)


async def test_a_new_callmanager_is_in_use_for_files_only_after_tftp_restarts(make_lab: LabMaker) -> None:
    """The ITL changes at once; files go on being signed by the old key, which nobody knows any more (R-CRT-6)."""
    await Field(await make_lab()).walk(
        FIRST,
        Run("set cert regen CallManager"),
        Boot(itl=Reason.SIGNED_BY_ITL, config=Reason.TVS_DOES_NOT_KNOW),
        RESTART_TFTP,
        SAME,
    )


async def test_a_new_tvs_certificate_is_in_use_only_after_tvs_restarts(make_lab: LabMaker) -> None:
    field = Field(await make_lab())
    await field.walk(
        FIRST,
        Run("set cert regen TVS"),
        Run("set cert regen TVS", SUB),
        BY_ITL,  # the ITL lists the new certificates, TVS still shows the old ones
        Directory(Reason.TVS_UNREACHABLE),
        RESTART_TVS,
        Directory(Reason.SERVER_VOUCHED_BY_TVS),
    )


async def test_a_new_tomcat_certificate_is_trusted_through_tvs(make_lab: LabMaker) -> None:
    await Field(await make_lab("10.5")).walk(
        FIRST,
        Directory(Reason.SERVER_VOUCHED_BY_TVS),
        Run("set cert regen tomcat"),
        Directory(Reason.SERVER_VOUCHED_BY_TVS),  # Tomcat still shows the old one: the phone remembers the answer
        RESTART_TOMCAT,
        Directory(Reason.SERVER_VOUCHED_BY_TVS),
        SAME,
    )


async def test_capf_changes_the_itl_and_nothing_else_for_phones(make_lab: LabMaker) -> None:
    await Field(await make_lab()).walk(FIRST, Run("set cert regen CAPF"), BY_ITL, SAME)


async def test_a_phone_that_was_off_line_during_two_spaced_changes_is_lost(make_lab: LabMaker) -> None:
    """Field story: spacing helps only those who were there."""
    await Field(await make_lab("11.5")).walk(
        FIRST,
        *TVS_AND_CALLMANAGER[:2],
        RESTART_TVS,
        Run("utils service restart Cisco Trust Verification Service", SUB),
        # the phone is unplugged and misses this ITL
        Run("set cert regen CallManager"),
        RESTART_TFTP,
        STRANDED,
    )
