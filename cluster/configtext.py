"""YAML as text: plain values in which nothing is converted, and the line on which each stood.

Conversion is left to the field that takes a value, so that ``001122334455`` keeps its zeros, ``10:20:30:40:50:00`` is
no number in base 60 and ``12.5`` no float. Repeated keys are mistakes. Anchors and aliases work; an alias counts as
often as it is used, so that a small text cannot stand for a huge one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from wire.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_VALUES = 1_000_000
MAX_DEPTH = 32

Location = tuple[str | int, ...]
"""Keys and list positions from the top of the document down to a value."""

# libyaml's loader is five times as fast; both make the same nodes
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Document:
    """A YAML text that was read.

    Attributes:
        value: mappings as dict, lists as list, everything else as text; an empty or ``null`` plain scalar is None.
        problems: repeated keys and the like, which did not keep the rest from being read.
    """

    def __init__(self, text: str, file_name: str) -> None:
        """Reads `text`.

        Raises:
            ConfigError: it is no YAML, or too much of it.
        """
        self._file = file_name
        self._values = 0
        self.problems: list[Problem] = []
        self._root = self._compose(text)
        self.value = self._value(self._root, ())

    def line_of(self, location: Sequence[str | int]) -> str:
        """``file:line`` of a value, or of the nearest thing around it that is there."""
        node = self._root
        line = node.start_mark.line + 1 if node is not None else 1
        for step in location:
            found = _child(node, step)
            if found is None:
                break
            node, line = found
        return f"{self._file}:{line}"

    def _compose(self, text: str) -> yaml.Node | None:
        forbidden = _FORBIDDEN.search(text)
        if forbidden:
            line = text.count("\n", 0, forbidden.start()) + 1
            raise self._error(line, f"character U+{ord(forbidden[0]):04X} cannot stand in YAML")
        try:
            return yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise self._error(line, f"not YAML: {error.problem or error}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise self._error(1, f"not YAML: {error}") from error

    def _value(self, node: yaml.Node | None, location: Location) -> object:
        if node is None:
            return None
        self._values += 1
        line = node.start_mark.line + 1
        if self._values > MAX_VALUES:
            raise self._error(line, f"more than {MAX_VALUES} values, aliases counted wherever they are used")
        if len(location) > MAX_DEPTH:
            raise self._error(line, f"nested deeper than {MAX_DEPTH}")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*location, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and not node.style and node.value in {"", "~", "null"}:
            return None
        return str(node.value)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = f"{self._file}:{key_node.start_mark.line + 1}"
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(line, "a key has to be plain text"))
                continue
            key = str(key_node.value)
            if key in found:
                self.problems.append(Problem(line, f"key {key!r} appears more than once here"))
                continue
            found[key] = self._value(value_node, (*location, key))
        return found

    def _error(self, line: int, what: str) -> ConfigError:
        return ConfigError((Problem(f"{self._file}:{line}", what),))


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, int] | None:
    """The value under a key or list position, and its line: for a key that of the key."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value == step:
                return value_node, key_node.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item, item.start_mark.line + 1
    return None
