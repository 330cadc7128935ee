"""What the models of a definition share: their rules and their kinds of text."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Model(BaseModel):
    """Common rules: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def printable(text: str) -> str:
    """The text as it is.

    Raises:
        ValueError: it has control characters, or others that XML has no place for.
    """
    if _UNPRINTABLE.search(text):
        raise ValueError(f"{text!r} has a character that cannot be printed")
    return text


Text = Annotated[str, Field(max_length=128), AfterValidator(printable)]
ShortText = Annotated[str, Field(max_length=64), AfterValidator(printable)]
