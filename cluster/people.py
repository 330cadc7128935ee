"""People of a cluster: who logs in to phones, pushes content to them, and searches for contacts."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr

from cluster.devices import MAX_LINES, Line
from cluster.modelbase import MacAddress, Model, Text

_PIN = re.compile(r"[0-9]{1,32}")


def _pin(secret: SecretStr) -> SecretStr:
    if not _PIN.fullmatch(secret.get_secret_value()):
        raise ValueError("a PIN has 1 to 32 digits")
    return secret


def _password(secret: SecretStr) -> SecretStr:
    if not 1 <= len(secret.get_secret_value()) <= 128:
        raise ValueError("a password has 1 to 128 characters")
    return secret


Secret = Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value, return_type=str, when_used="json")]
"""Hidden in texts, written into the state, which its owner alone can read."""


class User(Model):
    """A person.

    Attributes:
        id: what is typed to log in; case does not count.
        name: for directories.
        pin: for Extension Mobility; without one nobody logs in.
        password: for pushing content to phones, and for contact search.
        devices: phones that the user controls.
        lines: of the device profile that a log-in brings to a phone.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
    name: Text = ""
    pin: Annotated[Secret, AfterValidator(_pin)] | None = None
    password: Annotated[Secret, AfterValidator(_password)] | None = None
    devices: tuple[MacAddress, ...] = ()
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)] = ()

    @property
    def shown_name(self) -> str:
        """The name, or the id for want of one."""
        return self.name or self.id
