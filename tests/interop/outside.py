"""Programs of others, run as a person would run them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from tests.conftest import require_tool

PATIENCE_S = 60


@dataclass(frozen=True)
class Ran:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "replace")


def tool(name: str, *arguments: object, data: bytes = b"") -> Ran:
    done = subprocess.run(
        [require_tool(name), *map(str, arguments)], input=data, capture_output=True, timeout=PATIENCE_S, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def fingerprint(pem: bytes | str) -> str:
    """SHA-256 of the first certificate in a text, as openssl computes it."""
    data = pem.encode() if isinstance(pem, str) else pem
    ran = tool("openssl", "x509", "-noout", "-fingerprint", "-sha256", data=data)
    assert ran.code == 0, ran.err
    return ran.text.partition("=")[2].strip()
