"""How commands speak: tables and colours for people on a terminal, JSON for programs, progress on stderr."""

from __future__ import annotations

import json
import sys

from rich.console import Console

PIPE_WIDTH = 120
"""Columns of output that goes to a file or another program, so that no table loses text there."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
"""Results."""
err = Console(highlight=False, stderr=True, soft_wrap=True)
"""Progress and remarks."""


def print_json(value: object) -> None:
    """One JSON document on stdout, never coloured or wrapped. Keys stay in order; what JSON lacks becomes text."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
