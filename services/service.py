"""What every daemon of a node promises to its supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cluster.servicecatalogue import Health

__all__ = ["Health", "Listener", "Service"]


@dataclass(frozen=True, slots=True)
class Listener:
    """One bound socket.

    Attributes:
        protocol: what is spoken there, for people: ``TFTP``, ``HTTP``, ``HTTPS``, ``TVS``.
        transport: ``udp`` or ``tcp``.
        host: address bound.
        port: port bound, never 0.
    """

    protocol: str
    transport: str
    host: str
    port: int


class Service(Protocol):
    """A daemon with UCM's name for it."""

    @property
    def name(self) -> str:
        """As UCM's service list prints it, e.g. ``Cisco Trust Verification Service``."""
        ...

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What is bound now; empty when stopped."""
        ...

    async def start(self) -> None:
        """Loads the identity, binds, and returns when clients are served.

        Raises:
            OperatorError: the port is in use, the address not there, or permission missing. Nothing stays bound.
        """
        ...

    async def stop(self, grace_s: float) -> None:
        """Closes listeners at once, lets work in progress finish for at most `grace_s`, then drops it. Idempotent."""
        ...

    def health(self) -> Health:
        """Instant; never waits."""
        ...
