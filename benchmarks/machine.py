"""Who works on which core, and processes under measurement: what they used of processor and memory.

A measured process is a module of this package. When it is ready it says so as one JSON object on one line (`announce`);
it may be asked more (`Measured.ask`, `commands`), and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cputime import CpuTime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_ROOT = Path(__file__).parent.parent
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_END_S = 10.0
_REST_S = 3.0


@dataclass(frozen=True, slots=True)
class Cores:
    """Where work is done; None where there is one core only.

    Attributes:
        load: for whoever makes load; the calling process is there.
        server: for what is measured.
    """

    load: int | None
    server: int | None

    def note(self) -> str:
        """For readers: what was kept apart, and how quiet the machine was a moment ago."""
        if self.server is None:
            return "There is one core only: server and load share it."
        before, asleep_s = core_busy_s(self.server), 1.0
        time.sleep(asleep_s)
        share = (core_busy_s(self.server) - before) / asleep_s
        return f"One core for the server, another for the load; others used {share:.0%} of the server's just before."


@contextmanager
def separate_cores() -> Iterator[Cores]:
    """Moves this process to one core and names another for servers; gives it as many descriptors as it may have."""
    allowed = os.sched_getaffinity(0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    try:
        if len(allowed) < 2:
            yield Cores(None, None)
        else:
            first, *_, last = sorted(allowed)
            os.sched_setaffinity(0, {first})
            yield Cores(first, last)
    finally:
        os.sched_setaffinity(0, allowed)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def core_busy_s(core: int) -> float:
    """Time that a core has worked so far, for whomever."""
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[:7])
            return (user + nice + system + irq + softirq) / _CLOCK_TICKS
    raise ValueError(f"there is no core {core}")


def rss_kib(pid: int | str = "self") -> int:
    """Resident memory of a process, KiB."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Measured:
    """A running process under measurement.

    Attributes:
        cpu: its processor time.
        said: what it announced.
    """

    def __init__(self, process: subprocess.Popen[str], cpu: CpuTime) -> None:
        self._process = process
        self.cpu = cpu
        self.said = self._read()

    def ask(self, command: str) -> dict[str, Any]:
        """Sends one line, returns the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._read()

    def rss_kib(self) -> int:
        """Resident memory, KiB."""
        return rss_kib(self._process.pid)

    def descriptors(self) -> int:
        """Open file descriptors at rest: the least of some seconds, in which the process sees who has hung up."""
        end, least = time.monotonic() + _REST_S, self._descriptors()
        while time.monotonic() < end:
            time.sleep(0.1)
            least = min(least, self._descriptors())
        return least

    def _descriptors(self) -> int:
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with status {self._process.wait(_END_S)}")
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def measured(core: int | None, module: str, *arguments: str) -> Iterator[Measured]:
    """Runs ``python -m benchmarks.<module>`` and waits until it is ready; ends it afterwards.

    Args:
        core: where it works.
        module: which.
        arguments: its command line.

    Raises:
        RuntimeError: it ended before it was ready.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        cwd=_ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    cpu = CpuTime(process.pid)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield Measured(process, cpu)
    finally:
        cpu.close()
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def announce(**facts: Any) -> None:
    """Tells the measuring process."""
    print(json.dumps(facts), flush=True)


async def commands() -> AsyncIterator[str]:
    """What the measuring process sends, line by line, to its end."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        yield line.strip()
