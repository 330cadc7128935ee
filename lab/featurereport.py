"""The Phone Feature List as text of at most 80 columns, and as JSON."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from base.phonemodels import Ability
from lab.phonefeatures import FEATURES, by_ability
from lab.story.text import Text
from lab.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from base.phonemodels import ModelTable, PhoneModel
    from base.trace import Json
    from lab.phonefeatures import Feature
    from lab.story.text import Language

WIDTH = 80
_WORDS = {
    Ability.YES: Text("yes", "有"),
    Ability.NO: Text("no", "無"),
    Ability.UNKNOWN: Text("unknown", "不明"),
}
_MARKS = {**_WORDS, Ability.UNKNOWN: Text("?", "？")}
_TITLE = Text("Unified CM Phone Feature List", "Unified CM 電話機能一覧")
_LEGEND = (
    Text("yes, no: somebody says so; see --product for who.", "有・無: 出典あり (--product で表示)"),
    Text(
        "?: nobody says; a simulated phone does as if it had it (of TLS: 1.2 and above).",
        "？: 出典なし (模擬電話機は対応と見なす。TLS は 1.2 以上)",
    ),
)
_FEATURE, _SUPPORTED, _SAID_BY = Text("Feature", "機能"), Text("Supported", "対応"), Text("Said by", "出典")
_MODEL = Text("Model", "機種")
_PARTICULARS = (
    ("type_number", Text("Type number", "機種番号")),
    ("load", Text("Firmware seen", "確認されたファームウェア")),
    ("tls_min", Text("Lowest TLS version", "TLS 最低バージョン")),
    ("tls_max", Text("Highest TLS version", "TLS 最高バージョン")),
    ("max_list_size", Text("Largest trust list, in bytes", "信頼リストの上限 (バイト)")),
    ("sast_records", Text("SAST records of a list that count", "有効な SAST レコード数")),
    ("status_messages", Text("Status messages kept", "保持するステータスメッセージ数")),
)


class Report(Protocol):
    """What was asked for."""

    def lines(self, language: Language) -> Iterator[str]:
        """For people: lines of at most `WIDTH` columns, none with blanks at its end."""

    def as_json(self) -> Json:
        """For programs."""


def choose(table: ModelTable, feature: Feature | None, model: PhoneModel | None) -> Report:
    """The report about a feature, a product, both or everything."""
    if feature is not None and model is not None:
        return _Answer(table, feature, model)
    if feature is not None:
        return _OneFeature(table, feature)
    return _Matrix(table) if model is None else _OneProduct(table, model)


@dataclass(frozen=True, slots=True)
class _Matrix:
    table: ModelTable

    def lines(self, language: Language) -> Iterator[str]:
        rows = [(_MODEL.of(language), *(item.head for item in FEATURES))]
        headings: dict[int, str] = {}
        series = ""
        for model in self.table.models.values():
            if model.series != series:
                series = headings[len(rows)] = model.series
            rows.append((model.name, *(_MARKS[item.of(model)].of(language) for item in FEATURES)))
        yield _TITLE.of(language)
        yield ""
        for number, line in enumerate(aligned(rows, gap=1)):
            if number in headings:
                yield from ("", headings[number])
            yield line
        yield ""
        for text in _LEGEND:
            yield text.of(language)
        yield ""
        yield from aligned([(item.head, item.name, item.about.of(language)) for item in FEATURES])

    def as_json(self) -> Json:
        return {
            "features": [item.name for item in FEATURES],
            "products": [
                {
                    "product": model.product,
                    "model": model.name,
                    "series": model.series,
                    "type_number": model.type_number,
                    "features": {item.name: item.of(model).value for item in FEATURES},
                }
                for model in self.table.models.values()
            ],
        }


@dataclass(frozen=True, slots=True)
class _OneFeature:
    table: ModelTable
    feature: Feature

    def lines(self, language: Language) -> Iterator[str]:
        yield f"{_TITLE.of(language)}: {self.feature.name}"
        yield self.feature.about.of(language)
        for ability, models in by_ability(self.feature, self.table.models.values()).items():
            yield ""
            yield f"{_WORDS[ability].of(language)} ({len(models)})"
            yield from _listed([model.product for model in models])

    def as_json(self) -> Json:
        groups = by_ability(self.feature, self.table.models.values())
        found: dict[str, Json] = {
            ability.value: [model.product for model in models] for ability, models in groups.items()
        }
        return {"feature": self.feature.name, **found}


@dataclass(frozen=True, slots=True)
class _OneProduct:
    table: ModelTable
    model: PhoneModel

    def lines(self, language: Language) -> Iterator[str]:
        model = self.model
        rows = [(_FEATURE.of(language), _SUPPORTED.of(language), _SAID_BY.of(language))]
        rows += [(item.name, _WORDS[item.of(model)].of(language), ", ".join(item.sources(model))) for item in FEATURES]
        rows.append(("", "", ""))
        for key, name in _PARTICULARS:
            value = _plain(getattr(model, key))
            text = _WORDS[Ability.UNKNOWN].of(language) if value is None else str(value)
            rows.append((name.of(language), text, ", ".join(model.sources.get(key, ()))))
        yield f"{_TITLE.of(language)}: {model.product}"
        yield model.series
        yield ""
        yield from aligned(rows)
        yield ""
        yield from _explained(self.table, model)

    def as_json(self) -> Json:
        model = self.model
        return {
            "product": model.product,
            "model": model.name,
            "series": model.series,
            "features": [
                {"feature": item.name, "supported": item.of(model).value, "sources": list(item.sources(model))}
                for item in FEATURES
            ],
            "particulars": {
                key: {"value": _plain(getattr(model, key)), "sources": list(model.sources.get(key, ()))}
                for key, _ in _PARTICULARS
            },
            "sources": {key: self.table.sources[key] for key in _cited(model)},
        }


@dataclass(frozen=True, slots=True)
class _Answer:
    table: ModelTable
    feature: Feature
    model: PhoneModel

    def lines(self, language: Language) -> Iterator[str]:
        keys = self.feature.sources(self.model)
        said_by = f" ({_SAID_BY.of(language)}: {', '.join(keys)})" if keys else ""
        yield f"{self.model.product}, {self.feature.name}: {_WORDS[self._ability].of(language)}{said_by}"

    def as_json(self) -> Json:
        return {
            "product": self.model.product,
            "feature": self.feature.name,
            "supported": self._ability.value,
            "sources": {key: self.table.sources[key] for key in self.feature.sources(self.model)},
        }

    @property
    def _ability(self) -> Ability:
        return self.feature.of(self.model)


def _plain(value: object) -> str | int | None:
    """A number or a text as it is, a version by its number."""
    return value if isinstance(value, str | int) or value is None else str(getattr(value, "value", value))


def _cited(model: PhoneModel) -> list[str]:
    return sorted({key for keys in model.sources.values() for key in keys})


def _explained(table: ModelTable, model: PhoneModel) -> Iterator[str]:
    """The sources' keys with what they stand for; a long text goes on below its beginning."""
    keys = _cited(model)
    indent = max(map(len, keys), default=0) + 2
    for key in keys:
        beginning = key.ljust(indent)
        yield from textwrap.wrap(
            table.sources[key],
            WIDTH,
            initial_indent=beginning,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _listed(names: list[str]) -> Iterator[str]:
    """Names in lines, none of them torn apart."""
    line = ""
    for number, name in enumerate(names):
        item = f"{name}," if number + 1 < len(names) else name
        if line and len(line) + 1 + len(item) > WIDTH:
            yield line
            line = ""
        line = f"{line} {item}" if line else f"  {item}"
    if line:
        yield line
