"""Reads a laboratory from YAML: clusters and how to run them, every mistake reported at once with file and line.

Scalars are read as text and converted by the field that takes them, so that ``001122334455`` keeps its zeros,
``10:20:30:40:50:00`` is no number in base 60 and release ``12.5`` no float. Repeated and unknown keys are errors.
Environment variables override single keys: ``UCMSIM_CLUSTERS__ALPHA__RELEASE=14`` (list items by name or index).
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cluster.definition import ClusterDefinition
from wire.errors import ConfigError, OperatorError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_CONFIG_SIZE = 8 * 1024 * 1024
_PREFIX = "UCMSIM_"
_OVERRIDABLE = ("clusters", "lab")

Path_ = tuple[str | int, ...]


class LabSettings(BaseModel):
    """How the laboratory runs, apart from what the clusters are.

    Attributes:
        port_offset: added to every port number; 0 gives the real ones.
        single_port: TFTP answers from its listening port (RFC 1350 wants a new one; NAT and firewalls may not).
        tftp_ports: range of ports for TFTP transfers, lowest and highest; any free port when absent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    port_offset: Annotated[int, Field(ge=0, le=50_000)] = 0
    single_port: bool = False
    tftp_ports: tuple[Annotated[int, Field(ge=1, le=65_535)], Annotated[int, Field(ge=1, le=65_535)]] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.tftp_ports and self.tftp_ports[0] > self.tftp_ports[1]:
            raise ValueError("tftp_ports is lowest, highest")
        return self


class LabConfig(BaseModel):
    """A whole configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lab: LabSettings = LabSettings()
    clusters: Annotated[tuple[ClusterDefinition, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [cluster.name for cluster in self.clusters]
        nodes = [node.name for cluster in self.clusters for node in cluster.nodes]
        for what, found in (("cluster", names), ("node", nodes)):
            repeated = sorted({name for name in found if found.count(name) > 1})
            if repeated:
                raise ValueError(f"{what} name {repeated[0]!r} appears more than once")
        return self


def default_config_text() -> str:
    """The laboratory that ships with the project."""
    return (files("configs") / "lab.yaml").read_text("utf-8")


def load_config(path: Path | None, environment: Mapping[str, str]) -> LabConfig:
    """Reads `path`, or the shipped laboratory when None, and applies the environment.

    Raises:
        OperatorError: the file cannot be read.
        ConfigError: every problem found, each with ``file:line``.
    """
    if path is None:
        return parse_config(default_config_text(), "lab.yaml", environment)
    try:
        size = path.stat().st_size
        if size > MAX_CONFIG_SIZE:
            raise OperatorError(f"{path} has {size} bytes; a configuration may have {MAX_CONFIG_SIZE}")
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise OperatorError(f"cannot read configuration {path}: {error.strerror}") from error
    return parse_config(text, str(path), environment)


def parse_config(text: str, file_name: str, environment: Mapping[str, str]) -> LabConfig:
    """`load_config` on text."""
    reader = _Reader(file_name)
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError((Problem(f"{file_name}:{line}", error.problem or str(error)),)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError((Problem(f"{file_name}:1", f"not YAML: {error}"),)) from error
    value = reader.value(root, ())
    if not isinstance(value, dict):
        raise ConfigError((Problem(f"{file_name}:1", "a configuration is a mapping with the key 'clusters'"),))
    reader.override(value, environment)
    try:
        config = LabConfig.model_validate(value)
    except ValidationError as error:
        reader.problems += [reader.locate(item["loc"], _message(item)) for item in error.errors()]
        config = None
    if reader.problems or config is None:
        raise ConfigError(tuple(sorted(reader.problems, key=_line)))
    return config


class _Reader:
    """Turns a YAML node tree into plain values and remembers on which line each stood."""

    def __init__(self, file_name: str) -> None:
        self._file = file_name
        self._lines: dict[Path_, str] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node | None, path: Path_) -> object:
        if node is None:
            return None
        self._lines.setdefault(path, f"{self._file}:{node.start_mark.line + 1}")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.style is None and node.value in {"", "~", "null"}:
            return None
        return str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), f"{self._file}:{key_node.start_mark.line + 1}"
            if key in found:
                self.problems.append(Problem(line, f"key {key!r} appears more than once here"))
                continue
            self._lines[(*path, key)] = line
            found[key] = self.value(value_node, (*path, key))
        return found

    def locate(self, location: Iterable[str | int], message: str) -> Problem:
        path = tuple(location)
        known = path
        while known and known not in self._lines:
            known = known[:-1]
        name = ".".join(str(part) for part in path)
        return Problem(self._lines.get(known, f"{self._file}:1"), f"{name}: {message}" if name else message)

    def override(self, root: dict[str, object], environment: Mapping[str, str]) -> None:
        for variable, text in sorted(environment.items()):
            parts = variable.removeprefix(_PREFIX).lower().split("__")
            if variable.startswith(_PREFIX) and len(parts) > 1 and parts[0] in _OVERRIDABLE:
                problem = self._set(root, parts, text, variable)
                if problem:
                    self.problems.append(Problem(f"environment variable {variable}", problem))

    def _set(self, root: dict[str, object], parts: list[str], text: str, variable: str) -> str | None:
        here: object = root
        path: Path_ = ()
        for part in parts[:-1]:
            if isinstance(here, dict):
                key = _matching_key(here, part)
                if key not in here:
                    here[key] = {}
                here, path = here[key], (*path, key)
            elif isinstance(here, list):
                index = _matching_item(here, part)
                if index is None:
                    return f"no item {part!r} in {'.'.join(str(p) for p in path)}"
                here, path = here[index], (*path, index)
            else:
                return f"{'.'.join(str(p) for p in path)} has no keys"
        if not isinstance(here, dict):
            return "names no key"
        key = _matching_key(here, parts[-1])
        here[key] = text
        self._lines[(*path, key)] = f"environment variable {variable}"
        return None


def _matching_key(mapping: dict[str, object], part: str) -> str:
    folded = {_fold(key): key for key in mapping}
    return folded.get(_fold(part), part)


def _fold(key: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in key.lower())


def _matching_item(items: list[object], part: str) -> int | None:
    if part.isdecimal() and int(part) < len(items):
        return int(part)
    for index, item in enumerate(items):
        if isinstance(item, dict) and _fold(str(item.get("name", item.get("mac", "")))) == part:
            return index
    return None


def _message(item: Mapping[str, object]) -> str:
    if item.get("type") == "extra_forbidden":
        return "this key is not known here"
    if item.get("type") == "missing":
        return "this key is required"
    return str(item.get("msg", "")).removeprefix("Value error, ")


def _line(problem: Problem) -> tuple[str, int]:
    file_name, _, line = problem.where.rpartition(":")
    return (file_name, int(line)) if line.isdecimal() else (problem.where, 0)
