"""How commands speak: tables and colours for people on a terminal, JSON for programs, progress on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from base.trace import Json

out = Console(highlight=False, soft_wrap=True)
"""Results."""
err = Console(highlight=False, stderr=True, soft_wrap=True)
"""Progress and remarks."""


def print_json(value: Json | dict[str, object] | list[object]) -> None:
    """One JSON document on stdout, never coloured or wrapped."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
