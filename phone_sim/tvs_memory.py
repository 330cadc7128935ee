"""Answers of TVS that the phone remembers in flash, each until its own wall-clock time is over.

Only good answers are kept: TVS gives a time to live with those alone. What cannot be read in flash is forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    answer: TvsSaid
    expires: datetime


class TvsMemory:
    """The phone's TVS cache."""

    def __init__(self, flash: Flash, clock: Clock) -> None:
        self._flash = flash
        self._clock = clock
        self._answers = self._load()

    def recall(self, question: WhoSigned | IsTrusted) -> TvsSaid | None:
        """The answer to the same question, while its time to live lasts."""
        remembered = self._answers.get(_key(question))
        if remembered is None or remembered.expires <= self._clock.now():
            return None
        return remembered.answer

    def remember(self, question: WhoSigned | IsTrusted, answer: TvsSaid, ttl_s: int) -> None:
        """Keeps an answer for `ttl_s` seconds.

        Raises:
            FlashError: flash keeps what it had.
        """
        if not answer.trusted or ttl_s <= 0:
            return
        key = _key(question)
        self._answers.pop(key, None)
        self._answers[key] = _Remembered(answer, self._clock.now() + timedelta(seconds=ttl_s))
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
                "expires": item.expires.isoformat(),
            }
            for key, item in self._answers.items()
        ]
        self._flash.write(Item.TVS_CACHE, json.dumps(entries, indent=1).encode())

    def _load(self) -> dict[str, _Remembered]:
        try:
            data = self._flash.read(Item.TVS_CACHE)
            entries = json.loads(data) if data else []
            return dict(_read(entry) for entry in entries)
        except (FlashError, WireError, ValueError, KeyError, TypeError, OverflowError):
            return {}


def _key(question: WhoSigned | IsTrusted) -> str:
    if isinstance(question, WhoSigned):
        issuer = repr(DistinguishedName.parse(question.issuer).key).encode()
        return f"query:{question.serial.hex()}:{hashlib.sha256(issuer).hexdigest()}"
    return f"verify:{question.certificate.sha256.hex()}"


def _encode(certificate: Certificate | None) -> str | None:
    return base64.b64encode(certificate.der).decode("ascii") if certificate else None


def _read(entry: dict[str, object]) -> tuple[str, _Remembered]:
    encoded, roles = entry["certificate"], entry["roles"]
    if not isinstance(roles, list):
        raise TypeError("roles are no list")
    certificate = Certificate.from_der(base64.b64decode(str(encoded))) if encoded else None
    expires = datetime.fromisoformat(str(entry["expires"]))
    if expires.tzinfo is None:
        raise ValueError("time without zone")
    answer = TvsSaid(True, tuple(int(role) for role in roles), certificate)
    return str(entry["key"]), _Remembered(answer, expires)
