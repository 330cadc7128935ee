"""Processor time of a process and of all that it starts, those that have ended too.

The kernel forgets what a child used when its parent ignores ``SIGCHLD``, as tftpd-hpa does with its process for each
transfer. A software performance counter that children inherit does not forget, and counts nanoseconds, not ticks.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from pathlib import Path

_SYSCALLS = {"x86_64": 298, "aarch64": 241}
_SOFTWARE, _TASK_CLOCK = 1, 1
_INHERIT = 1 << 1
_ATTRIBUTES_SIZE = 112
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class CpuTime:
    """Counts from its making on; make it before the process starts children or threads.

    Attributes:
        exact: whether the system lets us have the counter. Otherwise it is the time of the process alone, in ticks.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._counter = _counter(pid)
        self.exact = self._counter >= 0

    def seconds(self) -> float:
        """So far, of user and kernel."""
        if self.exact:
            nanoseconds: int = struct.unpack("Q", os.read(self._counter, 8))[0]
            return nanoseconds / 1e9
        # The list starts with field 3 of proc(5); utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{self._pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def close(self) -> None:
        """Gives the counter back."""
        if self.exact:
            os.close(self._counter)


def _counter(pid: int) -> int:
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        return -1
    attributes = struct.pack("IIQQQQQ", _SOFTWARE, _ATTRIBUTES_SIZE, _TASK_CLOCK, 0, 0, 0, _INHERIT)
    buffer = ctypes.create_string_buffer(attributes, _ATTRIBUTES_SIZE)
    descriptor: int = ctypes.CDLL(None).syscall(number, buffer, pid, -1, -1, 0)
    return descriptor
