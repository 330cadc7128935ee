"""A text for people in every language that the laboratory speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "ja"]


@dataclass(frozen=True, slots=True)
class Text:
    """The same sentence in each language; formatted with `str.format` where it has fields."""

    en: str
    ja: str

    def of(self, language: Language, **fields: object) -> str:
        """The text in one language."""
        return (self.en if language == "en" else self.ja).format(**fields)
