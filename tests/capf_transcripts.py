"""Reads the sessions in ``vectors/capf``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "vectors" / "capf"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


@dataclass(frozen=True)
class Line:
    """One message of a session."""

    speaker: str
    what: str
    data: bytes


def transcript(name: str) -> list[Line]:
    blocks = (FOLDER / f"{name}.txt").read_text("ascii").split("\n\n")[1:]
    lines = []
    for block in blocks:
        head, *rest = block.strip().split("\n")
        speaker, _, what = head.partition(" ")
        lines.append(Line(speaker, what, bytes.fromhex("".join(rest))))
    return lines
