"""A user locale as phones load it: an archive, ``….jar``, which is a ZIP file.

What real ones hold is no business of this module; it reads their table of contents and checks what they hold against
it, within limits.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ARCHIVE_SIZE = 1_048_576
MAX_MEMBERS = 256
MAX_UNPACKED_SIZE = 8 * 1_048_576
"""Bytes of all members together. All three limits are ours."""
_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The same bytes for the same content: an archive tells no time here."""
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted, or (NotImplementedError) packed in an uncommon way
    ValueError,  # among them UnicodeDecodeError
    OverflowError,
)


def encode_archive(members: Mapping[str, bytes]) -> bytes:
    """Packs files, in their order.

    Raises:
        WireError: beyond a limit.
    """
    if len(members) > MAX_MEMBERS or sum(map(len, members.values())) > MAX_UNPACKED_SIZE:
        raise WireError(f"an archive of more than {MAX_MEMBERS} files or {MAX_UNPACKED_SIZE} bytes")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), data)
    if packed.tell() > MAX_ARCHIVE_SIZE:
        raise WireError(f"an archive of {packed.tell()} bytes is over the limit of {MAX_ARCHIVE_SIZE}")
    return packed.getvalue()


def decode_archive(data: bytes) -> dict[str, bytes]:
    """Unpacks an archive: name -> content, in its order.

    Raises:
        WireError: it is none, is damaged or empty, or beyond a limit.
    """
    if len(data) > MAX_ARCHIVE_SIZE:
        raise WireError(f"an archive of {len(data)} bytes is over the limit of {MAX_ARCHIVE_SIZE}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _unpack(archive)
    except _BROKEN as error:
        raise WireError(f"not a ZIP archive that can be read: {error}") from error


def _unpack(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if not 0 < len(entries) <= MAX_MEMBERS:
        raise WireError(f"an archive of {len(entries)} files, not of 1 to {MAX_MEMBERS}")
    left = MAX_UNPACKED_SIZE
    unpacked: dict[str, bytes] = {}
    for entry in entries:
        if entry.compress_type not in _PACKED:  # the library unpacks the others without a limit
            raise WireError(f"{entry.filename[:40]!r} is packed in another way than stored or deflated")
        with archive.open(entry) as member:
            content = member.read(left + 1)  # what the table says of its size is only a claim
            if len(content) > left:
                raise WireError(f"an archive of more than {MAX_UNPACKED_SIZE} bytes unpacked")
            left -= len(content)
            unpacked[entry.filename] = content
    return unpacked
