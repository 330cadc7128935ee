"""The machine's network interfaces, as far as a phone needs to know them (Linux)."""

from __future__ import annotations

import fcntl
import socket
import struct
from ipaddress import IPv4Address

from wire.errors import OperatorError

AUTO = "auto"
_SIOCGIFADDR = 0x8915
_REQUEST = struct.Struct("16s16s")


def interface(name: str) -> str:
    """The interface of that name; with ``auto`` the only one there is beside loopback.

    Raises:
        OperatorError: there is none, or more than one to choose from.
    """
    there = [found for _, found in socket.if_nameindex()]
    if name != AUTO:
        if name not in there:
            raise OperatorError(f"there is no network interface {name!r} here, only {', '.join(there)}")
        return name
    others = [found for found in there if found != "lo"]
    if len(others) != 1:
        raise OperatorError(f"name the network interface for DHCP; there are {', '.join(others) or 'none but lo'}")
    return others[0]


def address_of(name: str) -> IPv4Address:
    """First IPv4 address of an interface.

    Raises:
        OperatorError: it has none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFADDR, _REQUEST.pack(name.encode(), b""))
        except OSError as error:
            raise OperatorError(f"interface {name} has no IPv4 address to keep: {error.strerror}") from error
    return IPv4Address(_REQUEST.unpack(answer)[1][4:8])


def is_own(address: IPv4Address) -> bool:
    """Whether this machine has the address, on whichever interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
