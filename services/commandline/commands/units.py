"""Names of certificates on the command line: units, and ``unit/unit.pem``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from services.commandline.grammar import Argument
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cluster.snapshot import OwnCertificate
    from services.commandline.context import CommandContext

ORDER = (
    Purpose.TOMCAT,
    Purpose.TOMCAT_ECDSA,
    Purpose.IPSEC,
    Purpose.ITL_RECOVERY,
    Purpose.CALLMANAGER_ECDSA,
    Purpose.CALLMANAGER,
    Purpose.CAPF,
    Purpose.TVS,
)
"""Of a live node's list."""
_SUFFIXES = (".pem", ".der", ".csr")


def units(context: CommandContext) -> list[str]:
    """The units whose certificates are managed on this node."""
    return [
        purpose.value
        for purpose in ORDER
        if context.snapshot.release.knows(purpose)
        and (context.definition.publisher or not PURPOSES[purpose].publisher_only)
    ]


def trust_units(_context: CommandContext) -> Iterable[str]:
    """The trust stores."""
    return TRUST_STORES


def own_certificates(context: CommandContext) -> list[OwnCertificate]:
    """The node's certificates in the order of UCM's list; ITLRecovery lies on every node, CAPF on the publisher."""
    found = [context.snapshot.own_certificate(context.node, purpose) for purpose in ORDER]
    elsewhere = {Purpose.CAPF}
    return [own for own in found if own is not None and (own.node == context.node or own.purpose not in elsewhere)]


def own_names(context: CommandContext) -> list[str]:
    """``unit/unit.pem`` of each."""
    return [f"{own.purpose.value}/{own.purpose.value}.pem" for own in own_certificates(context)]


def unit_of(name: str) -> str:
    """``tomcat`` of ``tomcat``, ``tomcat/tomcat.pem`` and ``tomcat.pem``."""
    unit, _, file = name.partition("/")
    bare = without_suffix(file or unit)
    if file and bare != unit:
        raise Refusal(404, f"there is no certificate {name!r}: names are UNIT/UNIT.pem, as the list shows them")
    return bare


def without_suffix(name: str) -> str:
    """``tomcat`` of ``tomcat.pem``."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def purpose_of(unit: str) -> Purpose:
    """The purpose that UCM calls so.

    Raises:
        Refusal: 404.
    """
    for purpose in Purpose:
        if purpose.value == unit:
            return purpose
    known = ", ".join(purpose.value for purpose in ORDER)
    raise Refusal(404, f"there is no certificate unit {unit!r}; known: {known}")


def trust_store_of(unit: str) -> str:
    """The trust store of a unit, which may also be named itself.

    Raises:
        Refusal: 404.
    """
    if unit in TRUST_STORES:
        return unit
    if any(purpose.value == unit for purpose in Purpose):
        return PURPOSES[purpose_of(unit)].stores[0]
    raise Refusal(404, f"there is no trust store {unit!r}; known: {', '.join(TRUST_STORES)}")


UNIT = Argument("UNIT", "tomcat, CallManager, TVS ...", choices=units)
TRUST_UNIT = Argument("UNIT", "a unit, or a trust store such as CallManager-trust", choices=trust_units)
