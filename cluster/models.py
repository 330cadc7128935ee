"""What the cluster knows of phone models: type number and firmware name, from ``configs/phone_models.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True, slots=True)
class PhoneModel:
    """One model.

    Attributes:
        name: digits as printed on the phone, ``8865``.
        type_number: the number behind ``loadinformation`` in the default configuration.
        load: firmware that the cluster wants on it; empty when not known.
    """

    name: str
    type_number: int
    load: str


@dataclass(frozen=True, slots=True)
class ModelTable:
    """All known models."""

    models: tuple[PhoneModel, ...]

    def load_of(self, model: str) -> str:
        """Firmware name for a model; empty for an unknown one."""
        return next((item.load for item in self.models if item.name == model), "")


@cache
def shipped_models() -> ModelTable:
    """The table that comes with the project."""
    document = yaml.safe_load((files("configs") / "phone_models.yaml").read_text("utf-8"))
    return ModelTable(
        tuple(
            PhoneModel(str(name), int(entry["type_number"]), str(entry.get("load") or ""))
            for name, entry in document["models"].items()
        )
    )
