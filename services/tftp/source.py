"""Where the daemons get files from."""

from __future__ import annotations

from typing import Protocol

from wire.errors import Refusal
from wire.tftp import MAX_FILE_NAME

_UNUSUAL = frozenset(("", ".", ".."))


class FileSource(Protocol):
    """A cluster's files, by the name that a phone asks for.

    The same source serves every transport of a node. It is called on the event loop and must not wait.
    """

    def read(self, name: str, peer: str, transport: str) -> bytes:
        """The bytes of a file, whole.

        Args:
            name: as the client wrote it; see `check_name`.
            peer: address of the client, for policy and trace.
            transport: ``tftp``, ``http`` or ``https``.

        Raises:
            Refusal: with the TFTP error code to answer (RFC 1350): 1 no such file, 2 not for this client.
        """
        ...


def check_name(name: str) -> None:
    """Sees to the promise that `FileSource.read` makes about its names.

    Raises:
        Refusal: code 2, for a name that is empty or longer than 255 bytes, is absolute, has an empty part, ``.`` or
            ``..`` between its slashes, or a backslash, a NUL or another character that cannot be printed.
    """
    if not 0 < len(name.encode("utf-8", "replace")) <= MAX_FILE_NAME:
        raise Refusal(2, f"Access violation: the file name has not 1 to {MAX_FILE_NAME} bytes")
    if not name.isprintable() or "\\" in name:
        raise Refusal(2, "Access violation: the file name has a character that is not allowed")
    if name.startswith("/"):
        raise Refusal(2, "Access violation: the file name is absolute")
    if not _UNUSUAL.isdisjoint(name.split("/")):
        raise Refusal(2, "Access violation: the file name has an empty part, . or .. between slashes")
