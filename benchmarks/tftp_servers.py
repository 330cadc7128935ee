"""The TFTP servers that are compared, each as a process of its own that serves one folder on one port."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cputime import CpuTime

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "ucmsim"
OURS_SINGLE_PORT = "ucmsim, single port"
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Command = Callable[[Path, int], list[str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that can be measured.

    Attributes:
        name: for the table.
        command: the command line for a folder and a port.
        needs: a program or, with ``module:``, a Python module; skipped when it is not there.
        port: the one port it can serve; 0 when any will do.
        forks: makes processes that only an exact `CpuTime` counts.
    """

    name: str
    command: Command
    needs: str = ""
    port: int = 0
    forks: bool = False

    @property
    def missing(self) -> str:
        """Why it cannot be measured here; empty when it can."""
        if not self.needs:
            return ""
        if self.needs.startswith("module:"):
            module = self.needs.removeprefix("module:")
            return "" if importlib.util.find_spec(module) else f"Python module {module} is not installed"
        return "" if _program(self.needs) else f"{self.needs} is not installed"


def _program(name: str) -> str:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or ""


def _here(kind: str) -> Command:
    return lambda folder, port: [sys.executable, "-m", "benchmarks.tftp_servers", kind, str(folder), str(port)]


def _tftpd_hpa(folder: Path, port: int) -> list[str]:
    user = "root" if os.geteuid() == 0 else "nobody"
    return [
        _program("in.tftpd"), "--foreground", "--listen", "--secure", "--user", user,
        "--address", f"127.0.0.1:{port}", str(folder),
    ]  # fmt: skip


def _dnsmasq(folder: Path, _port: int) -> list[str]:
    return [
        _program("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
        "--enable-tftp", f"--tftp-root={folder}", "--tftp-max=2000", "--listen-address=127.0.0.1",
        "--bind-interfaces", "--pid-file=", "--log-facility=/dev/null",
    ]  # fmt: skip


def _py3tftp(_folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "py3tftp", "--host", "127.0.0.1", "--port", str(port)]


PEERS = (
    Peer(OURS, _here("ours")),
    Peer(OURS_SINGLE_PORT, _here("ours-single-port")),
    Peer("tftpy", _here("tftpy"), "module:tftpy"),
    Peer("tftpd-hpa", _tftpd_hpa, "in.tftpd", forks=True),
    Peer("py3tftp", _py3tftp, "module:py3tftp"),
    Peer("dnsmasq", _dnsmasq, "dnsmasq", 69),
)


class Server:
    """A running server.

    Attributes:
        address: where it listens.
        cpu: its processor time.
    """

    def __init__(self, process: subprocess.Popen[bytes], address: tuple[str, int], cpu: CpuTime) -> None:
        self._process = process
        self.address = address
        self.cpu = cpu

    def rss_kib(self) -> int:
        """Resident memory of the process, KiB."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def descriptors(self) -> int:
        """Open file descriptors of the process."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))


def core_busy_s(core: int) -> float:
    """Time that a core has worked so far, for whomever."""
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[:7])
            return (user + nice + system + irq + softirq) / _CLOCK_TICKS
    raise ValueError(f"there is no core {core}")


def free_port() -> int:
    """A UDP port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(peer: Peer, folder: Path, probe: str, core: int | None) -> Iterator[Server]:
    """Starts a server, waits until it delivers `probe`, and ends it afterwards.

    Raises:
        RuntimeError: it ended, did not answer within five seconds, or cannot be measured.
    """
    port = peer.port or free_port()
    process = subprocess.Popen(
        peer.command(folder, port), cwd=folder, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    cpu = CpuTime(process.pid)
    try:
        if peer.forks and not cpu.exact:
            raise RuntimeError("forks, and the processor time of ended processes cannot be had here")
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        _wait_until_it_answers(process, port, probe)
        yield Server(process, ("127.0.0.1", port), cpu)
    finally:
        cpu.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, probe: str) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"ended at once with status {process.returncode}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.sendto(b"\0\1" + probe.encode("ascii") + b"\0octet\0", ("127.0.0.1", port))
            try:
                answer, peer = sock.recvfrom(1_024)
            except OSError:
                continue
            sock.sendto(b"\0\5\0\0ready\0", peer)
            if answer[:2] == b"\0\3":
                return
            raise RuntimeError(f"answered {answer[:40]!r}")
    raise RuntimeError("did not answer within 5 s")


class _Folder:
    """A `FileSource` over a folder that was read once, as a cluster's files are in memory."""

    def __init__(self, folder: Path) -> None:
        self._files = {path.name: path.read_bytes() for path in folder.iterdir()}

    def read(self, name: str, _peer: str, _transport: str) -> bytes:
        from wire.errors import Refusal

        if name not in self._files:
            raise Refusal(1, "File not found")
        return self._files[name]


async def _serve_ours(folder: Path, port: int, *, single_port: bool) -> None:
    from base.trace import Trace
    from services.tftp.udp import TftpDaemon

    daemon = TftpDaemon(_Folder(folder), "127.0.0.1", port, trace=Trace(), single_port=single_port)
    await daemon.start()
    await asyncio.Event().wait()


def _serve_tftpy(folder: Path, port: int) -> None:
    import tftpy

    tftpy.TftpServer(str(folder)).listen("127.0.0.1", port)


def main() -> None:
    """Serves a folder: KIND FOLDER PORT."""
    kind, folder, port = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if kind == "tftpy":
        _serve_tftpy(folder, port)
    else:
        asyncio.run(_serve_ours(folder, port, single_port=kind == "ours-single-port"))


if __name__ == "__main__":
    main()
