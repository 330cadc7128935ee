"""A cluster as its administrator describes it: nodes, groups, devices, parameters. Validated, immutable, no secrets."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cluster.consistency import DEFAULT_GROUP, GROUP_SIZE, contradictions, normalise_mac
from cluster.modelbase import Model, ShortText, Text, printable
from cluster.parameters import check_parameter
from cluster.phonesettings import (
    BUILT_IN_RINGS,
    DEFAULT_RULES,
    ENGLISH,
    STANDARD_USER,
    UNITED_STATES,
    DialRules,
    LocaleChoice,
    NetworkLocale,
    Ring,
    SoftKeyTemplate,
    UserLocale,
)
from cluster.releases import RELEASES
from wire.errors import Refusal
from wire.ringlist import MAX_RINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(rf"(?=.{{1,189}}$){_HOST.pattern}(?:\.{_HOST.pattern})*")
_NAMESPACE = uuid.UUID("6f0d7c1e-6f2a-5a0e-9c1b-0c7a4a1b2c3d")

MAX_LINES = 255
"""Line buttons that a phone's configuration can number."""

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


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name (letters, digits and inner hyphens, at most 63)")
    return text


def _domain(text: str) -> str:
    if text and not _DOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is not a domain name of host names and dots, at most 189 characters")
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def _release(text: str) -> str:
    if text not in RELEASES:
        raise ValueError(f"release {text!r} is not known; known: {', '.join(RELEASES)}")
    return text


def _service(text: str) -> str:
    if text not in SERVICES:
        raise ValueError(f"service {text!r} is not known; known: {', '.join(SERVICES)}")
    return text


HostName = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
MacAddress = Annotated[str, BeforeValidator(lambda value: normalise_mac(str(value)))]


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


class Line(Model):
    """A directory number on a device."""

    number: Annotated[str, Field(pattern=r"^[0-9*#+]{1,24}$")]
    label: Text = ""


class Device(Model):
    """A phone known to the cluster.

    Attributes:
        security: of its phone security profile.
        encrypted_config: its profile has "TFTP Encrypted Config".
        soft_key_template: name; empty for none.
        dial_rules: name; empty for none.
        user_locale: name; empty for none, and so for the next.
    """

    mac: MacAddress
    model: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,16}$")]
    description: Text = ""
    device_pool: Text = "Default"
    callmanager_group: Text = DEFAULT_GROUP
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)] = ()
    security: Literal["non-secure", "authenticated", "encrypted"] = "non-secure"
    encrypted_config: bool = False
    soft_key_template: Text = STANDARD_USER
    dial_rules: Text = DEFAULT_RULES
    user_locale: LocaleChoice = ENGLISH
    network_locale: LocaleChoice = UNITED_STATES

    @property
    def name(self) -> str:
        """``SEP<MAC>``."""
        return f"SEP{self.mac}"


class PhoneService(Model):
    """An entry of the phone's service menu."""

    name: Text
    url: Annotated[str, Field(max_length=255, pattern=r"^(https?://|Application:)[!-~]+$")]


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
        """``SEP<MAC>`` -> device."""
        return {device.name: device for device in self.devices}

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

    def fqdn(self, node: NodeDefinition) -> str:
        """Full name of a node."""
        return f"{node.name}.{self.domain}" if self.domain else node.name

    def stable_uuid(self, kind: str, name: str) -> str:
        """The same UUID for the same thing at every start, as files must not change without cause."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.name}/{kind}/{name}"))
