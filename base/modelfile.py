"""Reads the table of phone models: every fact with its sources, every mistake named by file, model and key."""

from __future__ import annotations

from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from base.phonemodels import Ability, Family, ModelTable, PhoneModel, TlsVersion
from wire.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FILE = "phone_models.yaml"
_UNKNOWN = "unknown"
_MAX_NUMBER = 0xFFFF_FFFF
_MAX_LOAD = 64
_NAMED_BY = {"mac": True, "user": False}
_E = TypeVar("_E", bound=Enum)
_V = TypeVar("_V")


@cache
def shipped_table() -> ModelTable:
    """The table that comes with the project."""
    return read_table((files("configs") / _FILE).read_text("utf-8"), f"configs/{_FILE}")


def read_table(text: str, where: str) -> ModelTable:
    """Reads a table of models.

    Args:
        text: YAML, as explained at the head of the shipped file.
        where: file name for messages.

    Raises:
        ConfigError: all problems at once.
    """
    try:
        document = yaml.load(text, Loader=_TextLoader)  # noqa: S506 - texts, lists and mappings only
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError((Problem(where, f"not YAML: {error}"),)) from error
    reading = _Reading(where)
    table = reading.table(document)
    if reading.problems:
        raise ConfigError(tuple(reading.problems))
    return table


# libyaml's loader is ten times as fast; both make the same values
_BaseLoader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _TextLoader(_BaseLoader):  # type: ignore[misc]
    """Every value as text: ``yes`` is no boolean and ``1.0`` no number. A repeated key is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is repeated in this mapping", node.start_mark)
        return mapping


def _choice(kind: type[_E]) -> Callable[[str], _E]:
    def read(word: str) -> _E:
        for choice in kind:
            if choice.value == word:
                return choice
        raise ValueError(f"{word[:30]!r} is not one of {', '.join(str(choice.value) for choice in kind)}")

    return read


def _number(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and 0 < int(word[:11]) <= _MAX_NUMBER):
        raise ValueError(f"{word[:30]!r} is no number from 1 to {_MAX_NUMBER}")
    return int(word)


def _firmware(word: str) -> str:
    if len(word) > _MAX_LOAD:
        raise ValueError(f"a firmware name has at most {_MAX_LOAD} characters")
    return word


_ABILITIES = (
    "security_by_default",
    "contact_search",
    "rsa_4096",
    "ec",
    "sha256",
    "sha512",
    "http",
    "https_config",
    "encrypted_config",
    "lsc",
    "secure_boot",
    "image_signing",
)
_KINDS: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(_ABILITIES, _choice(Ability)),
    **dict.fromkeys(("tls_min", "tls_max", "tls_known"), _choice(TlsVersion)),
    **dict.fromkeys(("max_list_size", "sast_records", "status_messages", "type_number"), _number),
    "load": _firmware,
}
_ONLY_OF_A_MODEL = frozenset({"type_number"})
_Facts = dict[str, tuple[object, tuple[str, ...]]]
"""Value (None where nobody says) and sources, by key."""


class _Reading:
    """One table on its way in; goes on after a mistake, so that all are found."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.problems: list[Problem] = []
        self._sources: dict[str, str] = {}
        self._cited: set[str] = set()

    def table(self, document: object) -> ModelTable:
        top = self._mapping(document, "the file", {"sources", "every_model", "series", "models"})
        sources = self._mapping(top.get("sources"), "sources")
        self._sources = {key: self._text(sources, key, "sources") for key in sources}
        common = self._facts(self._mapping(top.get("every_model"), "every_model"), "every_model")
        missing = sorted(set(_KINDS) - _ONLY_OF_A_MODEL - set(common))
        if missing:
            self._say("every_model", f"{', '.join(missing)} is missing; what nobody says is unknown")
            common |= dict.fromkeys(missing, (None, ()))
        series = {name: self._series(name, entry) for name, entry in self._mapping(top.get("series"), "series").items()}
        models: dict[str, PhoneModel] = {}
        for name, entry in self._mapping(top.get("models"), "models").items():
            found = self._model(name, entry, common, series)
            if found is not None:
                models[name] = found
        self._check_across(models)
        return ModelTable(models, self._sources)

    def _series(self, name: str, entry: object) -> tuple[str, Family, _Facts]:
        who = f"series {name}"
        values = self._mapping(entry, who)
        about = self._text(values, "about", who)
        family = self._read(_choice(Family), self._text(values, "screen", who), who, "screen") or Family.P8800
        return about, family, self._facts(_without(values, "about", "screen"), who)

    def _model(
        self, name: str, entry: object, common: _Facts, series: Mapping[str, tuple[str, Family, _Facts]]
    ) -> PhoneModel | None:
        who, known = f"model {name}", len(self.problems)
        values = self._mapping(entry, who)
        of_series = series.get(self._text(values, "series", who))
        if of_series is None:
            self._say(who, f"series is none of {', '.join(series)}")
        product = self._text({"product": f"Cisco {name}", **values}, "product", who)
        named_by = self._text({"named_by": "mac", **values}, "named_by", who)
        if named_by not in _NAMED_BY:
            self._say(who, f"named_by: {named_by!r} is not one of {', '.join(_NAMED_BY)}")
        own = self._facts(_without(values, "series", "product", "named_by"), who)
        if "type_number" not in own:
            self._say(who, "type_number is missing; what nobody says is unknown")
        if len(self.problems) > known or of_series is None:
            return None
        about, family, shared = of_series
        facts = {**common, **shared, **own}
        model = PhoneModel(
            name=name,
            product=product,
            series=about,
            family=family,
            has_mac=_NAMED_BY[named_by],
            sources={key: sources for key, (_, sources) in facts.items() if sources},
            **{key: _known(key, facts[key][0]) for key in _KINDS},
        )
        said = [version for version in (model.tls_min, model.tls_known, model.tls_max) if version is not None]
        if said != sorted(said):
            self._say(who, "tls_min, tls_known and tls_max are not in order")
        return model

    def _facts(self, values: Mapping[str, object], who: str) -> _Facts:
        facts: _Facts = {}
        for key, text in values.items():
            if key not in _KINDS or (key in _ONLY_OF_A_MODEL and not who.startswith("model ")):
                self._say(who, f"{key} is not known here")
                continue
            word, *sources = text.split() if isinstance(text, str) and text.strip() else ("",)
            if word == _UNKNOWN:
                if sources:
                    self._say(who, f"{key}: what is unknown has no source")
                facts[key] = (None, ())
                continue
            value = self._read(_KINDS[key], word, who, key)
            unheard = [source for source in sources if source not in self._sources]
            if not sources or unheard:
                named = f"{', '.join(unheard)} is not among the sources" if unheard else "no source is named"
                self._say(who, f"{key}: {named}; a fact is its value and the keys of its sources")
            self._cited.update(sources)
            facts[key] = (value, tuple(sources))
        return facts

    def _read(self, read: Callable[[str], _V], word: str, who: str, key: str) -> _V | None:
        try:
            return read(word)
        except ValueError as error:
            self._say(who, f"{key}: {error}")
            return None

    def _check_across(self, models: Mapping[str, PhoneModel]) -> None:
        seen: dict[object, str] = {}
        for name, model in models.items():
            for value in {model.type_number, model.product.upper(), name.upper()} - {None}:
                other = seen.setdefault(value, name)
                if other != name:
                    self._say(f"model {name}", f"{value} is that of model {other}, too")
        for source in sorted(set(self._sources) - self._cited):
            self._say("sources", f"nothing is said by {source}")

    def _mapping(self, value: object, who: str, keys: set[str] | None = None) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            self._say(who, "a mapping is missing here")
            return {}
        if keys is not None and set(value) - keys:
            self._say(who, f"{', '.join(sorted(set(value) - keys))} is not known here")
        return dict(value)

    def _text(self, values: Mapping[str, object], key: str, who: str) -> str:
        text = values.get(key)
        if isinstance(text, str) and text:
            return text
        self._say(who, f"{key} is {'missing' if text is None else 'no text'}")
        return ""

    def _say(self, who: str, what: str) -> None:
        self.problems.append(Problem(self._where, f"{who}: {what}"))


def _without(values: Mapping[str, object], *keys: str) -> dict[str, object]:
    return {key: value for key, value in values.items() if key not in keys}


def _known(key: str, value: object) -> Any:
    """What stands for an unknown value."""
    return Ability.UNKNOWN if value is None and key in _ABILITIES else value
