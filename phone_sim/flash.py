"""The phone's durable memory: a folder, or nothing but memory for tests and fleets.

Each item is one file, replaced as a whole: written beside it, flushed to the disk, renamed over it. A power
cut leaves the old or the new, never a part. The folder is readable by its owner only. ``flash.json`` says
whose memory it is and in which format.

Unreadable contents are no error here: the phone treats such an item as not there and says so on its screen.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from wire.errors import OperatorError

FORMAT = 1
"""Version of the folder's layout; another one is refused rather than misread."""
_LABEL = "flash.json"
_TEMPORARY = ".new-"
_MAX_LABEL_SIZE = 4096
_MAX_ITEM_SIZE = 4 * 1024 * 1024


class FlashError(OperatorError):
    """The flash folder cannot be used: another phone's, another version's, damaged, or not accessible."""


class Item(Enum):
    """What flash can hold; the value is the file name."""

    CTL = "CTLFile.tlv"
    ITL = "ITLFile.tlv"
    CONFIG = "config.cnf.xml"
    """The last good configuration, plain."""
    CONFIG_AS_RECEIVED = "config.received"
    """The file that it came in, with its signature."""
    LSC = "lsc.pem"
    """Locally significant certificate and its key."""
    MIC = "mic.pem"
    """Manufacturer installed certificate and its key."""
    STATUS = "status.json"
    TVS_CACHE = "tvs-cache.json"
    USER_LOCALE = "user-locale.held"
    """This and the next: files beside the configuration, see `phone_sim.namedfiles`."""
    NETWORK_LOCALE = "network-locale.held"
    APP_DIAL_RULES = "application-dial-rules.held"
    SOFT_KEYS = "soft-keys.held"
    DIAL_TEMPLATE = "dial-template.held"
    RING_LIST = "ring-list.held"


class Flash(Protocol):
    """Where a phone keeps things over a power cut."""

    def read(self, item: Item) -> bytes | None:
        """The item, or None.

        Raises:
            FlashError: it is there and cannot be read.
        """
        ...

    def write(self, item: Item, data: bytes) -> None:
        """Replaces the item, whole or not at all.

        Raises:
            FlashError: it cannot be written; the old one is still there.
        """
        ...

    def delete(self, item: Item) -> None:
        """Removes the item if it is there.

        Raises:
            FlashError: it cannot be removed.
        """
        ...


class MemoryFlash:
    """Flash that is gone with the process."""

    def __init__(self) -> None:
        self._items: dict[Item, bytes] = {}

    def read(self, item: Item) -> bytes | None:
        """See `Flash.read`."""
        return self._items.get(item)

    def write(self, item: Item, data: bytes) -> None:
        """See `Flash.write`."""
        self._items[item] = data

    def delete(self, item: Item) -> None:
        """See `Flash.delete`."""
        self._items.pop(item, None)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory it is."""

    mac: str
    model: str


class DirectoryFlash:
    """Flash in a folder. Open it with `create` for a phone, with `open` to look at what is there.

    Attributes:
        owner: the phone that it belongs to.
    """

    def __init__(self, folder: Path, owner: Owner) -> None:
        self._folder = folder
        self.owner = owner

    @classmethod
    def create(cls, folder: Path, owner: Owner) -> DirectoryFlash:
        """The phone's folder, made when it is not there yet.

        Raises:
            FlashError: it belongs to another phone or version, is damaged, or is not accessible.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            for leftover in folder.glob(f"{_TEMPORARY}*"):  # of a write that a power cut ended
                leftover.unlink()
            labelled = (folder / _LABEL).exists()
        except OSError as error:
            raise FlashError(f"flash folder {folder} cannot be used: {error.strerror}") from error
        if labelled:
            flash = cls.open(folder)
            if flash.owner != owner:
                was = f"a {flash.owner.model} with MAC {flash.owner.mac}"
                raise FlashError(f"flash folder {folder} belongs to {was}, not to a {owner.model} with MAC {owner.mac}")
            return flash
        label = {"format": FORMAT, "mac": owner.mac, "model": owner.model}
        flash = cls(folder, owner)
        flash._replace(_LABEL, json.dumps(label, indent=1).encode() + b"\n")
        return flash

    @classmethod
    def open(cls, folder: Path) -> DirectoryFlash:
        """An existing folder.

        Raises:
            FlashError: as `create`, or there is none.
        """
        try:
            with (folder / _LABEL).open("rb") as file:
                label = json.loads(file.read(_MAX_LABEL_SIZE))
            version, mac, model = label["format"], label["mac"], label["model"]
        except FileNotFoundError as error:
            raise FlashError(f"{folder} is no flash folder: it has no {_LABEL}") from error
        except OSError as error:
            raise FlashError(f"flash folder {folder} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FlashError(f"{folder / _LABEL} is damaged; delete the folder for a factory-new phone") from error
        if version != FORMAT:
            raise FlashError(f"flash folder {folder} has format {version}; this version reads format {FORMAT}")
        return cls(folder, Owner(str(mac), str(model)))

    def read(self, item: Item) -> bytes | None:
        """See `Flash.read`."""
        try:
            with (self._folder / item.value).open("rb") as file:
                data = file.read(_MAX_ITEM_SIZE + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FlashError(f"{self._folder / item.value} cannot be read: {error.strerror}") from error
        if len(data) > _MAX_ITEM_SIZE:
            raise FlashError(f"{self._folder / item.value} is larger than {_MAX_ITEM_SIZE} bytes")
        return data

    def write(self, item: Item, data: bytes) -> None:
        """See `Flash.write`."""
        self._replace(item.value, data)

    def delete(self, item: Item) -> None:
        """See `Flash.delete`."""
        try:
            (self._folder / item.value).unlink(missing_ok=True)
            self._flush_folder()
        except OSError as error:
            raise FlashError(f"{self._folder / item.value} cannot be removed: {error.strerror}") from error

    def _replace(self, name: str, data: bytes) -> None:
        temporary = ""
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._folder)  # mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._folder / name)
            self._flush_folder()
        except OSError as error:
            with suppress(OSError):
                if temporary:
                    Path(temporary).unlink(missing_ok=True)
            raise FlashError(f"{self._folder / name} cannot be written: {error.strerror}") from error

    def _flush_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
