"""Phones that a cluster knows: each by itself, or thousands at a stroke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from cluster.consistency import DEFAULT_GROUP
from cluster.modelbase import MacAddress, Model, Text
from cluster.phonesettings import DEFAULT_RULES, ENGLISH, STANDARD_USER, UNITED_STATES, LocaleChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES = 255
"""Line buttons that a phone's configuration can number."""

MAX_RANGE = 100_000
"""Phones of one range (ours)."""


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
