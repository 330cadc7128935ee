"""On which ports a cluster is reached: the real numbers, moved by an offset, or wherever the system gave room."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Ports:
    """Port numbers of one node, UCM's own by default; 0 asks the system for any free one."""

    tftp: int = 69
    http: int = 6970
    https: int = 6971
    https_tomcat: int = 6972
    tvs: int = 2445
    web: int = 8080
    secure_web: int = 8443
    sip: int = 5060
    secured_sip: int = 5061
    capf: int = 3804
    ssh: int = 22
    secure_admin: int = 443
    cti: int = 2748
    secure_cti: int = 2749
    secure_search: int = 9443

    @classmethod
    def moved(cls, offset: int) -> Ports:
        """UCM's numbers plus `offset`."""
        return cls(*(getattr(cls(), item.name) + offset for item in fields(cls)))

    @classmethod
    def any_free(cls) -> Ports:
        """Every port left to the system."""
        return cls(*(0 for _ in fields(cls)))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The ports that phones are told, node by node.

    Attributes:
        default: for a node that has none of its own.
        by_node: node name -> its ports.
    """

    default: Ports = Ports()
    by_node: Mapping[str, Ports] = field(default_factory=dict)

    def of(self, node: str) -> Ports:
        """Ports of a node."""
        return self.by_node.get(node, self.default)

    def with_node(self, node: str, ports: Ports) -> Endpoints:
        """The same with one node's ports replaced."""
        return Endpoints(self.default, {**self.by_node, node: ports})
