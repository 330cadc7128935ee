"""A cluster as its administrator describes it: nodes, groups, devices, users, parameters. Validated and immutable."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from cluster.consistency import DEFAULT_GROUP, GROUP_SIZE, contradictions, normalise_mac, trunk_port
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
    from collections.abc import Iterator, Mapping

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(rf"(?=.{{1,189}}$){_HOST.pattern}(?:\.{_HOST.pattern})*")
_PIN = re.compile(r"[0-9]{1,32}")
_NAMESPACE = uuid.UUID("6f0d7c1e-6f2a-5a0e-9c1b-0c7a4a1b2c3d")

MAX_LINES = 255
"""Line buttons that a phone's configuration can number."""

MAX_TRUNKS = 256
"""SIP trunks of a cluster (ours)."""

MAX_RANGE = 100_000
"""Phones of one range (ours)."""

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


def _pin(secret: SecretStr) -> SecretStr:
    if not _PIN.fullmatch(secret.get_secret_value()):
        raise ValueError("a PIN has 1 to 32 digits")
    return secret


def _password(secret: SecretStr) -> SecretStr:
    if not 1 <= len(secret.get_secret_value()) <= 128:
        raise ValueError("a password has 1 to 128 characters")
    return secret


HostName = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
MacAddress = Annotated[str, BeforeValidator(lambda value: normalise_mac(str(value)))]
Port = Annotated[int, Field(ge=1, le=65_535)]
Secret = Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value, return_type=str, when_used="json")]
"""Hidden in texts, written into the state, which its owner alone can read."""


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
        extension_mobility: people may log in to it.
        web_access: whether it may serve its own web pages; its configuration does not say when None.
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
    extension_mobility: bool = False
    web_access: bool | None = None
    soft_key_template: Text = STANDARD_USER
    dial_rules: Text = DEFAULT_RULES
    user_locale: LocaleChoice = ENGLISH
    network_locale: LocaleChoice = UNITED_STATES

    @property
    def name(self) -> str:
        """``SEP<MAC>``."""
        return f"SEP{self.mac}"


class DeviceRange(Model):
    """Many phones that differ in MAC address and number alone, for load tests.

    Attributes:
        first: MAC address of the first; each further phone has the next one.
        first_number: directory number of the first, and so on with as many digits; None for phones without lines.
    """

    first: MacAddress
    count: Annotated[int, Field(ge=1, le=MAX_RANGE)]
    model: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,16}$")]
    first_number: Annotated[str, Field(pattern=r"^[0-9]{1,12}$")] | None = None
    description: Text = ""
    device_pool: Text = "Default"
    callmanager_group: Text = DEFAULT_GROUP
    security: Literal["non-secure", "authenticated", "encrypted"] = "non-secure"
    encrypted_config: bool = False

    @model_validator(mode="after")
    def _not_too_far(self) -> Self:
        if int(self.first, 16) + self.count > 1 << 48:
            raise ValueError(f"{self.count} MAC addresses from {self.first} go beyond FFFFFFFFFFFF")
        if self.first_number is not None and int(self.first_number) + self.count > 10 ** len(self.first_number):
            raise ValueError(f"{self.count} numbers from {self.first_number} take more digits than it has")
        return self

    @property
    def devices(self) -> Iterator[Device]:
        """Each phone of the range."""
        shared = self.model_dump(include=set(Device.model_fields))
        for step in range(self.count):
            number = self.first_number and f"{int(self.first_number) + step:0{len(self.first_number)}d}"
            lines = (Line(number=number),) if number else ()
            yield Device(mac=f"{int(self.first, 16) + step:012X}", lines=lines, **shared)


class SipTrunk(Model):
    """A SIP trunk of the nodes of a CallManager group, with its security profile.

    Attributes:
        destination: address of the other end; requests from there belong to this trunk.
        destination_port: see `port`.
        security: of the profile; ``encrypted`` means TLS.
        transport: over which a trunk that is not secure sends; it takes both.
        incoming_port: see `listens_on`.
        subject_names: X.509 subject names that the other end's certificate may have.
    """

    name: Text
    destination: Address
    destination_port: Port | None = None
    security: Literal["non-secure", "encrypted"] = "non-secure"
    transport: Literal["tcp", "udp"] = "tcp"
    incoming_port: Port | None = None
    subject_names: Annotated[tuple[Text, ...], Field(max_length=16)] = ()
    callmanager_group: Text = DEFAULT_GROUP

    @property
    def encrypted(self) -> bool:
        """TLS both ways."""
        return self.security == "encrypted"

    @property
    def port(self) -> int:
        """Where the other end listens: 5060, or 5061 for TLS, unless it was said."""
        return self.destination_port or trunk_port(self.security)

    @property
    def listens_on(self) -> int:
        """The profile's incoming port, by default the one that phones use, too."""
        return self.incoming_port or trunk_port(self.security)


class User(Model):
    """A person.

    Attributes:
        id: what is typed to log in; case does not count.
        name: for directories.
        pin: for Extension Mobility; without one nobody logs in.
        password: for pushing content to phones, and for contact search.
        devices: phones that the user controls.
        lines: of the device profile that a log-in brings to a phone.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
    name: Text = ""
    pin: Annotated[Secret, AfterValidator(_pin)] | None = None
    password: Annotated[Secret, AfterValidator(_password)] | None = None
    devices: tuple[MacAddress, ...] = ()
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)] = ()

    @property
    def shown_name(self) -> str:
        """The name, or the id for want of one."""
        return self.name or self.id


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
