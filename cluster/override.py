"""Environment variables that override single keys of a configuration: ``UCMSIM_CLUSTERS__ALPHA__RELEASE=14``.

List items go by their name, MAC address, id or position. Letters count without case, and whatever cannot stand in a
variable's name is written ``_``. Where a list or further keys are expected, a value that begins with ``[`` or ``{`` is
read as YAML; a text, a password above all, is taken as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cluster.configtext import Document, Location
from cluster.parameters import CATALOGUE
from wire.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PREFIX = "UCMSIM_"
_SEPARATOR = "__"
_NAMING = ("name", "mac", "id")
"""Keys by which an item of a list goes."""


class _NoPlace(Exception):  # noqa: N818 - never leaves this module
    """A variable names nothing that could be there."""


def override(
    root: dict[str, object],
    environment: Mapping[str, str],
    sections: Iterable[str],
    is_text: Callable[[Location], bool],
) -> tuple[dict[Location, str], list[Problem]]:
    """Writes the values of variables into `root`.

    Args:
        root: the configuration as plain values; changed.
        environment: all variables of the process; those without the prefix or without ``__`` are somebody else's.
        sections: the top-level keys that there are.
        is_text: whether a text belongs at a place.

    Returns:
        Location -> variable that gave its value, and what is wrong with others.
    """
    places: dict[Location, str] = {}
    problems: list[Problem] = []
    for variable, text in sorted(environment.items()):
        if not variable.startswith(_PREFIX) or _SEPARATOR not in variable:
            continue
        where = f"environment variable {variable}"
        parts = variable.removeprefix(_PREFIX).lower().split(_SEPARATOR)
        if parts[0] not in sections:
            problems.append(Problem(where, f"there is no {parts[0]!r}; known: {', '.join(sections)}"))
            continue
        try:
            location = _set(root, parts, lambda place: text if is_text(place) else _value(text, where))  # noqa: B023
        except _NoPlace as error:
            problems.append(Problem(where, str(error)))
        except ConfigError as error:
            problems += error.problems
        else:
            places[location] = where
    return places, problems


def _value(text: str, where: str) -> object:
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        document = Document(text, where)
    except ConfigError as error:
        raise ConfigError(tuple(Problem(where, problem.what) for problem in error.problems)) from error
    if document.problems:
        raise ConfigError(tuple(Problem(where, problem.what) for problem in document.problems))
    return document.value


def _set(root: dict[str, object], parts: list[str], value: Callable[[Location], object]) -> Location:
    here: object = root
    location: Location = ()
    for part in parts[:-1]:
        key = _key(here, part, location)
        location = (*location, key)
        if isinstance(here, dict):
            if here.get(str(key)) is None:
                here[str(key)] = {}
            here = here[str(key)]
        elif isinstance(here, list) and isinstance(key, int):
            here = here[key]
    last = _key(here, parts[-1], location)
    location = (*location, last)
    if isinstance(here, dict):
        here[str(last)] = value(location)
    elif isinstance(here, list) and isinstance(last, int):
        here[last] = value(location)
    return location


def _key(here: object, part: str, location: Location) -> str | int:
    if isinstance(here, dict):
        known = [*here, *(CATALOGUE if location[-1:] == ("parameters",) else ())]
        return next((key for key in known if _fold(key) == part), part)
    path = ".".join(str(step) for step in location)
    if not isinstance(here, list):
        raise _NoPlace(f"{path} has no keys")
    if part.isdecimal() and int(part) < len(here):
        return int(part)
    for index, item in enumerate(here):
        if isinstance(item, dict) and part in {_fold(str(item.get(key, ""))) for key in _NAMING}:
            return index
    raise _NoPlace(f"no item {part!r} in {path}")


def _fold(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", key.lower())
