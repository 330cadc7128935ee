"""SIP trunks of a cluster."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cluster.consistency import DEFAULT_GROUP, trunk_port
from cluster.modelbase import Address, Model, Port, Text


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
