"""``utils service`` against a running node (R-CLI-1, R-CLI-2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.purposes import Purpose
from services.commandline.interpreter import Outcome
from tests.services.commandline_cast import PUB, SUB, Desk

if TYPE_CHECKING:
    from tests.conftest import Lab

WARNING = (
    " Don't press Ctrl-c while the service is getting RESTARTED.If Service has not Restarted Properly, "
    "execute the same Command Again\n"
)


async def test_service_list_has_ucms_two_parts(lab: Lab) -> None:
    shown = (await Desk(lab.store)("utils service list")).splitlines()
    assert shown[:5] == [
        "Requesting service status, please wait...",
        "System SSH [STARTED]",
        "Name Service Cache [STOPPED] Service Not Activated",
        "Entropy Monitoring Daemon [STARTED]",
        "Cisco SCSI Watchdog [STARTED]",
    ]
    middle = shown.index("Service Manager is running")
    assert shown[middle : middle + 5] == [
        "Service Manager is running",
        "Getting list of all services",
        ">> Return code = 0",
        "Cisco AMC Service[STARTED]",
        "Cisco Audit Event Service[STARTED]",
    ]


async def test_restart_shows_every_state_on_the_way(lab: Lab) -> None:
    desk = Desk(lab.store, SUB)
    assert await desk("utils service restart Cisco Tftp") == (
        WARNING + "Service Manager is running\nCisco Tftp[STOPPING]\nCisco Tftp[STARTING]\nCisco Tftp[STARTED]\n"
    )
    assert desk.outcome is Outcome.DONE


async def test_restart_of_tftp_ends_a_reset_itl(lab: Lab) -> None:
    """R-REC-4."""
    desk = Desk(lab.store)
    await desk("utils itl reset localkey")
    assert set(lab.store.snapshot.itl_resets) == {PUB, SUB}
    await desk("utils service restart cisco tftp")
    assert set(lab.store.snapshot.itl_resets) == {SUB}
    itl = await desk("show itl")
    recovery = lab.store.snapshot.require(PUB, Purpose.ITL_RECOVERY).certificate
    assert "3       SIGNERID" in itl
    assert f"4       SIGNERNAME      {len(str(recovery.subject)) + 1}      {recovery.subject}\n" in itl


async def test_stopped_and_started_service_says_so(lab: Lab) -> None:
    desk = Desk(lab.store)
    assert (await desk("utils service stop Cisco Tomcat")).endswith(
        "Cisco Tomcat[STOPPING]\nCisco Tomcat[STOPPED]  Commanded Out of Service\n"
    )
    assert "Cisco Tomcat[STOPPED]  Commanded Out of Service\n" in await desk("utils service list")
    assert (await desk("utils service start Cisco Tomcat")).endswith("Cisco Tomcat[STARTING]\nCisco Tomcat[STARTED]\n")


async def test_deactivated_service_cannot_be_started_until_it_is_activated(lab: Lab) -> None:
    desk = Desk(lab.store, SUB)
    await desk("utils service deactivate Cisco Tftp")
    assert "Service Not Activated" in await desk("utils service start Cisco Tftp")
    assert desk.outcome is Outcome.REFUSED
    assert (await desk("utils service activate Cisco Tftp")).endswith("Cisco Tftp[STARTED]\n")


async def test_entropy_daemon_is_switched_by_the_command_line(lab: Lab) -> None:
    """R-CLI-2."""
    desk = Desk(lab.store)
    await desk("utils service stop Entropy Monitoring Daemon")
    assert "Entropy Monitoring Daemon [STOPPED] Commanded Out of Service\n" in await desk("utils service list")
    await desk("utils service start Entropy Monitoring Daemon")
    assert "Entropy Monitoring Daemon [STARTED]\n" in await desk("utils service list")


async def test_the_command_line_cannot_switch_itself_off(lab: Lab) -> None:
    desk = Desk(lab.store)
    assert "nobody could switch it on again" in await desk("utils service stop System SSH")
    assert "there is no service 'Cisco Coffee'" in await desk("utils service restart Cisco Coffee")
    assert desk.outcome is Outcome.REFUSED
