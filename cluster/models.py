"""What the cluster knows of phone models: product, type number and firmware name.

All else of `base.phonemodels` concerns phones alone; a type of its own keeps it out of what clusters decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from base.modelfile import shipped_table


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model.

    Attributes:
        name: digits as printed on the phone, ``8865``.
        type_number: the number behind ``loadinformation`` in the default configuration; None when not known.
        load: firmware that the cluster wants on it; empty when not known.
        product: what UCM calls it: ``Cisco 8865``.
    """

    name: str
    type_number: int | None
    load: str
    product: str


@dataclass(frozen=True, slots=True)
class ServedModels:
    """All known models."""

    models: tuple[ServedModel, ...]

    def load_of(self, model: str) -> str:
        """Firmware name for a model; empty for an unknown one."""
        return next((item.load for item in self.models if item.name == model), "")

    def numbered(self, type_number: str) -> ServedModel | None:
        """The model that a phone says it is, by its type number."""
        return next((item for item in self.models if item.type_number and str(item.type_number) == type_number), None)


@cache
def shipped_models() -> ServedModels:
    """The table that comes with the project."""
    found = shipped_table().models.values()
    return ServedModels(
        tuple(ServedModel(item.name, item.type_number, item.load or "", item.product) for item in found)
    )
