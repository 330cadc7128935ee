"""A command on a node's command line elsewhere, over SSH."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import shutil
import sys
import termios
import threading
import tty
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from services.commandline.shell import ASSUME_YES
from wire.errors import OperatorError, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_S = 10.0
_CHUNK = 65_536


class Unreachable(OperatorError):  # noqa: N818 - what it is called everywhere here
    """The server did not answer, or broke off."""


@dataclass(frozen=True, slots=True)
class RemoteNode:
    """Where and as whom.

    Attributes:
        password: never printed.
        accept_host_key: whatever key the server shows is taken; on loopback addresses it always is.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    accept_host_key: bool = False


async def run_remotely(node: RemoteNode, command: str, *, assume_yes: bool, kept: list[str] | None) -> int:
    """Runs a command there and shows what it says; questions are answered here.

    Args:
        node: where.
        command: as typed at the prompt.
        assume_yes: confirmations are answered without asking.
        kept: takes the output instead of stdout; then nothing is asked here either.

    Returns:
        The exit status: 0 done, 1 refused, 2 no such command.

    Raises:
        Unreachable: no connection, or it broke.
        Refusal: the log-in is refused.
        OperatorError: the host key is not known.
    """
    terminal = kept is None and sys.stdin.isatty() and sys.stdout.isatty()
    where = f"{node.host} port {node.port}"
    try:
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(CONNECT_S):
                connection = await stack.enter_async_context(_connect(node))
            process = await stack.enter_async_context(
                await connection.create_process(
                    command,
                    env={ASSUME_YES: "1"} if assume_yes else {},
                    term_type=os.environ.get("TERM", "vt100") if terminal else None,
                    term_size=shutil.get_terminal_size() if terminal else (0, 0),
                    errors="replace",
                )
            )
            if terminal:
                stack.enter_context(_raw_terminal(process))
            elif kept is None:
                _feed_lines(process)
            else:
                process.stdin.write_eof()
            await _show(process, kept)
            await process.wait_closed()
            if process.exit_status is None:
                raise Unreachable(f"{where}: the connection was lost before the command ended")
            return process.exit_status
    except asyncssh.PermissionDenied as error:
        raise Refusal(403, f"{where} refuses the user or the password") from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise OperatorError(
            f"the host key of {where} is not in your known_hosts: connect with ssh once, or give --accept-host-key"
        ) from error
    except asyncssh.ChannelOpenError as error:
        raise Refusal(409, f"{where}: {error.reason}") from error
    except (TimeoutError, asyncssh.Error, OSError) as error:
        raise Unreachable(f"{where} is not reached: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, asyncssh.Error):
        return error.reason
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error) or f"no answer within {CONNECT_S:g} s"


def _connect(node: RemoteNode) -> contextlib.AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    trusting = node.accept_host_key or _is_loopback(node.host)
    known_hosts = {"known_hosts": None} if trusting else {}
    connecting: contextlib.AbstractAsyncContextManager[asyncssh.SSHClientConnection] = asyncssh.connect(
        node.host,
        node.port,
        username=node.user,
        password=node.password,
        client_keys=None,
        agent_path=None,
        config=None,
        **known_hosts,
    )
    return connecting


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _show(process: asyncssh.SSHClientProcess[str], kept: list[str] | None) -> None:
    while chunk := await process.stdout.read(_CHUNK):
        if kept is not None:
            kept.append(chunk)
        else:
            sys.stdout.write(chunk)
            sys.stdout.flush()


def _feed_lines(process: asyncssh.SSHClientProcess[str]) -> None:
    """Sends stdin on, from a thread that nobody waits for: what is at its other end may stay open for ever."""
    loop = asyncio.get_running_loop()

    def send(line: str) -> None:
        with contextlib.suppress(OSError):
            if line:
                process.stdin.write(line)
            else:
                process.stdin.write_eof()

    def read() -> None:
        line = "-"
        while line:
            try:
                line = sys.stdin.readline()
                loop.call_soon_threadsafe(send, line)
            except (RuntimeError, OSError, ValueError):  # the command has ended
                return

    threading.Thread(target=read, daemon=True).start()


@contextlib.contextmanager
def _raw_terminal(process: asyncssh.SSHClientProcess[str]) -> Iterator[None]:
    """Every key goes to the other side, which echoes and edits."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def typed() -> None:
        with contextlib.suppress(OSError):
            process.stdin.write(os.read(descriptor, 1024).decode("utf-8", "replace"))

    try:
        tty.setraw(descriptor)
        loop.add_reader(descriptor, typed)
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
