"""A DHCP client: RFC 2131, from DISCOVER to RELEASE, and INFORM for hosts that keep their address.

It never touches the machine's addresses and routes. A lease is something to look at: so long as the machine does not
have the address itself, all goes by broadcast, and a lease is extended by asking whether it may still be used (4.3.2,
INIT-REBOOT): answers to the address would not arrive. Real phones' waiting times are not known; those here are
the RFC's (4.1) where it has any.
"""

from __future__ import annotations

import asyncio
import errno
import math
import random
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from phone_sim.clients.errors import DhcpRefusal, DhcpSilence
from phone_sim.clients.interfaces import is_own
from phone_sim.lease import Lease, ServerOrigin
from wire.dhcp import CLIENT_PORT, SERVER_PORT, Message, MessageType, Operation, Option, as_address, decode, encode
from wire.errors import OperatorError, WireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from ipaddress import IPv4Address

    from base.trace import Trace
    from phone_sim.dhcpmessages import DhcpIdentity

BROADCAST = "255.255.255.255"
_MOST_WAITING = 64
_MOST_IGNORED = 50
_NO_PRIVILEGE = frozenset({errno.EACCES, errno.EPERM})
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class DhcpTimes:
    """How long the client waits, in seconds.

    Attributes:
        first_s: for an answer, before it sends again; doubled each time.
        longest_s: bound of that.
        jitter_s: each wait is longer or shorter by up to this.
        overall_s: for an exchange altogether.
        offers_s: for an offer with TFTP servers, when the first had none; also the pause after a NAK.
    """

    first_s: float = 4.0
    longest_s: float = 64.0
    jitter_s: float = 1.0
    overall_s: float = 30.0
    offers_s: float = 1.0


def waits(times: DhcpTimes) -> Iterator[float]:
    """Seconds to wait for an answer, time after time, without end (RFC 2131, 4.1)."""
    wait_s = times.first_s
    while True:
        yield wait_s + random.uniform(-times.jitter_s, times.jitter_s)
        wait_s = min(2 * wait_s, times.longest_s)


@dataclass(frozen=True, slots=True)
class Link:
    """Where the client speaks.

    Attributes:
        interface: that it is bound to; None for any, which needs no privilege.
        client_port: its own; 0 for any free one.
        server: where servers listen.
        server_port: likewise.
    """

    interface: str | None
    client_port: int = CLIENT_PORT
    server: str = BROADCAST
    server_port: int = SERVER_PORT

    def __str__(self) -> str:
        return self.interface or f"{self.server}:{self.server_port}"

    def open(self) -> socket.socket:
        """A socket there.

        Raises:
            OperatorError: not allowed, in use, or no such interface.
        """
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # other phones of this machine hear it too
            if self.interface is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode() + b"\0")
            sock.bind(("", self.client_port))
        except OSError as error:
            sock.close()
            raise OperatorError(self._problem(error)) from error
        return sock

    def _problem(self, error: OSError) -> str:
        if error.errno in _NO_PRIVILEGE:
            return (
                f"DHCP on {self} needs UDP port {self.client_port}, which this user may not bind: run as root, with "
                "CAP_NET_BIND_SERVICE and CAP_NET_RAW, or in a network namespace; or name the servers with --tftp"
            )
        return f"DHCP on {self} is not possible: UDP port {self.client_port}: {error.strerror}"


@dataclass(frozen=True, slots=True)
class _Refused:
    """A NAK."""

    server: str
    text: str


class DhcpClient:
    """The phone's DHCP client; one exchange at a time.

    Args:
        who: asks.
        link: where.
        times: how long it waits.
        trace: takes every message.
    """

    def __init__(self, who: DhcpIdentity, link: Link, *, times: DhcpTimes, trace: Trace) -> None:
        self._who, self._link, self._times, self._trace = who, link, times, trace

    async def lease(self) -> Lease:
        """DISCOVER, OFFER, REQUEST, ACK; begins again after a NAK.

        Raises:
            DhcpSilence: no offer, or no answer to the request, in time.
            DhcpRefusal: nothing but NAK until the time was over.
            OperatorError: the interface cannot be used.
        """
        async with self._talk() as talk:
            while True:
                offer = await talk.ask(self._who.discover(talk.xid), talk.offer)
                if not _names_servers(offer):
                    offer = await talk.listen(talk.offer_with_servers, self._times.offers_s) or offer
                request = self._who.request(talk.xid, offer.address, offer.server)
                answer: Lease | _Refused = await talk.ask(request, partial(talk.answer, of=offer.server))
                if isinstance(answer, Lease):
                    return answer
                if talk.left_s <= self._times.offers_s:
                    raise self._refusal(answer)
                await asyncio.sleep(self._times.offers_s)
                talk.begin_again()

    async def inform(self, address: IPv4Address) -> Lease:
        """Asks for everything but an address, for a machine that has this one.

        Raises:
            DhcpSilence: no answer in time.
            OperatorError: the interface cannot be used.
        """
        async with self._talk() as talk:
            return await talk.ask(self._who.inform(talk.xid, address), partial(talk.informed, own=address))

    async def confirm(self, lease: Lease) -> Lease:
        """After a reset: may the address still be used, and with what?

        Raises:
            DhcpSilence: no answer in time.
            DhcpRefusal: it may not.
            OperatorError: the interface cannot be used.
        """
        async with self._talk() as talk:
            return self._granted(await talk.ask(self._who.request(talk.xid, lease.address, None), talk.answer))

    async def extend(self, lease: Lease, *, rebind: bool, within_s: float) -> Lease:
        """Asks for more time: the server that gave the lease, or any (`rebind`).

        Args:
            lease: that is held.
            rebind: see above.
            within_s: bound of the exchange, beside the usual one.

        Raises:
            DhcpSilence: no answer in time.
            DhcpRefusal: the address may not be used any longer.
            OperatorError: the interface cannot be used.
        """
        async with self._talk(within_s) as talk:
            message, to = self._who.request(talk.xid, lease.address, None), None
            if is_own(lease.address):
                message, to = self._who.extend(talk.xid, lease.address), None if rebind else str(lease.server)
            return self._granted(await talk.ask(message, talk.answer, to))

    async def release(self, lease: Lease) -> None:
        """Gives the lease back; whether the server hears it is not known.

        Raises:
            OperatorError: the interface cannot be used.
        """
        async with self._talk() as talk:
            to = str(lease.server) if is_own(lease.address) else None
            talk.send(self._who.release(talk.xid, lease.address, lease.server), to)

    @asynccontextmanager
    async def _talk(self, within_s: float = math.inf) -> AsyncIterator[_Talk]:
        ears, times = _Ears(), replace(self._times, overall_s=min(self._times.overall_s, within_s))
        sock = self._link.open()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: ears, sock=sock)
        try:
            yield _Talk(self._who, self._link, times, self._trace, transport, ears)
        finally:
            transport.close()

    def _granted(self, answer: Lease | _Refused) -> Lease:
        if isinstance(answer, _Refused):
            raise self._refusal(answer)
        return answer

    def _refusal(self, refused: _Refused) -> DhcpRefusal:
        reason = f": {refused.text}" if refused.text else ""
        return DhcpRefusal(f"DHCP server {refused.server} on {self._link} refuses the address{reason}")


def _names_servers(offer: Lease) -> bool:
    """Not by ``siaddr``: many servers put themselves there unasked."""
    return offer.tftp[0] in {ServerOrigin.OPTION_150, ServerOrigin.OPTION_66}


class _Ears(asyncio.DatagramProtocol):
    """Keeps what arrives; beyond `_MOST_WAITING` it is lost, as on a busy wire."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[bytes, tuple[str, int]] | OSError] = asyncio.Queue(_MOST_WAITING)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.heard.full():
            self.heard.put_nowait((data, addr))

    def error_received(self, exc: Exception) -> None:
        if not self.heard.full() and isinstance(exc, OSError):
            self.heard.put_nowait(exc)


class _Talk:
    """One exchange: what is sent with one ``xid``, and the answers to it."""

    def __init__(
        self,
        who: DhcpIdentity,
        link: Link,
        times: DhcpTimes,
        trace: Trace,
        transport: asyncio.DatagramTransport,
        ears: _Ears,
    ) -> None:
        self._who, self._link, self._times, self._trace = who, link, times, trace
        self._transport, self._heard = transport, ears.heard
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._ignored = self._secs = 0
        self.xid = random.getrandbits(32)

    @property
    def left_s(self) -> float:
        """Time that is left for the exchange."""
        return self._began + self._times.overall_s - self._loop.time()

    def begin_again(self) -> None:
        """Old answers count no longer."""
        self.xid = random.getrandbits(32)

    async def ask(self, message: Message, wanted: Callable[[Message], _V | None], to: str | None = None) -> _V:
        """Sends, and again with back-off, until an answer is what is wanted.

        Raises:
            DhcpSilence: it did not come in time.
        """
        for wait_s in waits(self._times):
            if (left_s := self.left_s) <= 0:
                break
            self.send(message, to)
            answer = await self.listen(wanted, min(wait_s, left_s))
            if answer is not None:
                return answer
        kind = MessageType(message.type or 0).name
        raise DhcpSilence(f"no DHCP server on {self._link} answers in {self._times.overall_s:g} s ({kind})")

    def send(self, message: Message, to: str | None = None) -> None:
        """Sends once. All that follows a DISCOVER has its ``secs`` (RFC 2131, 4.4.1)."""
        if message.type != MessageType.REQUEST:
            self._secs = min(int(self._loop.time() - self._began), 0xFFFF)
        where = (to or self._link.server, self._link.server_port)
        kind = MessageType(message.type or 0).name
        self._trace.emit("dhcp_sent", type=kind, xid=f"{message.xid:08x}", to=f"{where[0]}:{where[1]}")
        self._transport.sendto(encode(replace(message, secs=self._secs)), where)

    async def listen(self, wanted: Callable[[Message], _V | None], seconds: float) -> _V | None:
        """The first answer that is what is wanted; None when there is none in that time."""
        until = self._loop.time() + seconds
        while (left_s := until - self._loop.time()) > 0:
            try:
                heard = await asyncio.wait_for(self._heard.get(), left_s)
            except TimeoutError:
                break
            if isinstance(heard, OSError):
                raise DhcpSilence(f"nothing can be sent on {self._link}, which may be down: {heard.strerror or heard}")
            found = self._read(*heard, wanted)
            if found is not None:
                return found
        return None

    def _read(self, data: bytes, peer: tuple[str, int], wanted: Callable[[Message], _V | None]) -> _V | None:
        try:
            message = decode(data)
            if (message.op, message.xid, message.chaddr) != (Operation.REPLY, self.xid, self._who.hardware):
                return None  # to somebody else: all of them hear it
            found = wanted(message)
        except WireError as error:
            self._ignore(str(error), peer)
            return None
        kind = MessageType(message.type).name if message.type in set(MessageType) else "BOOTP"
        if found is None:
            self._ignore(f"{kind} was not asked for", peer)
        else:
            self._trace.emit("dhcp_received", type=kind, xid=f"{message.xid:08x}", server=peer[0])
        return found

    def _ignore(self, why: str, peer: tuple[str, int]) -> None:
        self._ignored += 1
        if self._ignored <= _MOST_IGNORED:
            self._trace.emit("dhcp_ignored", reason=why, server=peer[0])

    # --- what an answer may be ---

    def offer(self, message: Message) -> Lease | None:
        """Any offer."""
        return Lease.of(message) if message.type == MessageType.OFFER else None

    def offer_with_servers(self, message: Message) -> Lease | None:
        """An offer that says where TFTP servers are."""
        offer = self.offer(message)
        return offer if offer is not None and _names_servers(offer) else None

    def answer(self, message: Message, of: IPv4Address | None = None) -> Lease | _Refused | None:
        """ACK or NAK of that server, or of any."""
        if message.type not in {MessageType.ACK, MessageType.NAK}:
            return None
        server = as_address("option 54", message.option(Option.SERVER_IDENTIFIER) or b"")
        if of not in {None, server}:
            return None
        if message.type == MessageType.ACK:
            return Lease.of(message)
        return _Refused(str(server), (message.option(Option.MESSAGE) or b"").decode("ascii", "replace"))

    def informed(self, message: Message, own: IPv4Address) -> Lease | None:
        """ACK to an INFORM."""
        return Lease.of(message, own) if message.type == MessageType.ACK else None
