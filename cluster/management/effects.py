"""What an operator has to know of a certificate before and after it is changed: warnings, and what to restart."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.purposes import Purpose

_TVS, _TFTP = "Cisco Trust Verification Service", "Cisco Tftp"
_CALLMANAGER = ("Cisco CallManager", "Cisco CTIManager", _TVS, _TFTP)


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows from a new certificate (R-CRT-6).

    Attributes:
        restart: services that go on with the old one until they start anew, in the order of the guides.
        ctl: in mixed mode the CTL has to be updated.
        itl: the ITL changes at once, and phones fetch it at their next reset.
        note: what else to do; may be empty.
    """

    restart: tuple[str, ...]
    ctl: bool = False
    itl: bool = False
    note: str = ""


EFFECTS: dict[Purpose, Effect] = {
    Purpose.TOMCAT: Effect(("Cisco Tomcat", _TFTP), note="TFTP shows the tomcat certificate on port 6972"),
    Purpose.TOMCAT_ECDSA: Effect(("Cisco Tomcat", _TFTP), note="TFTP shows the tomcat certificate on port 6972"),
    Purpose.CALLMANAGER: Effect(_CALLMANAGER, ctl=True, itl=True, note="make a new backup afterwards"),
    Purpose.CALLMANAGER_ECDSA: Effect(_CALLMANAGER, ctl=True, itl=True),
    Purpose.TVS: Effect((_TVS, _TFTP), itl=True, note="wait until phones have the new ITL before the next change"),
    Purpose.CAPF: Effect(
        ("Cisco Certificate Authority Proxy Function", _TVS, _TFTP), ctl=True, itl=True, note="issue new LSCs"
    ),
    Purpose.IPSEC: Effect(("Cisco DRF Master", "Cisco DRF Local")),
    Purpose.ITL_RECOVERY: Effect((_TVS, _TFTP), ctl=True, itl=True, note="phones know it from the next ITL on"),
}

_OVERWRITE = "WARNING: This operation will overwrite any CA signed certificate previously imported for  {purpose}"
_RECOVERY = (
    "WARNING: If you are using a tokenless CTL and if the CallManager certificate is recently generated, please ensure "
    "that the CTL File already has the new CallManager certificate and is updated to the endpoints, before generating "
    "the ITL Recovery certificate. Are you sure want to proceed?"
)
"""Both are UCM's words."""


def regeneration_warning(purpose: Purpose) -> str:
    """What is said before a certificate is made anew (R-CRT-5, R-REC-2)."""
    return _RECOVERY if purpose is Purpose.ITL_RECOVERY else _OVERWRITE.format(purpose=purpose.value)


def restart_hint(purpose: Purpose) -> str:
    """UCM's sentence after it."""
    if purpose is Purpose.ITL_RECOVERY:
        return "You must restart the services related to ITLRecovery for the regenerated certificates to become active."
    return f"You must restart services related to {purpose.value} for the regenerated certificates to become active."
