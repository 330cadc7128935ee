"""Flash of phones that are much alike, and gone with the process: what one phone holds like another takes little room.

The trust lists of a cluster are one object for all its phones (`phone_sim.trust.read_list`) and kept as they are. All
else, the configuration above all, differs from another phone's in a few names and numbers: it is kept deflated, with
the first of its kind that came as the dictionary.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from phone_sim.flash import Item

if TYPE_CHECKING:
    from collections.abc import Callable

_SHARED = frozenset({Item.CTL, Item.ITL})
_LEVEL = 1
_RAW = -15
"""Deflate without header and checksum, which take more than what is left of a configuration."""


def fleet_flash() -> Callable[[], FleetFlash]:
    """What makes the flash of each phone of one fleet."""
    samples: dict[Item, bytes] = {}
    return lambda: FleetFlash(samples)


class FleetFlash:
    """See `phone_sim.flash.Flash`.

    Args:
        samples: one of each kind, the same mapping for all phones of a fleet; never changed once it is there.
    """

    __slots__ = ("_items", "_samples")

    def __init__(self, samples: dict[Item, bytes]) -> None:
        self._samples = samples
        self._items: dict[Item, bytes] = {}

    @property
    def size(self) -> int:
        """Bytes that it takes, shared ones too."""
        return sum(map(len, self._items.values()))

    def read(self, item: Item) -> bytes | None:
        """See `phone_sim.flash.Flash.read`."""
        data = self._items.get(item)
        if data is None or item in _SHARED:
            return data
        return zlib.decompressobj(_RAW, zdict=self._samples[item]).decompress(data)

    def write(self, item: Item, data: bytes) -> None:
        """See `phone_sim.flash.Flash.write`."""
        if item not in _SHARED:
            sample = self._samples.setdefault(item, data)
            deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, zdict=sample)
            data = deflate.compress(data) + deflate.flush()
        self._items[item] = data

    def delete(self, item: Item) -> None:
        """See `phone_sim.flash.Flash.delete`."""
        self._items.pop(item, None)
