"""What the models of a definition share: their rules, their kinds of text and of address."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

HOST_PATTERN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(HOST_PATTERN)
_MAC = re.compile(r"[0-9A-F]{12}")
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


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name (letters, digits and inner hyphens, at most 63)")
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def normalise_mac(text: str) -> str:
    """``00:11:22:33:44:55``, ``0011.2233.4455``, ``SEP001122334455`` ... -> ``001122334455``.

    Raises:
        ValueError: not 12 hexadecimal digits.
    """
    bare = re.sub(r"[:.\-]", "", text.strip().upper())
    bare = bare.removeprefix("SEP")
    if not _MAC.fullmatch(bare):
        raise ValueError(f"{text!r} is not a MAC address of 12 hexadecimal digits")
    return bare


HostName = Annotated[str, AfterValidator(_host)]
Address = Annotated[str, AfterValidator(_address)]
MacAddress = Annotated[str, BeforeValidator(lambda value: normalise_mac(str(value)))]
Port = Annotated[int, Field(ge=1, le=65_535)]
