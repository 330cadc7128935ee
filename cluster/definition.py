"""A cluster as its administrator describes it: nodes, groups, devices, parameters. Validated, immutable, no secrets."""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cluster.parameters import SECURITY_MODE, check_parameter
from cluster.releases import RELEASES
from wire.errors import Refusal

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_MAC = re.compile(r"[0-9A-F]{12}")
_NAMESPACE = uuid.UUID("6f0d7c1e-6f2a-5a0e-9c1b-0c7a4a1b2c3d")

SERVICES: dict[str, str] = {
    "tftp": "Cisco Tftp",
    "tvs": "Cisco Trust Verification Service",
    "tomcat": "Cisco Tomcat",
}
"""Short name in a configuration -> UCM's name."""


def normalise_mac(text: str) -> str:
    """``00:11:22:33:44:55``, ``0011.2233.4455``, ``SEP001122334455`` ... -> ``001122334455``.

    Raises:
        ValueError: not 12 hexadecimal digits.
    """
    bare = re.sub(r"[:.\-]", "", text.strip().upper())
    bare = bare.removeprefix("SEP")
    if not _MAC.fullmatch(bare):
        raise ValueError(f"{text!r} is not a MAC address of 12 hexadecimal digits")
    return bare


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name (letters, digits and inner hyphens, at most 63)")
    return text


def _domain(text: str) -> str:
    if text and not _DOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is not a domain name")
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
Text = Annotated[str, Field(max_length=128)]


class Model(BaseModel):
    """Common rules: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Subject(Model):
    """The parts of certificate subjects below the common name."""

    organization: Text = "ucmsim"
    unit: Text = "Trust Lab"
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
    services: tuple[Annotated[str, AfterValidator(_service)], ...] = ("tftp", "tvs", "tomcat")


class CallManagerGroup(Model):
    """Nodes in priority order; phones take their TVS list and registrar from it. At most 5, as phones do."""

    name: Text
    members: Annotated[tuple[str, ...], Field(min_length=1, max_length=5)]


class Line(Model):
    """A directory number on a device."""

    number: Annotated[str, Field(pattern=r"^[0-9*#+]{1,24}$")]
    label: Text = ""


class Device(Model):
    """A phone known to the cluster."""

    mac: MacAddress
    model: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,16}$")]
    description: Text = ""
    device_pool: Text = "Default"
    callmanager_group: Text = "Default"
    lines: tuple[Line, ...] = ()

    @property
    def name(self) -> str:
        """``SEP<MAC>``."""
        return f"SEP{self.mac}"


class PhoneService(Model):
    """An entry of the phone's service menu."""

    name: Text
    url: Annotated[str, Field(max_length=255, pattern=r"^(https?://|Application:)")]


class ClusterDefinition(Model):
    """A whole cluster."""

    name: HostName
    release: Annotated[str, AfterValidator(_release)] = "12.5"
    domain: Annotated[str, AfterValidator(_domain)] = "lab.example"
    subject: Subject = Subject()
    parameters: dict[str, str] = {}
    nodes: Annotated[tuple[NodeDefinition, ...], Field(min_length=1)]
    callmanager_groups: tuple[CallManagerGroup, ...] = ()
    devices: tuple[Device, ...] = ()
    phone_services: tuple[PhoneService, ...] = ()
    tftp_directory: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[str] = []
        names = [node.name for node in self.nodes]
        publishers = [node.name for node in self.nodes if node.publisher]
        if len(publishers) != 1:
            problems.append(f"exactly one node has to be the publisher, not {len(publishers)}")
        problems += _repeated("node name", [name.lower() for name in names])
        problems += _repeated("device", [device.name for device in self.devices])
        problems += _repeated("CallManager group", [group.name for group in self.groups])
        for group in self.groups:
            problems += [
                f"CallManager group {group.name!r} names {member!r}, which is no node; nodes: {', '.join(names)}"
                for member in group.members
                if member not in names
            ]
        groups = {group.name for group in self.groups}
        problems += [
            f"device {device.name} names CallManager group {device.callmanager_group!r}, which does not exist"
            for device in self.devices
            if device.callmanager_group not in groups
        ]
        for name, value in self.parameters.items():
            if name == SECURITY_MODE:
                problems.append(f"{SECURITY_MODE!r} is changed by the cluster itself, not in a file")
                continue
            try:
                check_parameter(name, value)
            except Refusal as refusal:
                problems.append(str(refusal))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def groups(self) -> tuple[CallManagerGroup, ...]:
        """The configured groups, or one ``Default`` group of the first five nodes.

        With no group configured the order is that of the file.
        """
        if self.callmanager_groups:
            return self.callmanager_groups
        return (CallManagerGroup(name="Default", members=tuple(node.name for node in self.nodes[:5])),)

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


def _repeated(what: str, names: list[str]) -> list[str]:
    return [f"{what} {name!r} appears more than once" for name in sorted({n for n in names if names.count(n) > 1})]
