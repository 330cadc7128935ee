"""How a simulated phone of a model behaves: as the table of models says, and where that is silent, as is assumed here.

What is assumed, all of it this project's choice:

- an unknown ability is there (`Ability.assumed`);
- a model whose TLS versions are not known speaks TLS 1.2 and all above that OpenSSL knows, one without elliptic curves
  TLS 1.2 alone;
- a trust list may have 64 KiB, and two SAST records of it count: what is said of phones in general;
- 30 status messages are kept, as by the 8800s.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from base.modelfile import shipped_table
from base.phonemodels import Ability, Family, PhoneModel, TlsVersion, attributes
from base.tls import client_context
from phone_sim.messages import MAX_MESSAGES
from phone_sim.trust import MAX_SAST_RECORDS
from wire.errors import OperatorError
from wire.trustlist import MAX_PHONE_FILE_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from base.identity import Identity

__all__ = ["Ability", "Family", "Model", "all_models", "model"]

_ASSUMED_TLS_MIN = TlsVersion.V1_2
_TLS = {
    TlsVersion.V1_0: ssl.TLSVersion.TLSv1,
    TlsVersion.V1_1: ssl.TLSVersion.TLSv1_1,
    TlsVersion.V1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.V1_3: ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class Model(PhoneModel):
    """One model, with what the simulated phone makes of it."""

    @property
    def tls_versions(self) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        """Lowest and highest version that its clients offer.

        A model without elliptic curves offers nothing above TLS 1.2: there no cipher suite says what certificates the
        client can use, and what does say it cannot be set from Python.
        """
        highest = self.tls_max
        lowest = self.tls_min or min(version for version in (_ASSUMED_TLS_MIN, self.tls_known, highest) if version)
        if not self.ec.assumed:
            highest = max(lowest, min(highest or TlsVersion.V1_2, TlsVersion.V1_2))
        return _TLS[lowest], _TLS[highest] if highest else ssl.TLSVersion.MAXIMUM_SUPPORTED

    @property
    def tls_ciphers(self) -> str | None:
        """OpenSSL cipher string for TLS 1.2 and below: the library's, without ECDSA if the model lacks it."""
        return None if self.ec.assumed else "DEFAULT:!aECDSA"

    def tls_context(self, identity: Identity | None) -> ssl.SSLContext:
        """For a connection of the phone's: its versions, its ciphers. It accepts any server, whom others judge.

        Args:
            identity: shown when the server asks.
        """
        lowest, highest = self.tls_versions
        return client_context(identity, minimum=lowest, maximum=highest, ciphers=self.tls_ciphers)

    @property
    def list_limit(self) -> int:
        """Bytes of the largest trust list that it loads (R-ITL-8)."""
        return self.max_list_size or MAX_PHONE_FILE_SIZE

    @property
    def sast_limit(self) -> int:
        """How many SAST records of a trust list count."""
        return self.sast_records or MAX_SAST_RECORDS

    @property
    def message_limit(self) -> int:
        """How many status messages it keeps."""
        return self.status_messages or MAX_MESSAGES

    def device_name(self, mac: str) -> str:
        """Name that the phone gives to TVS: ``CP-8865-SEP001122334455``."""
        return f"CP-{self.name}-SEP{mac}"


@cache
def all_models() -> Mapping[str, Model]:
    """The models that can be simulated, by name: those whose devices are named by a MAC address."""
    found = shipped_table().models.values()
    return {item.name: Model(**attributes(item)) for item in found if item.has_mac}


def model(name: str) -> Model:
    """One model; ``CP-8865`` and ``Cisco 8865`` are read as ``8865``.

    Raises:
        OperatorError: no such model, or none that is simulated; the message lists those there are.
    """
    found = shipped_table().find(name)
    if found is None or not found.has_mac:
        problem = "is not known" if found is None else "is not simulated: its device has no MAC address in its name"
        raise OperatorError(f"phone model {name!r} {problem}; known are {', '.join(sorted(all_models()))}")
    return all_models()[found.name]
