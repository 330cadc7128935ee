"""How fetching a file can end other than with the file, the same for every transport."""

from __future__ import annotations

from wire.errors import UcmsimError


class FetchError(UcmsimError):
    """A file could not be fetched; the message names server, transport and file."""


class FileNotFoundOnServer(FetchError):  # noqa: N818
    """The server answered that it has no such file (HTTP 404, TFTP error 1)."""


class ServerUnreachable(FetchError):  # noqa: N818
    """Nobody answered: connection refused, no route, or silence until the time-out."""


class HostUnknown(ServerUnreachable):
    """The server's name has no address."""


class TransferFailed(FetchError):  # noqa: N818
    """The server answered, but not with a whole file: another status or error code, broken, or oversized."""


class ServerRefused(FetchError):  # noqa: N818
    """The phone itself ended the connection before it asked: it does not trust the server's certificate."""


class DhcpError(UcmsimError):
    """The phone has no lease, or could not keep the one that it has; the message names the interface."""


class DhcpSilence(DhcpError):  # noqa: N818
    """No DHCP server answered in time, or nothing can be sent."""


class DhcpRefusal(DhcpError):  # noqa: N818
    """A DHCP server said NAK: the address is not the phone's to use."""
