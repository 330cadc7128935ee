"""``ucmsim phone run`` as a process, with its screen and its keys."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.lab.command import clean_environment, program
from tests.shared_lab import PUB
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from tests.shared_lab import SharedLab


class RunningPhone:
    """``ucmsim phone run`` as a process of its own."""

    def __init__(self, lab: SharedLab, folder: Path, *arguments: str, keyboard: bool = True) -> None:
        ports = lab.ports(PUB)
        self._output = (folder / "phone.out").open("w+", encoding="utf-8")
        command = ["phone", "run", "--mac", "001122334455", "--tftp", f"127.0.0.1:{ports.tftp}"]
        command += ["--http-port", str(ports.http), "--https-port", str(ports.https), *arguments]
        self.process = subprocess.Popen(
            [*program(), *command],
            stdin=subprocess.PIPE if keyboard else subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=clean_environment(COLUMNS="200"),
            text=True,
        )

    @property
    def screen(self) -> str:
        return Path(self._output.name).read_text("utf-8")

    def shows(self, text: str, times: int = 1) -> None:
        """Waits until it does."""
        for _ in until(lambda: self.screen.count(text) >= times, lambda: f"{times} x {text!r} on {self.screen}"):
            assert self.process.poll() is None, self.screen

    def press(self, key: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(key + "\n")
        self.process.stdin.flush()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._output.close()
