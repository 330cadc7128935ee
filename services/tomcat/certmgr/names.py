"""What the API calls certificates and trust stores: ``tomcat`` is either, by path (the list of names is ours)."""

from __future__ import annotations

from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from wire.errors import Refusal

_SUFFIX = "-trust"
_PURPOSES = {purpose.value.lower(): purpose for purpose in Purpose}
_STORES = {store.removesuffix(_SUFFIX).lower(): store for store in TRUST_STORES} | {
    purpose.value.lower(): facts.stores[0] for purpose, facts in PURPOSES.items() if facts.elliptic
}
"""EC certificates share the trust store of the RSA ones."""


def purpose_of(service: str) -> Purpose:
    """The own certificate that is meant, in any case.

    Raises:
        Refusal: 400, no such name.
    """
    found = _PURPOSES.get(service.lower())
    if found is None:
        raise _unknown(service, [purpose.value for purpose in Purpose])
    return found


def store_of(service: str) -> str:
    """The trust store that is meant, with or without ``-trust``, in any case.

    Raises:
        Refusal: 400, no such name.
    """
    found = _STORES.get(service.lower().removesuffix(_SUFFIX))
    if found is None:
        raise _unknown(service, [service_of(store) for store in TRUST_STORES])
    return found


def service_of(store: str) -> str:
    """What the API calls a trust store."""
    return store.removesuffix(_SUFFIX)


def _unknown(service: str, known: list[str]) -> Refusal:
    return Refusal(400, f"there is no service {service[:64]!r} here; services: {', '.join(known)}")
