"""What a benchmark found: a table with notes and verdicts, as Markdown for people and as JSON for programs."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Cell = str | int | float | None
"""None stands for what could not be measured."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one claim held.

    Attributes:
        claim: a sentence that says what is compared and where the bar is.
        measured: what was found, with its unit.
        held: None when it could not be judged, e.g. because the other program is not installed.
    """

    claim: str
    measured: str
    held: bool | None


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's results.

    Attributes:
        title: heading.
        columns: headings of the table.
        rows: as many cells each as there are columns.
        notes: how it was measured, what was missing.
        verdicts: see `Verdict`.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: a row of {len(row)} cells under {len(self.columns)} columns")

    def markdown(self) -> str:
        """The section under a second-level heading."""
        lines = [f"## {self.title}", "", _line(self.columns), _line([":--", *["--:"] * (len(self.columns) - 1)])]
        lines += [_line([_text(cell) for cell in row]) for row in self.rows]
        if self.verdicts:
            lines += ["", "| claim | measured | verdict |", "| :-- | --: | :-- |"]
            lines += [_line([v.claim, v.measured, _VERDICTS[v.held]]) for v in self.verdicts]
        if self.notes:
            lines += ["", *[f"- {note}" for note in self.notes]]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Plain values; see `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Section:
        """The section that `to_json` made `value` of.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        return cls(
            title=value["title"],
            columns=tuple(value["columns"]),
            rows=tuple(tuple(row) for row in value["rows"]),
            notes=tuple(value["notes"]),
            verdicts=tuple(Verdict(**verdict) for verdict in value["verdicts"]),
        )


_VERDICTS = {True: "held", False: "**missed**", None: "not judged"}


def progress(text: str) -> None:
    """Tells whoever waits what is being measured."""
    print(text, file=sys.stderr, flush=True)


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _text(cell: Cell) -> str:
    """Three significant digits at least; thousands are set apart."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    decimals = 2 - math.floor(math.log10(abs(cell))) if cell else 0
    return f"{cell:.{min(max(decimals, 0), 4)}f}"
