"""A cluster as its administrator describes it: nodes, groups, devices, users, parameters. Validated and immutable."""

from __future__ import annotations

import contextlib
import re
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cluster.consistency import DEFAULT_GROUP, GROUP_SIZE, contradictions
from cluster.devices import Device, DeviceRange
from cluster.modelbase import HOST_PATTERN, Address, HostName, Model, ShortText, Text, printable
from cluster.parameters import check_parameter
from cluster.people import User
from cluster.phonesettings import (
    BUILT_IN_RINGS,
    DialRules,
    NetworkLocale,
    Ring,
    SoftKeyTemplate,
    UserLocale,
)
from cluster.releases import RELEASES
from cluster.siptrunk import SipTrunk
from wire.errors import Refusal
from wire.ringlist import MAX_RINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOMAIN = re.compile(rf"(?=.{{1,189}}$){HOST_PATTERN}(?:\.{HOST_PATTERN})*")
_NAMESPACE = uuid.UUID("6f0d7c1e-6f2a-5a0e-9c1b-0c7a4a1b2c3d")

MAX_TRUNKS = 256
"""SIP trunks of a cluster (ours)."""

CONTRADICTION = "contradiction"
"""Type of the validation error for what a definition says against itself."""

SERVICES: dict[str, str] = {
    "tftp": "Cisco Tftp",
    "tvs": "Cisco Trust Verification Service",
    "tomcat": "Cisco Tomcat",
    "callmanager": "Cisco CallManager",
    "capf": "Cisco Certificate Authority Proxy Function",
}
"""Short name in a configuration -> UCM's name."""


def _domain(text: str) -> str:
    if text and not _DOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is not a domain name of host names and dots, at most 189 characters")
    return text


def _release(text: str) -> str:
    if text not in RELEASES:
        raise ValueError(f"release {text!r} is not known; known: {', '.join(RELEASES)}")
    return text


def _service(text: str) -> str:
    if text not in SERVICES:
        raise ValueError(f"service {text!r} is not known; known: {', '.join(SERVICES)}")
    return text


class Subject(Model):
    """The parts of certificate subjects below the common name."""

    organization: ShortText = "ucmsim"
    unit: ShortText = "Trust Lab"
    locality: Text = "Lab"
    state: Text = "Lab"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "PL"


class NodeDefinition(Model):
    """One server of the cluster.

    Attributes:
        bind: address to listen on when it differs from the one that phones are told (containers: ``0.0.0.0``).
    """

    name: HostName
    address: Address
    bind: Address | None = None
    publisher: bool = False
    services: tuple[Annotated[str, AfterValidator(_service)], ...] = ("tftp", "tvs", "tomcat", "callmanager", "capf")


class CallManagerGroup(Model):
    """Nodes in priority order; phones take their TVS list and registrar from it. At most 5, as phones do."""

    name: Text
    members: Annotated[tuple[str, ...], Field(min_length=1, max_length=GROUP_SIZE)]


class PhoneService(Model):
    """An entry of the phone's service menu.

    Attributes:
        url: with ``/`` at its beginning a page of the publisher's own Tomcat.
    """

    name: Text
    url: Annotated[str, Field(max_length=255, pattern=r"^(https?://|Application:|/)[!-~]+$")]


class AutoRegistration(Model):
    """What phones get that register themselves (R-DL-5).

    Attributes:
        first: lowest directory number.
        last: highest one; as long as the first.
    """

    first: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")]
    last: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")]
    device_pool: Text = "Default"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if len(self.first) != len(self.last) or self.first > self.last:
            raise ValueError(
                f"{self.first} to {self.last} is no range: both have as many digits, the lowest comes first"
            )
        return self


class ClusterDefinition(Model):
    """A whole cluster."""

    name: HostName
    release: Annotated[str, AfterValidator(_release)] = "12.5"
    domain: Annotated[str, AfterValidator(_domain)] = "lab.example"
    subject: Subject = Subject()
    parameters: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults
    nodes: Annotated[tuple[NodeDefinition, ...], Field(min_length=1)]
    callmanager_groups: tuple[CallManagerGroup, ...] = ()
    devices: tuple[Device, ...] = ()
    device_ranges: tuple[DeviceRange, ...] = ()
    sip_trunks: Annotated[tuple[SipTrunk, ...], Field(max_length=MAX_TRUNKS)] = ()
    users: tuple[User, ...] = ()
    phone_services: tuple[PhoneService, ...] = ()
    auto_registration: AutoRegistration | None = None
    rings: Annotated[tuple[Ring, ...], Field(max_length=MAX_RINGS)] = BUILT_IN_RINGS
    soft_key_templates: tuple[SoftKeyTemplate, ...] = ()
    dial_rules: tuple[DialRules, ...] = ()
    user_locales: tuple[UserLocale, ...] = ()
    network_locales: tuple[NetworkLocale, ...] = ()
    tftp_directory: Annotated[str, Field(min_length=1), AfterValidator(printable)] | None = None

    @field_validator("parameters")
    @classmethod
    def _as_shown(cls, parameters: dict[str, str]) -> dict[str, str]:
        """``True`` for ``true``; what does not fit is left for `contradictions` to name."""
        shown = dict(parameters)
        for name, value in parameters.items():
            with contextlib.suppress(Refusal):
                shown[name] = check_parameter(name, value)
        return shown

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = [f"{'.'.join(map(str, where))}: {what}" for where, what in contradictions(self.model_dump())]
        if found:
            raise PydanticCustomError(CONTRADICTION, "{found}", {"found": "; ".join(found)})
        return self

    @property
    def groups(self) -> tuple[CallManagerGroup, ...]:
        """The configured groups, or one ``Default`` group of the first five nodes.

        With no group configured the order is that of the file.
        """
        if self.callmanager_groups:
            return self.callmanager_groups
        first = tuple(node.name for node in self.nodes[:GROUP_SIZE])
        return (CallManagerGroup(name=DEFAULT_GROUP, members=first),)

    @cached_property
    def devices_by_name(self) -> Mapping[str, Device]:
        """``SEP<MAC>`` -> device, with those of the ranges."""
        ranges = (device for some in self.device_ranges for device in some.devices)
        return {device.name: device for device in (*self.devices, *ranges)}

    @cached_property
    def users_by_id(self) -> Mapping[str, User]:
        """Id in lower case -> user."""
        return {user.id.lower(): user for user in self.users}

    @property
    def publisher(self) -> NodeDefinition:
        """The one node that is the publisher."""
        return next(node for node in self.nodes if node.publisher)

    def node(self, name: str) -> NodeDefinition | None:
        """The node of that name, in any case."""
        return next((node for node in self.nodes if node.name.lower() == name.lower()), None)

    def group(self, name: str) -> CallManagerGroup:
        """The group of that name; a name that passed validation exists."""
        return next(group for group in self.groups if group.name == name)

    def trunks_of(self, node: str) -> tuple[SipTrunk, ...]:
        """The SIP trunks that a node runs: those of the CallManager groups that it is in."""
        return tuple(trunk for trunk in self.sip_trunks if node in self.group(trunk.callmanager_group).members)

    def fqdn(self, node: NodeDefinition) -> str:
        """Full name of a node."""
        return f"{node.name}.{self.domain}" if self.domain else node.name

    def stable_uuid(self, kind: str, name: str) -> str:
        """The same UUID for the same thing at every start, as files must not change without cause."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.name}/{kind}/{name}"))
