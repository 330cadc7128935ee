"""Where a phone has its TFTP servers from, as the command line says: typed in, or from DHCP."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lab.dhcp import dhcp_network
from lab.options import host_and_port

if TYPE_CHECKING:
    from base.trace import Trace
    from phone_sim.models import Model
    from phone_sim.network import DhcpNetwork
    from phone_sim.servers import TftpServer

_TFTP = typer.Option(
    "--tftp",
    metavar="HOST[:PORT]",
    help="TFTP server, as typed in on a phone without DHCP; repeat for a list. With a port other than 69, HTTP and "
    "HTTPS are expected as far from 6970 and 6971.",
)
TftpOption = Annotated[list[str] | None, _TFTP]
RequiredTftpOption = Annotated[list[str], _TFTP]
DhcpOption = Annotated[
    str | None,
    typer.Option(
        "--dhcp",
        metavar="INTERFACE",
        help="Ask DHCP on this network interface for the TFTP servers, instead of --tftp; 'auto' is the only one "
        "beside lo. The machine's own address stays as it is.",
    ),
]
InformOption = Annotated[
    bool, typer.Option("--inform", help="Lease no address from DHCP: keep the interface's own, ask for the rest.")
]
TftpPortOption = Annotated[
    int | None,
    typer.Option(
        "--tftp-port",
        help="TFTP port of the servers that DHCP names; real phones know 69 only. HTTP and HTTPS are expected as far "
        "from 6970 and 6971.",
        min=1,
        max=65_535,
    ),
]
HttpPortOption = Annotated[int | None, typer.Option("--http-port", help="HTTP port of the servers.", min=1, max=65_535)]
HttpsPortOption = Annotated[
    int | None, typer.Option("--https-port", help="HTTPS port of the servers.", min=1, max=65_535)
]


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """These options; without a port the usual one.

    Attributes:
        tftp: ``HOST`` or ``HOST:PORT`` of each server; empty with DHCP.
        dhcp: network interface, or ``auto``; None without DHCP.
        tftp_port: of servers that DHCP names.
        http_port: of all servers.
        https_port: likewise.
        inform: lease no address.

    Raises:
        typer.BadParameter: they do not go together.
    """

    tftp: list[str]
    dhcp: str | None
    tftp_port: int | None
    http_port: int | None
    https_port: int | None
    _: KW_ONLY
    inform: bool

    def __post_init__(self) -> None:
        if bool(self.tftp) == (self.dhcp is not None):
            raise typer.BadParameter("give either --tftp HOST or --dhcp INTERFACE: where the TFTP servers come from")
        if self.dhcp is None and (self.inform or self.tftp_port is not None):
            raise typer.BadParameter("--inform and --tftp-port belong to --dhcp; with --tftp write HOST:PORT")

    @property
    def servers(self) -> list[TftpServer]:
        """Those that are typed in.

        Raises:
            typer.BadParameter: one is not.
        """
        from phone_sim.servers import TFTP_PORT

        return [self._at(*host_and_port(text, TFTP_PORT)) for text in self.tftp]

    def network(self, mac: str, model: Model, trace: Trace) -> DhcpNetwork | None:
        """DHCP, for a phone; None without.

        Raises:
            typer.BadParameter: no port is left for HTTP.
            OperatorError: the interface cannot be used.
        """
        from phone_sim.servers import TFTP_PORT

        if self.dhcp is None:
            return None
        server_at = partial(self._at, port=self.tftp_port or TFTP_PORT)
        server_at("servers of DHCP")  # so that a port that does not fit is told before anybody is asked
        return dhcp_network(self.dhcp, mac, model.name, server_at, trace, inform=self.inform)

    def _at(self, host: str, port: int) -> TftpServer:
        from phone_sim.servers import TftpServer

        usual = TftpServer.at(host, port)
        if not 1 <= usual.http_port <= 65_534 and self.http_port is None:
            raise typer.BadParameter(f"{host}: no HTTP port can be derived from port {port}; give --http-port")
        return TftpServer(host, port, self.http_port or usual.http_port, self.https_port or usual.https_port)
