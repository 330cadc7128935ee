"""Who is registered with a node: devices, their lines, and where each came from. Plain data with indexes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from wire.certificates import Certificate


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from.

    Attributes:
        transport: ``UDP``, ``TCP`` or ``TLS``.
        key: names the connection, or the address for UDP; answers and orders go there.
        certificate: what a TLS client showed; None without.
        cipher: OpenSSL's name of the TLS suite; empty without TLS.
        trunk_port: number that the cluster's definition has for the port, if it is one for trunks alone; else 0.
    """

    transport: str
    address: str
    port: int
    key: str
    certificate: Certificate | None = None
    cipher: str = ""
    trunk_port: int = 0


@dataclass(frozen=True, slots=True)
class CurrentLists:
    """SHA-1 checksums of the trust lists that the cluster's TFTP servers serve now."""

    ctl: frozenset[bytes] = frozenset()
    itl: frozenset[bytes] = frozenset()


class TrustListStatus(Enum):
    """How a phone's list compares with the servers', in the words of UCM's phone list (ITL File Status)."""

    MATCH = "Match"
    MISMATCH = "MisMatch"
    NOT_INSTALLED = "Not Installed"
    UNKNOWN = "Unknown"

    @classmethod
    def of(cls, reported: bytes | None, current: frozenset[bytes]) -> TrustListStatus:
        """Compares the checksum that a phone reported; None is what a phone without the list reports."""
        if reported is None:
            return cls.NOT_INSTALLED
        return cls.MATCH if reported in current else cls.MISMATCH


@dataclass(frozen=True, slots=True)
class LineBinding:
    """One registered directory number.

    Attributes:
        call_id: of the REGISTER that bound it.
        expires_at: when it ends unless it is renewed.
    """

    number: str
    contact_uri: str
    call_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered phone.

    Attributes:
        device: ``SEP<MAC>``.
        bindings: its registered lines, in the order in which they came; at least one.
        source: where it came from last.
        model: type number that the phone gave; empty when it gave none.
        since: when it registered first.
    """

    device: str
    bindings: tuple[LineBinding, ...]
    source: Source
    model: str
    since: datetime

    @property
    def lines(self) -> tuple[str, ...]:
        """Directory numbers that are registered."""
        return tuple(binding.number for binding in self.bindings)

    @property
    def contact_uri(self) -> str:
        """Where orders to the phone go."""
        return self.bindings[0].contact_uri

    @property
    def call_id(self) -> str:
        """Orders to the phone name it."""
        return self.bindings[0].call_id

    @property
    def expires_at(self) -> datetime:
        """When the last line ends unless it is renewed."""
        return max(binding.expires_at for binding in self.bindings)

    def with_lines(self, bindings: tuple[LineBinding, ...]) -> Registration:
        """With these bound anew, in their old places where they had one."""
        fresh = {binding.number: binding for binding in bindings}
        kept = tuple(fresh.pop(binding.number, binding) for binding in self.bindings)
        return replace(self, bindings=(*kept, *fresh.values()))

    def without(self, numbers: frozenset[str]) -> Registration | None:
        """Without these lines; None when none is left."""
        left = tuple(binding for binding in self.bindings if binding.number not in numbers)
        return replace(self, bindings=left) if left else None


class RegistrationTable:
    """Registrations by device, by connection and by Call-ID: a node with ten thousand phones looks none of them up."""

    def __init__(self) -> None:
        self._devices: dict[str, Registration] = {}
        self._connections: dict[str, set[str]] = {}
        self._calls: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._devices)

    def __iter__(self) -> Iterator[Registration]:
        return iter(list(self._devices.values()))

    def get(self, device: str) -> Registration | None:
        """The registration of a device."""
        return self._devices.get(device)

    def of_connection(self, key: str) -> list[Registration]:
        """Those that came over a connection."""
        return [self._devices[device] for device in sorted(self._connections.get(key, ()))]

    def of_call(self, call_id: str) -> Registration | None:
        """The one with a line that was bound by a REGISTER of that Call-ID."""
        device = self._calls.get(call_id)
        return None if device is None else self._devices[device]

    def put(self, registration: Registration) -> None:
        """Adds or replaces the registration of a device."""
        self.remove(registration.device)
        self._devices[registration.device] = registration
        self._connections.setdefault(registration.source.key, set()).add(registration.device)
        self._calls.update((binding.call_id, registration.device) for binding in registration.bindings)

    def remove(self, device: str) -> None:
        """Forgets the registration of a device, if there is one."""
        old = self._devices.pop(device, None)
        if old is None:
            return
        beside = self._connections[old.source.key]
        beside.discard(device)
        if not beside:
            del self._connections[old.source.key]
        for binding in old.bindings:
            if self._calls.get(binding.call_id) == device:
                del self._calls[binding.call_id]

    def clear(self) -> None:
        """Forgets all."""
        self._devices.clear()
        self._connections.clear()
        self._calls.clear()
