"""What the configuration of a phone and the default configuration have in common: CallManager nodes, TVS servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from wire.errors import WireError
from wire.xmltree import read_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wire.xmltree import Node, XmlWriter

_T = TypeVar("_T")

MAX_PORT = 65_535
MAX_MEMBERS = 16
"""UCM has at most 3 nodes in a group and 5 TVS servers."""
_MAX_PRIORITY = 255


@dataclass(frozen=True, slots=True)
class CallManagerNode:
    """One node of a CallManager group.

    Attributes:
        host: address or name; not empty.
        sip_port: TCP and UDP.
        secured_sip_port: TLS.
        ethernet_port: SCCP.
        name: for people.
    """

    host: str
    sip_port: int = 5060
    secured_sip_port: int = 5061
    ethernet_port: int = 2000
    name: str = ""


@dataclass(frozen=True, slots=True)
class TvsServer:
    """Where a Trust Verification Service answers.

    Attributes:
        address: address or name; not empty.
        port: TCP, TLS.
    """

    address: str
    port: int = 2445


def write_group(xml: XmlWriter, name: str, nodes: Sequence[CallManagerNode], *, tftp_default: bool) -> None:
    """Writes ``callManagerGroup``.

    Raises:
        WireError: a host is empty, a port is out of range, or there are too many.
    """
    with xml.inside("callManagerGroup"):
        xml.words("name", name)
        xml.flag("tftpDefault", value=tftp_default)
        with xml.inside("members"):
            for priority, node in enumerate(_limited("callManagerGroup", nodes)):
                with xml.inside("member", priority=str(priority)), xml.inside("callManager"):
                    xml.words("name", node.name)
                    xml.words("description", node.name)
                    with xml.inside("ports"):
                        xml.number("ethernetPhonePort", node.ethernet_port, 1, MAX_PORT)
                        xml.number("sipPort", node.sip_port, 1, MAX_PORT)
                        xml.number("securedSipPort", node.secured_sip_port, 1, MAX_PORT)
                        with xml.inside("mgcpPorts"):
                            xml.fixed(listen="2427", keepAlive="2428")
                    xml.token("processNodeName", required("processNodeName", node.host))


def read_group(group: Node | None) -> tuple[CallManagerNode, ...]:
    """The nodes of ``callManagerGroup`` in priority order; those without a host are left out.

    Raises:
        WireError: a port or priority is out of range, or there are too many.
    """
    return tuple(
        CallManagerNode(
            host=host,
            sip_port=_port(member, "callManager", "ports", "sipPort", default=5060),
            secured_sip_port=_port(member, "callManager", "ports", "securedSipPort", default=5061),
            ethernet_port=_port(member, "callManager", "ports", "ethernetPhonePort", default=2000),
            name=member.words("callManager", "name"),
        )
        for member in _by_priority("callManagerGroup", group)
        if (host := member.token("callManager", "processNodeName"))
    )


def write_tvs(xml: XmlWriter, servers: Sequence[TvsServer]) -> None:
    """Writes ``TVS``.

    Raises:
        WireError: as for `write_group`.
    """
    with xml.inside("TVS"), xml.inside("members"):
        for priority, server in enumerate(_limited("TVS", servers)):
            with xml.inside("member", priority=str(priority)):
                xml.number("port", server.port, 1, MAX_PORT)
                xml.token("address", required("address", server.address))


def read_tvs(tvs: Node | None) -> tuple[TvsServer, ...]:
    """The servers of ``TVS`` in priority order; those without an address are left out.

    Raises:
        WireError: as for `read_group`.
    """
    return tuple(
        TvsServer(address, _port(member, "port", default=2445))
        for member in _by_priority("TVS", tvs)
        if (address := member.token("address"))
    )


def required(name: str, text: str) -> str:
    """The text.

    Raises:
        WireError: it is empty.
    """
    if not text:
        raise WireError(f"<{name}> is empty")
    return text


def _port(node: Node, *path: str, default: int) -> int:
    return node.number(*path, default=default, low=1, high=MAX_PORT)


def _by_priority(where: str, parent: Node | None) -> list[Node]:
    members = _limited(where, parent.all("members", "member") if parent else ())
    numbered = [
        (
            read_number(f"{where} priority", text.strip(), 0, _MAX_PRIORITY) if text.strip() else place,
            place,
            member,
        )
        for place, member in enumerate(members)
        for text in (member.attributes.get("priority", ""),)
    ]
    return [member for _, _, member in sorted(numbered, key=lambda entry: entry[:2])]


def _limited(where: str, members: Sequence[_T]) -> Sequence[_T]:
    if len(members) > MAX_MEMBERS:
        raise WireError(f"<{where}> with {len(members)} members; the limit is {MAX_MEMBERS}")
    return members
