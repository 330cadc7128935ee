"""Credentials of HTTP Basic (RFC 7617), UTF-8."""

from __future__ import annotations

import base64
import binascii

from wire.errors import WireError


def encode_basic(user: str, password: str) -> str:
    """Value of an ``Authorization`` header.

    Raises:
        WireError: the user has a colon, or a text cannot be UTF-8.
    """
    if ":" in user:
        raise WireError("a user ID cannot have a colon in HTTP Basic")
    try:
        pair = f"{user}:{password}".encode()
    except UnicodeEncodeError as error:
        raise WireError("credentials cannot be written in UTF-8") from error
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def decode_basic(header: str) -> tuple[str, str]:
    """User and password from the value of an ``Authorization`` header.

    Raises:
        WireError: another scheme, not base64, not UTF-8, or without a colon.
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise WireError("no credentials of HTTP Basic")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise WireError("credentials that cannot be read") from error
    if not colon:
        raise WireError("credentials without a colon")
    return user, password
