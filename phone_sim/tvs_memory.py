"""Answers of TVS that the phone remembers in flash, each for its own time to live.

Only good answers are kept: TVS gives a time to live with those alone. What cannot be read in flash is forgotten.

A phone's clock may jump. An answer counts only while the clock stands between the moment at which it came and the end
of its time; while the phone stays powered, its time to live is measured by the unmovable clock as well. One that is
found outside its time is forgotten for good, so that setting the clock back makes none of them live again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from phone_sim.flash import FlashError, Item
from phone_sim.trust import TvsSaid, WhoSigned
from wire.certificates import Certificate
from wire.errors import WireError
from wire.names import DistinguishedName

if TYPE_CHECKING:
    from base.clock import Clock
    from phone_sim.flash import Flash
    from phone_sim.trust import IsTrusted

MAX_ANSWERS = 64
"""The oldest answer makes room for the one after these."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    """An answer; `came_at` by the wall clock, `powered_at` by the unmovable one since this phone was switched on."""

    answer: TvsSaid
    ttl_s: int
    came_at: datetime
    powered_at: float


class TvsMemory:
    """The phone's TVS cache.

    Attributes:
        loss: why what was in flash could not be read; empty when it could.
    """

    def __init__(self, flash: Flash, clock: Clock) -> None:
        self._flash = flash
        self._clock = clock
        self.loss = ""
        self._answers = self._load()

    def recall(self, question: WhoSigned | IsTrusted) -> TvsSaid | None:
        """The answer to the same question, while its time to live lasts.

        Raises:
            FlashError: it is over, and flash keeps the answer.
        """
        key = _key(question)
        remembered = self._answers.get(key)
        if remembered is None:
            return None
        ages = (
            (self._clock.now() - remembered.came_at).total_seconds(),
            self._clock.monotonic() - remembered.powered_at,
        )
        if all(0 <= age < remembered.ttl_s for age in ages):
            return remembered.answer
        del self._answers[key]
        self._save()
        return None

    def remember(self, question: WhoSigned | IsTrusted, answer: TvsSaid, ttl_s: int) -> None:
        """Keeps an answer for `ttl_s` seconds.

        Raises:
            FlashError: flash keeps what it had.
        """
        if not answer.trusted or ttl_s <= 0:
            return
        key = _key(question)
        self._answers.pop(key, None)
        self._answers[key] = _Remembered(answer, ttl_s, self._clock.now(), self._clock.monotonic())
        while len(self._answers) > MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._save()

    def forget_all(self) -> None:
        """Empties the cache, as a trust-list update does.

        Raises:
            FlashError: flash keeps what it had.
        """
        self._answers.clear()
        self._flash.delete(Item.TVS_CACHE)

    def _save(self) -> None:
        entries = [
            {
                "key": key,
                "roles": list(item.answer.roles),
                "certificate": _encode(item.answer.certificate),
                "came_at": item.came_at.isoformat(),
                "ttl_s": item.ttl_s,
            }
            for key, item in self._answers.items()
        ]
        self._flash.write(Item.TVS_CACHE, json.dumps(entries, indent=1).encode())

    def _load(self) -> dict[str, _Remembered]:
        try:
            data = self._flash.read(Item.TVS_CACHE)
            entries = json.loads(data) if data is not None else []
            return dict(_read(entry, self._clock.monotonic()) for entry in entries)
        except (FlashError, WireError) as error:
            self.loss = str(error)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            self.loss = "not the TVS answers of this version"
        return {}


def _key(question: WhoSigned | IsTrusted) -> str:
    if isinstance(question, WhoSigned):
        issuer = repr(DistinguishedName.parse(question.issuer).key).encode()
        return f"query:{question.serial.hex()}:{hashlib.sha256(issuer).hexdigest()}"
    return f"verify:{question.certificate.sha256.hex()}"


def _encode(certificate: Certificate | None) -> str | None:
    return base64.b64encode(certificate.der).decode("ascii") if certificate else None


def _read(entry: dict[str, object], powered_at: float) -> tuple[str, _Remembered]:
    encoded, roles, ttl_s = entry["certificate"], entry["roles"], entry["ttl_s"]
    if not isinstance(roles, list) or not isinstance(ttl_s, int):
        raise TypeError("roles are no list, or the time to live is no number")
    certificate = Certificate.from_der(base64.b64decode(str(encoded))) if encoded else None
    came_at = datetime.fromisoformat(str(entry["came_at"]))
    if came_at.tzinfo is None:
        raise ValueError("time without zone")
    answer = TvsSaid(True, tuple(int(role) for role in roles), certificate)
    return str(entry["key"]), _Remembered(answer, ttl_s, came_at, powered_at)
