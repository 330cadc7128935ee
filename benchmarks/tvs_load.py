"""A load generator for TVS: blocking clients in threads, a new TLS connection for each question, as phones do.

The cryptography of a client is cheap beside the server's, and OpenSSL lets other threads run meanwhile.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.tls import client_context

if TYPE_CHECKING:
    from collections.abc import Callable

_HOST = "127.0.0.1"
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator did.

    Attributes:
        done: exchanges that ended as they should.
        failed: all others.
        seconds: wall-clock time of the run.
    """

    done: int
    failed: int
    seconds: float


def phone_context(*, tickets: bool = True) -> ssl.SSLContext:
    """TLS 1.2 as a phone offers it; no session is ever resumed.

    Args:
        tickets: whether it offers session tickets; a server has to remember the sessions of clients that do not.
    """
    context = client_context(maximum=ssl.TLSVersion.TLSv1_2)
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    return context


def negotiated(port: int, context: ssl.SSLContext) -> str:
    """What a connection to that port agrees on, for people."""
    with socket.create_connection((_HOST, port), _PATIENCE_S) as plain, context.wrap_socket(plain) as tls:
        return f"{tls.version()}, {(tls.cipher() or ('none',))[0]}"


def run_load(
    port: int,
    context: ssl.SSLContext,
    question: Callable[[int], bytes] | None,
    answered: Callable[[bytes], bool] = lambda _answer: True,
    *,
    clients: int = 16,
    seconds: float = 60.0,
    most: int = 1_000_000_000,
    first: int = 0,
) -> Load:
    """Connects again and again.

    Args:
        port: on 127.0.0.1.
        context: how.
        question: gives the bytes of the n-th question; None for a handshake and nothing after it.
        answered: judges an answer.
        clients: at once.
        seconds: no exchange begins later.
        most: no more exchanges than these.
        first: number of the first question.
    """
    numbers = iter(range(first, first + most))
    lock = threading.Lock()
    results = {True: 0, False: 0}
    end = time.monotonic() + seconds

    def client() -> None:
        good = bad = 0
        while time.monotonic() < end:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            message = question(number) if question is not None else None
            if _exchange(port, context, message, answered):
                good += 1
            else:
                bad += 1
        with lock:
            results[True] += good
            results[False] += bad

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(results[True], results[False], time.monotonic() - begun)


def _exchange(port: int, context: ssl.SSLContext, message: bytes | None, answered: Callable[[bytes], bool]) -> bool:
    try:
        with socket.create_connection((_HOST, port), _PATIENCE_S) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain) as tls:
                if message is None:
                    return True
                tls.sendall(message)
                return answered(tls.recv(16_384))
    except OSError:
        return False
