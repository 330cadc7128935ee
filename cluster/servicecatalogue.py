"""UCM's services: how the service list names them, what kind each is, and what an operator may do to it.

The names are attested. The class is, where a comment does not call it ours. Which services run by default, what they
need and which of them only the publisher runs is ours, but for Cisco Trust Verification Service, Cisco DRF Master and
Cisco DRF Local being network services, Cisco Tftp, Cisco CallManager, Cisco CTIManager and Cisco Certificate Authority
Proxy Function being feature services, and Name Service Cache not being activated.

Most of them do nothing here and have a state all the same, since recipes stop and restart them: `docs/services.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from cluster.definition import SERVICES
from cluster.snapshot import ServiceState
from wire.errors import Refusal

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot


class Health(Enum):
    """State of a service at an instant, with UCM's words. It goes round in this order."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    STOPPING = "STOPPING"


class Kind(Enum):
    """Where UCM keeps a service."""

    PLATFORM = "platform"
    """Of the operating system: the first part of the list, with a space before the bracket."""
    NETWORK = "network"
    """Always activated: it can be stopped and started, never deactivated."""
    FEATURE = "feature"
    """An administrator activates it on the nodes that shall have it."""


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One service.

    Attributes:
        name: as UCM prints it.
        kind: see `Kind`.
        activated: by default, where the cluster's definition does not say it; only with what it needs.
        publisher_only: other nodes cannot activate it.
        needs: what has to be activated before it.
        essential: the command line refuses to stop or deactivate it, since nobody could start it again.
        only_by_command: can be switched off by the command line alone.
    """

    name: str
    kind: Kind
    activated: bool = True
    publisher_only: bool = False
    needs: tuple[str, ...] = ()
    essential: bool = False
    only_by_command: bool = False


SERVICE_MANAGER = "Service Manager"
SYSTEM_SSH = "System SSH"
TFTP = "Cisco Tftp"
TVS = "Cisco Trust Verification Service"
TOMCAT = "Cisco Tomcat"
CALLMANAGER = "Cisco CallManager"
CTI_MANAGER = "Cisco CTIManager"
CAPF = "Cisco Certificate Authority Proxy Function"
CHANGE_NOTIFICATION = "Cisco Certificate Change Notification"
ENTROPY_DAEMON = "Entropy Monitoring Daemon"

_PLATFORM, _NETWORK, _FEATURE = Kind.PLATFORM, Kind.NETWORK, Kind.FEATURE

_PLATFORM_SERVICES = (  # in the order of a live list
    ServiceFacts(SYSTEM_SSH, _PLATFORM, essential=True),
    ServiceFacts("Name Service Cache", _PLATFORM, activated=False),
    ServiceFacts(ENTROPY_DAEMON, _PLATFORM, only_by_command=True),
    ServiceFacts("Cisco SCSI Watchdog", _PLATFORM),
    ServiceFacts(SERVICE_MANAGER, _PLATFORM, essential=True),
)

_PRODUCT_SERVICES = (  # a live list begins in this order; that the rest is alphabetical, too, is ours
    ServiceFacts("Cisco AMC Service", _NETWORK),  # class ours
    ServiceFacts("Cisco Audit Event Service", _NETWORK),  # class ours
    ServiceFacts("Cisco CDP", _NETWORK),  # class ours
    ServiceFacts("Cisco CDP Agent", _NETWORK),  # class ours
    ServiceFacts("Cisco CDR Agent", _NETWORK),  # class ours
    ServiceFacts(CTI_MANAGER, _FEATURE, needs=(CALLMANAGER,)),
    ServiceFacts("Cisco CTL Provider", _FEATURE, activated=False),  # class ours
    ServiceFacts(CALLMANAGER, _FEATURE),
    ServiceFacts(CAPF, _FEATURE, publisher_only=True),
    ServiceFacts(CHANGE_NOTIFICATION, _NETWORK),  # class ours
    ServiceFacts("Cisco Certificate Expiry Monitor", _NETWORK),  # class ours
    ServiceFacts("Cisco DHCP Monitor Service", _FEATURE, activated=False),  # class ours
    ServiceFacts("Cisco DRF Local", _NETWORK),
    ServiceFacts("Cisco DRF Master", _NETWORK, publisher_only=True),
    ServiceFacts("Cisco HAProxy", _NETWORK),  # class ours
    ServiceFacts("Cisco Intercluster Lookup Service", _NETWORK),  # class ours
    ServiceFacts("Cisco SSOSP Tomcat", _NETWORK),  # class ours
    ServiceFacts(TFTP, _FEATURE),
    ServiceFacts(TOMCAT, _NETWORK),  # class ours
    ServiceFacts(TVS, _NETWORK),
)

CATALOGUE: dict[str, ServiceFacts] = {facts.name: facts for facts in (*_PLATFORM_SERVICES, *_PRODUCT_SERVICES)}
"""UCM's name -> service, in the order of the service list."""

_BY_LOWER_NAME = {name.lower(): facts for name, facts in CATALOGUE.items()}
_SHORT_NAMES = {name: short for short, name in SERVICES.items()}


def find_service(name: str) -> ServiceFacts:
    """The service of that name, in any case.

    Raises:
        Refusal: there is none.
    """
    facts = _BY_LOWER_NAME.get(" ".join(name.split()).lower())
    if facts is None:
        raise Refusal(404, f"there is no service {name!r}; 'utils service list' shows them")
    return facts


def wanted_state(snapshot: ClusterSnapshot, node: str, name: str) -> ServiceState:
    """What operators want of a service, or the default when nobody has said anything.

    Args:
        snapshot: the cluster.
        node: node name as in its definition.
        name: UCM's name of the service.
    """
    found = snapshot.services.get((node, name))
    return found if found is not None else ServiceState(_activated_by_default(snapshot, node, name))


def _activated_by_default(snapshot: ClusterSnapshot, node: str, name: str) -> bool:
    definition, facts = snapshot.definition.node(node), CATALOGUE[name]
    if definition is None or (facts.publisher_only and not definition.publisher):
        return False
    if name in _SHORT_NAMES:
        return _SHORT_NAMES[name] in definition.services
    return facts.activated and all(_activated_by_default(snapshot, node, need) for need in facts.needs)
