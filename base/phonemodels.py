"""The phone models: what is known of each, and who says so.

The table is data about products (``configs/phone_models.yaml``), read by `base.modelfile`. A cluster takes type numbers
and firmware names from it, a simulated phone its abilities, the Phone Feature List everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import total_ordering
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ability(Enum):
    """Whether a model can do something."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @property
    def assumed(self) -> bool:
        """What the simulated phone does: an unknown ability is taken to be there."""
        return self is not Ability.NO


class Family(Enum):
    """Models whose screens word status messages alike."""

    P7800 = "7800"
    P7900 = "7900"
    P8800 = "8800"
    DX = "DX"


@total_ordering
class TlsVersion(Enum):
    """A version of TLS."""

    V1_0 = "1.0"
    V1_1 = "1.1"
    V1_2 = "1.2"
    V1_3 = "1.3"

    def __lt__(self, other: TlsVersion) -> bool:
        return self.value < other.value


@dataclass(frozen=True, slots=True)
class PhoneModel:
    """One phone model. None stands for a number, name or version that nobody says.

    Attributes:
        name: as printed on the phone: ``8865``.
        product: its name in UCM: ``Cisco 8865``.
        series: the series, in words.
        family: wording of status messages.
        has_mac: its device is named by a MAC address, ``SEP<MAC>``; a softphone's may be named by its user.
        type_number: number of the product, as behind ``loadinformation`` in the default configuration.
        load: a firmware name that was seen.
        security_by_default: fetches trust lists and signed configurations (R-SBD-1).
        contact_search: authenticates itself for contact searches (R-UDS-1).
        rsa_4096: can use RSA keys of more than 2048 bits (R-CRT-8).
        ec: can use keys on elliptic curves.
        sha256: takes files signed with SHA-256.
        sha512: takes files signed with SHA-512.
        http: asks HTTP before TFTP.
        https_config: asks HTTPS for its configuration when the ITL says so (R-DL-4).
        encrypted_config: reads encrypted configurations.
        lsc: gets a certificate from CAPF.
        secure_boot: starts the manufacturer's firmware only.
        image_signing: its firmware files are signed.
        tls_min: lowest version of its TLS clients.
        tls_max: highest version.
        tls_known: a version that it speaks, where the highest is not known.
        max_list_size: bytes of the largest trust list that it loads (R-ITL-8).
        sast_records: how many SAST records of a list count.
        status_messages: how many status messages it keeps.
        sources: keys of those who say it, by the name of the attribute.
    """

    name: str
    product: str
    series: str
    family: Family
    has_mac: bool
    type_number: int | None
    load: str | None
    security_by_default: Ability
    contact_search: Ability
    rsa_4096: Ability
    ec: Ability
    sha256: Ability
    sha512: Ability
    http: Ability
    https_config: Ability
    encrypted_config: Ability
    lsc: Ability
    secure_boot: Ability
    image_signing: Ability
    tls_min: TlsVersion | None
    tls_max: TlsVersion | None
    tls_known: TlsVersion | None
    max_list_size: int | None
    sast_records: int | None
    status_messages: int | None
    sources: Mapping[str, tuple[str, ...]] = field(compare=False)

    def speaks(self, version: TlsVersion) -> Ability:
        """Whether its clients speak a version of TLS: within what is known, beyond it, or neither is said."""
        lowest, highest = self.tls_min, self.tls_max
        if (lowest and version < lowest) or (highest and version > highest):
            return Ability.NO
        said = [edge for edge in (lowest, self.tls_known, highest) if edge is not None]
        return Ability.YES if said and min(said) <= version <= max(said) else Ability.UNKNOWN


@dataclass(frozen=True, slots=True)
class ModelTable:
    """All models.

    Attributes:
        models: by name, in the order of the file.
        sources: what a source's key stands for.
    """

    models: Mapping[str, PhoneModel]
    sources: Mapping[str, str]

    def find(self, text: str) -> PhoneModel | None:
        """A model by its name or its product's, in any case: ``8865``, ``CP-8865``, ``Cisco 8865``."""
        wanted = text.strip().upper().removeprefix("CP-")
        return next(
            (item for item in self.models.values() if wanted in {item.name.upper(), item.product.upper()}), None
        )


def attributes(model: PhoneModel) -> dict[str, Any]:
    """All attributes of a model, by name."""
    return {name: getattr(model, name) for name in PhoneModel.__slots__}
