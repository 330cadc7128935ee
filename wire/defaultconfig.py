"""``XMLDefault.cnf.xml``: what a phone gets that the cluster does not know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.configmembers import CallManagerNode, TvsServer, read_group, read_tvs, write_group, write_tvs
from wire.xmltree import XmlWriter, parse, read_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wire.xmltree import Node

MAX_MODEL = 999_999
_LOAD = re.compile(r"load[Ii]nformation([0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class DefaultConfig:
    """The default configuration.

    Attributes:
        auto_registration: an unknown phone may register.
        call_manager_group: its name.
        call_managers: in priority order.
        tvs_servers: in priority order.
        loads: (UCM's number of the model, its name, name of its firmware).
    """

    auto_registration: bool = True
    call_manager_group: str = "Default"
    call_managers: tuple[CallManagerNode, ...] = ()
    tvs_servers: tuple[TvsServer, ...] = ()
    loads: tuple[tuple[int, str, str], ...] = ()


def encode_default_config(config: DefaultConfig) -> bytes:
    """Writes a default configuration, without an XML declaration, as observed.

    Raises:
        WireError: a number is out of range, a host is empty, or a text has control characters.
    """
    xml = XmlWriter(declaration=False)
    with xml.inside("Default"):
        xml.fixed(
            autoRegistrationName="AUTO-REG",
            autoRegistration="enabled" if config.auto_registration else "",
            selfProvisioningSecureMode="true",
            adminProvisionMode="false",
            ipAddressMode="0",
            ipPreferenceModeControl="0",
            ipMediaAddressFamilyPreference="0",
        )
        write_group(xml, config.call_manager_group, config.call_managers, tftp_default=True)
        write_tvs(xml, config.tvs_servers)
        for number, model, load in config.loads:
            read_number("number of a model", str(number), 0, MAX_MODEL)
            xml.words(f"loadinformation{number}", load, model=model)
    return xml.finish()


def decode_default_config(data: bytes) -> DefaultConfig:
    """Reads a default configuration; ``loadInformationNNN`` may have either case of its I.

    Raises:
        WireError: not well-formed, not a ``<Default>``, with a document type definition, beyond a limit, or a number is
            out of range.
    """
    default = parse(data, "Default")
    group = default.child("callManagerGroup")
    return DefaultConfig(
        auto_registration=default.token("autoRegistration").lower() == "enabled",
        call_manager_group=group.words("name") if group else "Default",
        call_managers=read_group(group),
        tvs_servers=read_tvs(default.child("TVS")),
        loads=tuple(_read_loads(default)),
    )


def _read_loads(default: Node) -> Iterator[tuple[int, str, str]]:
    for child in default.children:
        match = _LOAD.fullmatch(child.name)
        if match:
            number = read_number(child.name[:40], match[1], 0, MAX_MODEL)
            yield number, child.attributes.get("model", ""), child.text
