"""The command ``ucmsim``: called in this process, or started as a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab.cli import main
from tests.waiting import PATIENCE_S, until


@dataclass(frozen=True)
class Done:
    """What a shell would see."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def ucmsim(*arguments: object) -> Done:
    """Runs the command in this process: its imports are paid for once."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["ucmsim", *map(str, arguments)]
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = before
    assert isinstance(code, int), code
    return Done(code, out.getvalue(), err.getvalue())


def program() -> list[str]:
    """The installed command of this interpreter."""
    installed = Path(sys.executable).with_name("ucmsim")
    return [str(installed)] if installed.exists() else [sys.executable, "-c", "from lab.cli import main; main()"]


def run(*arguments: object, **options: Any) -> Done:
    """Runs the command as a process of its own."""
    done = subprocess.run(
        [*program(), *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S, check=False, **options
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Running:
    """``ucmsim up`` or ``ucmsim node`` as a process, killed at the latest when the test ends."""

    def __init__(self, *arguments: object, ready: Path, **options: Any) -> None:
        self.ready_file = ready
        self._output = ready.with_suffix(".out").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*program(), *map(str, arguments), "--ready-file", str(ready)],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            **options,
        )

    @property
    def output(self) -> str:
        return self.ready_file.with_suffix(".out").read_text("utf-8")

    def wait_until_ready(self) -> Self:
        for _ in until(self.ready_file.exists, lambda: f"{self.ready_file}; it said: {self.output}"):
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.output}")
        return self

    @property
    def listeners(self) -> list[dict[str, Any]]:
        found = json.loads(self.ready_file.read_text("utf-8"))["listeners"]
        assert isinstance(found, list)
        return found

    def address(self, node: str, protocol: str) -> str:
        """``HOST:PORT``"""
        (found,) = (item for item in self.listeners if (item["node"], item["protocol"]) == (node, protocol))
        return f"{found['host']}:{found['port']}"

    def phone_options(self, node: str) -> list[str]:
        """What a phone of this node's is started with."""
        ports = {name: self.address(node, name).rpartition(":")[2] for name in ("HTTP", "HTTPS (CallManager)")}
        return [
            *("--tftp", self.address(node, "TFTP")),
            *("--http-port", ports["HTTP"]),
            *("--https-port", ports["HTTPS (CallManager)"]),
        ]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self._output.close()


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without settings of the laboratory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UCMSIM_")}
    return {**kept, **more}
