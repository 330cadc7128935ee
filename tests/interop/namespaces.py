"""A network of two machines that is no part of this one: network namespaces joined by a cable."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.conftest import IN_CI, require_tool
from tests.interop.outside import PATIENCE_S, Ran

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER, PHONE = "10.77.0.1", "10.77.0.9"
"""Addresses of the servers' machine and of the one that phones run on."""


@dataclass
class Machine:
    """One namespace.

    Attributes:
        name: of the namespace.
        interface: its end of the cable.
    """

    name: str
    interface: str
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *arguments: object) -> list[str]:
        return [require_tool("ip"), "netns", "exec", self.name, *map(str, arguments)]

    def run(self, *arguments: object) -> Ran:
        done = subprocess.run(self.command(*arguments), capture_output=True, timeout=PATIENCE_S, check=False)
        return Ran(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))

    def ip(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)

    def start(self, *arguments: object, output: Path) -> subprocess.Popen[bytes]:
        """Starts a program that lives as long as the machine, unless ended before; its keyboard is a pipe."""
        with output.open("ab") as stream:
            process = subprocess.Popen(
                self.command(*arguments), stdin=subprocess.PIPE, stdout=stream, stderr=stream, start_new_session=True
            )
        self._processes.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE_S)
        if process.stdin is not None:
            process.stdin.close()

    def end_all(self) -> None:
        while self._processes:
            self.end(self._processes.pop())


@dataclass
class Cable:
    """Two machines and what joins them."""

    servers: Machine
    phones: Machine


def _ip(*arguments: str) -> None:
    done = subprocess.run([require_tool("ip"), *arguments], capture_output=True, timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.decode().strip()}")


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """Two machines, the servers' with an address, the phones' without; all of it is gone in the end.

    Without the privilege for it, it skips locally and fails in CI.
    """
    mark = secrets.token_hex(4)
    machines = Machine(f"ucmsim-s-{mark}", f"s{mark}"), Machine(f"ucmsim-p-{mark}", f"p{mark}")
    servers, phones = machines
    with contextlib.ExitStack() as stack:
        try:
            for machine in machines:
                _ip("netns", "add", machine.name)
                stack.callback(subprocess.run, [require_tool("ip"), "netns", "del", machine.name], check=False)
                stack.callback(machine.end_all)
                machine.ip("link", "set", "lo", "up")
            servers.ip(
                *("link", "add", servers.interface, "type", "veth"),
                *("peer", "name", phones.interface, "netns", phones.name),
            )
        except OSError as error:
            if IN_CI:
                pytest.fail(f"CI has to allow network namespaces: {error}")
            pytest.skip(f"network namespaces are not allowed here: {error}")
        servers.ip("addr", "add", f"{SERVER}/24", "dev", servers.interface)
        for machine in machines:
            machine.ip("link", "set", machine.interface, "up")
        yield Cable(servers, phones)
