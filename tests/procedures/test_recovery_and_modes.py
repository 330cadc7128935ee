"""ITLRecovery, mixed mode and rollback, step by step with a phone (R-REC-3, R-REC-4, R-CTL-1, R-CTL-2, R-RBK-1-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.parameters import ROLLBACK
from phone_sim.reasons import Reason
from tests.procedures.field import SUB, Boot, Directory, Field, Run, Set
from tests.procedures.test_order_of_regeneration import BY_ITL, FIRST, RESTART_TFTP, SAME, TVS_AND_CALLMANAGER

if TYPE_CHECKING:
    from tests.conftest import LabMaker
    from tests.procedures.conftest import SafePlace

pytestmark = pytest.mark.timeout(60)

MIXED_FIRST = Boot(ctl=Reason.LEAP_OF_FAITH, itl=Reason.SIGNED_BY_CTL, config=Reason.SIGNED_BY_CTL)
MIXED_ON = Boot(ctl=Reason.SIGNED_BY_ITL, itl=Reason.SIGNED_BY_CTL, config=Reason.SIGNED_BY_CTL)
MIXED_SAME = Boot(ctl=Reason.UNCHANGED, itl=Reason.UNCHANGED, config=Reason.SIGNED_BY_CTL)
CTL_BY_CTL = Boot(ctl=Reason.SIGNED_BY_CTL, itl=Reason.UNCHANGED, config=Reason.SIGNED_BY_CTL)


async def test_regenerating_itlrecovery_in_the_right_order_keeps_the_phone(make_lab: LabMaker) -> None:
    await Field(await make_lab()).walk(
        FIRST,
        Run("set cert regen ITLRecovery"),
        Run("utils itl reset localkey"),  # signed by CallManager, the second SAST of the old ITL
        BY_ITL,
        RESTART_TFTP,  # signed by the new ITLRecovery, which the reset ITL lists
        BY_ITL,
        SAME,
    )


async def test_without_the_reset_tvs_saves_the_phone_as_long_as_its_certificate_is_known(make_lab: LabMaker) -> None:
    await Field(await make_lab()).walk(
        FIRST,
        Run("set cert regen ITLRecovery"),
        RESTART_TFTP,
        Boot(itl=Reason.SIGNER_VOUCHED_BY_TVS, config=Reason.SIGNED_BY_ITL),
    )


async def test_all_three_at_once_strand_the_phone_until_the_exported_key_signs(
    make_lab: LabMaker, safe_place: SafePlace
) -> None:
    """The reason to export ITLRecovery.p12 right after installation (R-REC-4)."""
    await Field(await make_lab()).walk(
        FIRST,
        Run("file get tftp ITLRecovery.p12", answers=safe_place.to_export),
        Run("set cert regen ITLRecovery"),
        *TVS_AND_CALLMANAGER,
        Boot(itl=Reason.TVS_UNREACHABLE, config=Reason.TVS_UNREACHABLE),
        Run("utils itl reset localkey"),  # signed by the new CallManager: no phone knows it
        Boot(itl=Reason.TVS_UNREACHABLE, config=Reason.TVS_UNREACHABLE),
        Run("utils itl reset remotekey", answers=safe_place.to_fetch),  # signed by the key of before
        BY_ITL,
        RESTART_TFTP,
        BY_ITL,
        SAME,
    )


async def test_mixed_mode_on_updated_and_off_again(make_lab: LabMaker) -> None:
    field = Field(await make_lab())
    await field.walk(
        FIRST,
        Run("utils ctl set-cluster mixed-mode"),
        RESTART_TFTP,
        MIXED_ON,
        MIXED_SAME,
    )
    assert field.phone().settings.cluster_mode == "mixed"
    await field.walk(
        Run("set cert regen CallManager"),
        RESTART_TFTP,
        # the CTL still has the old certificate: the ITL is what knows the new one
        Boot(ctl=Reason.UNCHANGED, itl=Reason.SIGNED_BY_CTL, config=Reason.SIGNED_BY_ITL),
        Run("utils ctl update CTLFile"),
        CTL_BY_CTL,
        Run("utils ctl set-cluster non-secure-mode"),
        RESTART_TFTP,
        Boot(ctl=Reason.SIGNED_BY_CTL, itl=Reason.SIGNED_BY_CTL, config=Reason.SIGNED_BY_ITL),
    )
    assert field.phone().settings.cluster_mode == "non-secure"


async def test_a_new_phone_in_a_mixed_cluster_takes_the_ctl_on_faith_and_the_itl_by_the_ctl(make_lab: LabMaker) -> None:
    await Field(await make_lab()).walk(Run("utils ctl set-cluster mixed-mode"), MIXED_FIRST, MIXED_SAME)


async def test_regenerating_itlrecovery_in_mixed_mode_with_ctl_reset(make_lab: LabMaker) -> None:
    await Field(await make_lab()).walk(
        Run("utils ctl set-cluster mixed-mode"),
        MIXED_FIRST,
        Run("set cert regen ITLRecovery"),
        Run("utils ctl reset localkey"),  # signed by CallManager, the second SAST of the old CTL
        Boot(ctl=Reason.SIGNED_BY_CTL, itl=Reason.SIGNED_BY_CTL, config=Reason.SIGNED_BY_CTL),
        Run("utils ctl update CTLFile"),  # signed by the new ITLRecovery, which the reset CTL lists
        CTL_BY_CTL,
        MIXED_SAME,
    )


async def test_deleting_the_ctl_on_every_node_leaves_it_on_phones(make_lab: LabMaker) -> None:
    field = Field(await make_lab())
    await field.walk(
        Run("utils ctl set-cluster mixed-mode"),
        MIXED_FIRST,
        Run("utils ctl set-cluster non-secure-mode"),
        Run("file delete tftp CTLFile.tlv"),
        Run("file delete tftp CTLFile.tlv", SUB),
        Boot(itl=Reason.SIGNED_BY_CTL, config=Reason.SIGNED_BY_CTL),
    )


async def test_rollback_empties_the_itl_and_the_phone_accepts_anything_until_it_is_off_again(
    make_lab: LabMaker,
) -> None:
    field = Field(await make_lab())
    await field.walk(
        FIRST,
        Directory(Reason.SERVER_VOUCHED_BY_TVS),
        Set(ROLLBACK, "True"),
        Boot(itl=Reason.SIGNED_BY_ITL, config=Reason.EMPTY_ITL),
        Directory(Reason.TVS_NOT_IN_TRUST_LIST),  # secure phone services fail
        *TVS_AND_CALLMANAGER,  # whoever signs now
        Boot(itl=Reason.EMPTY_ITL, config=Reason.EMPTY_ITL),
        Set(ROLLBACK, "False"),
        Boot(itl=Reason.EMPTY_ITL, config=Reason.SIGNED_BY_ITL),
        Directory(Reason.SERVER_VOUCHED_BY_TVS),
    )


async def test_rollback_does_not_help_a_phone_with_a_ctl(make_lab: LabMaker) -> None:
    """The parameter blanks the ITL, not the CTL: no way to move phones between secure clusters."""
    await Field(await make_lab()).walk(
        Run("utils ctl set-cluster mixed-mode"),
        MIXED_FIRST,
        Set(ROLLBACK, "True"),
        Boot(ctl=Reason.UNCHANGED, itl=Reason.SIGNED_BY_CTL, config=Reason.SIGNED_BY_CTL),
        Directory(Reason.TVS_NOT_IN_TRUST_LIST),
    )
