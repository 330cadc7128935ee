"""Why an address could not be bound, in one sentence that says what to do."""

from __future__ import annotations

import errno

from wire.errors import OperatorError


class BindingError(OperatorError):
    """An address that cannot be bound.

    Attributes:
        moving_helps: another port would do: this one is taken or privileged.
    """

    def __init__(self, message: str, *, moving_helps: bool) -> None:
        super().__init__(message)
        self.moving_helps = moving_helps


def binding_error(error: OSError, what: str, host: str, port: int) -> BindingError:
    """Translates the system's error.

    Args:
        error: from ``bind`` or ``listen``.
        what: who wanted the port, e.g. ``TFTP``.
        host: address.
        port: port.
    """
    where = f"{what} cannot listen on {host} port {port}"
    if error.errno == errno.EADDRINUSE:
        return BindingError(
            f"{where}: the port is in use; stop the program that has it, or move all ports with --port-offset",
            moving_helps=True,
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return BindingError(
            f"{where}: no permission for a port below 1024; run as root, or move all ports with --port-offset",
            moving_helps=True,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return BindingError(
            f"{where}: this machine has no such address; correct 'address' (or set 'bind') of the node",
            moving_helps=False,
        )
    return BindingError(f"{where}: {error.strerror or error}", moving_helps=False)
