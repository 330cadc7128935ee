"""Where the phone's files come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

TFTP_PORT, HTTP_PORT, HTTPS_PORT = 69, 6970, 6971


@dataclass(frozen=True, slots=True)
class TftpServer:
    """One TFTP server of the phone's list (DHCP option 150), with the ports of its other transports.

    Attributes:
        host: name or address.
        tftp_port: UDP.
        http_port: TCP, plain.
        https_port: TCP, TLS with the CallManager certificate.
    """

    host: str
    tftp_port: int = TFTP_PORT
    http_port: int = HTTP_PORT
    https_port: int = HTTPS_PORT

    @classmethod
    def at(cls, host: str, tftp_port: int = TFTP_PORT) -> TftpServer:
        """A server of a laboratory whose ports are all moved up by the same offset.

        Real phones know port 69 only; that the others move by the same offset is this project's rule.
        """
        offset = tftp_port - TFTP_PORT
        return cls(host, tftp_port, HTTP_PORT + offset, HTTPS_PORT + offset)


class ServerSource(Protocol):
    """Tells a phone its TFTP servers each time it boots."""

    async def servers(self) -> tuple[TftpServer, ...]:
        """At least one, first choice first.

        Raises:
            DhcpError: they cannot be found out.
        """
        ...


@dataclass(frozen=True, slots=True)
class GivenServers:
    """Servers that a person typed in ("Alternate TFTP" of a phone's settings); always the same.

    Attributes:
        given: at least one.
    """

    given: tuple[TftpServer, ...]

    async def servers(self) -> tuple[TftpServer, ...]:
        """See `ServerSource.servers`."""
        return self.given
