"""Reads a laboratory from YAML: clusters and how to run them, every mistake reported at once with file and line.

The text is read by `cluster.configtext`, the environment put over it by `cluster.override`, and the result judged by
the models here and in `cluster.definition`, and by `cluster.consistency`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from cluster.configtext import Document
from cluster.consistency import contradictions, contradictions_between
from cluster.definition import CONTRADICTION, ClusterDefinition
from cluster.modelbase import Port
from cluster.override import override
from wire.errors import ConfigError, OperatorError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from cluster.configtext import Location

MAX_CONFIG_SIZE = 8 * 1024 * 1024


def _ordered(ports: tuple[int, int]) -> tuple[int, int]:
    if ports[0] > ports[1]:
        raise ValueError("the lowest port comes first, then the highest")
    return ports


class Administrator(BaseModel):
    """The account of every node's command line. The default password is a laboratory's, known to everybody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")] = "admin"
    password: Annotated[SecretStr, Field(min_length=1, max_length=256)] = SecretStr("ucmsim")


class LabSettings(BaseModel):
    """How the laboratory runs, apart from what the clusters are.

    Attributes:
        port_offset: added to every port number; 0 gives the real ones.
        single_port: TFTP answers from its listening port (RFC 1350 wants a new one; NAT and firewalls may not).
        tftp_ports: range of ports for TFTP transfers, lowest and highest; any free port when absent.
        administrator: who may log in to the command line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    port_offset: Annotated[int, Field(ge=0, le=50_000)] = 0
    single_port: bool = False
    tftp_ports: Annotated[tuple[Port, Port], AfterValidator(_ordered)] | None = None
    administrator: Administrator = Administrator()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.single_port and self.tftp_ports is not None:
            raise ValueError("single_port and tftp_ports exclude each other: give one of them")
        return self


class LabConfig(BaseModel):
    """A whole configuration file. `parse_config` also sees to it that no two clusters or nodes share a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lab: LabSettings = LabSettings()
    clusters: Annotated[tuple[ClusterDefinition, ...], Field(min_length=1)]


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
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_SIZE + 1)
        if len(data) > MAX_CONFIG_SIZE:
            raise OperatorError(f"{path} has more than {MAX_CONFIG_SIZE} bytes, the most that a configuration may have")
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError((Problem(f"{path}:{line}", f"not UTF-8 text (byte {error.start} of the file)"),)) from error
    except OSError as error:
        raise OperatorError(f"cannot read configuration {path}: {error.strerror}") from error
    return parse_config(text, str(path), environment)


def parse_config(text: str, file_name: str, environment: Mapping[str, str]) -> LabConfig:
    """`load_config` on text."""
    document = Document(text, file_name)
    root = document.value
    if not isinstance(root, dict):
        raise ConfigError((Problem(f"{file_name}:1", "a configuration is a mapping with the key 'clusters'"),))
    overridden, problems = override(root, environment, tuple(LabConfig.model_fields), _is_text)

    def problem(location: Location, what: str) -> Problem:
        path = ".".join(str(step) for step in location)
        return Problem(_where(document, overridden, location), f"{path}: {what}" if path else what)

    problems += document.problems
    problems += [problem(location, what) for location, what in _contradictions(root)]
    try:
        config = LabConfig.model_validate(root)
    except ValidationError as error:
        problems += [problem(item["loc"], _message(item)) for item in _own_mistakes(error.errors())]
        # A contradiction between values that look different and mean the same is seen by the models alone.
        problems = problems or [problem(item["loc"], _message(item)) for item in error.errors()]
    if problems:
        raise ConfigError(tuple(sorted(problems, key=_order)))
    return config


@cache
def _shape() -> dict[str, Any]:
    return LabConfig.model_json_schema()


def _is_text(location: Location) -> bool:
    """Whether the models want a text at a place; also where they know nothing, and will say so."""
    here = [_shape()]
    for step in location:
        below = (_below(shape, step) for shape in here)
        here = [shape for shapes in below for shape in shapes]
    return not here or any(shape.get("type") == "string" for shape in here)


def _below(shape: dict[str, Any], step: str | int) -> list[dict[str, Any]]:
    if isinstance(step, str):
        found = shape.get("properties", {}).get(step, shape.get("additionalProperties"))
    else:
        places = shape.get("prefixItems", [])
        found = places[step] if step < len(places) else shape.get("items")
    return list(_alternatives(found)) if isinstance(found, dict) else []


def _alternatives(shape: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in shape:
        yield from _alternatives(_shape()["$defs"][shape["$ref"].rpartition("/")[2]])
    elif "anyOf" in shape:
        for one in shape["anyOf"]:
            yield from _alternatives(one)
    else:
        yield shape


def _contradictions(root: dict[str, object]) -> Iterator[tuple[Location, str]]:
    clusters = root.get("clusters")
    for location, what in contradictions_between(clusters):
        yield ("clusters", *location), what
    if isinstance(clusters, list):
        for index, cluster in enumerate(clusters):
            if isinstance(cluster, dict):
                for location, what in contradictions(cluster):
                    yield ("clusters", index, *location), what


def _where(document: Document, overridden: Mapping[Location, str], location: Location) -> str:
    """The variable that gave the value, or something around it; else the line."""
    for length in range(len(location), 0, -1):
        if location[:length] in overridden:
            return overridden[location[:length]]
    return document.line_of(location)


def _own_mistakes(found: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without the contradictions, which `_contradictions` places better, and lists called short for bad items alone."""
    places = [item["loc"] for item in found]
    for item in found:
        where = item["loc"]
        emptied = item["type"] == "too_short" and any(place[: len(where)] == where != place for place in places)
        if item["type"] != CONTRADICTION and not emptied:
            yield item


_MESSAGES = {
    "extra_forbidden": "this key is not known here",
    "missing": "this key is required",
    "bool_parsing": "{input!r} is neither true nor false",
    "int_parsing": "{input!r} is no whole number",
    "greater_than_equal": "{input} is less than {ge}",
    "less_than_equal": "{input} is more than {le}",
    "string_type": "is text, not {kind}",
    "string_too_short": "has at least {min_length} character(s)",
    "string_too_long": "has at most {max_length} characters",
    "string_pattern_mismatch": "{input!r} does not look like {pattern}",
    "tuple_type": "is a list, not {kind}",
    "too_short": "has at least {min_length} item(s)",
    "too_long": "has at most {max_length} items, not {actual_length}",
    "dict_type": "has keys of its own, it is not {kind}",
    "model_type": "has keys of its own, it is not {kind}",
}
"""What the validator's kinds of mistake are called in a configuration; its own words serve for others."""

_KINDS = {dict: "keys", list: "a list", str: "text", type(None): "nothing"}


def _message(item: ErrorDetails) -> str:
    found = _MESSAGES.get(item["type"])
    if found is None:
        return item["msg"].removeprefix("Value error, ")
    kind = _KINDS.get(type(item["input"]), "that")
    return found.format(**{"input": item["input"], "kind": kind, **item.get("ctx", {})})


def _order(problem: Problem) -> tuple[str, int]:
    """File order; the environment after the file."""
    file_name, _, line = problem.where.rpartition(":")
    return ("", int(line)) if file_name and line.isdecimal() else (problem.where, 0)
