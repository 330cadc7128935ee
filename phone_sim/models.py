"""What each phone model can do, from ``configs/phone_models.yaml``: yes, no, or that nobody says."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar

import yaml

from wire.errors import ConfigError, OperatorError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "phone_models.yaml"
_V = TypeVar("_V")


class Ability(Enum):
    """Whether a model can do something."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @property
    def assumed(self) -> bool:
        """What the simulated phone does: an unknown ability is taken to be there."""
        return self is not Ability.NO


class Family(Enum):
    """Models whose screens word status messages alike."""

    P7800 = "7800"
    P7900 = "7900"
    P8800 = "8800"


@dataclass(frozen=True, slots=True)
class Model:
    """One phone model.

    Attributes:
        name: digits as printed on the phone: ``8865``.
        type_number: the number behind ``loadinformation`` in the default configuration.
        load: a firmware name; empty when none was seen.
        family: wording of status messages.
        security_by_default: fetches trust lists and signed configurations (no: 7940, 7960).
        http: asks HTTP before TFTP.
        tls_min: lowest TLS version of its clients; None when not known.
        tls_max: highest TLS version; None when not known.
        sha512: accepts files signed with SHA-512.
        ec: can use certificates with elliptic-curve keys.
        rsa_4096: can use RSA keys of more than 2048 bits (R-CRT-8).
    """

    name: str
    type_number: int
    load: str
    family: Family
    security_by_default: Ability
    http: Ability
    tls_min: ssl.TLSVersion | None
    tls_max: ssl.TLSVersion | None
    sha512: Ability
    ec: Ability
    rsa_4096: Ability

    @property
    def tls_versions(self) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        """Lowest and highest version that the simulated phone offers; TLS 1.2 and above where not known."""
        return self.tls_min or ssl.TLSVersion.TLSv1_2, self.tls_max or ssl.TLSVersion.MAXIMUM_SUPPORTED

    @property
    def tls_ciphers(self) -> str | None:
        """OpenSSL cipher string for TLS 1.2 and below: the library's, without ECDSA if the model lacks it."""
        return None if self.ec.assumed else "DEFAULT:!aECDSA"

    def device_name(self, mac: str) -> str:
        """Name that the phone gives to TVS: ``CP-8865-SEP001122334455``."""
        return f"CP-{self.name}-SEP{mac}"


_TLS: Mapping[object, ssl.TLSVersion | None] = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
    "unknown": None,
}
_ABILITY: Mapping[object, Ability] = {True: Ability.YES, False: Ability.NO, "unknown": Ability.UNKNOWN}
_KEYS = frozenset(Model.__slots__) - {"name"}


def parse_models(text: str, where: str) -> dict[str, Model]:
    """Reads the table.

    Args:
        text: YAML with a mapping ``models`` from model name to abilities.
        where: file name for messages.

    Raises:
        ConfigError: all problems at once.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError((Problem(where, f"not YAML: {error}"),)) from error
    entries = document.get("models") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise ConfigError((Problem(where, "a mapping named models is missing"),))
    models: dict[str, Model] = {}
    problems: list[Problem] = []
    for name, entry in entries.items():
        try:
            models[str(name)] = _model(str(name), entry)
        except (KeyError, ValueError, TypeError) as error:
            problems.append(Problem(where, f"model {name}: {error}"))
    if problems:
        raise ConfigError(tuple(problems))
    return models


def _model(name: str, entry: Mapping[str, object]) -> Model:
    if set(entry) != _KEYS:
        raise ValueError(f"keys {sorted(set(entry) ^ _KEYS)} are missing or not known")
    return Model(
        name=name,
        type_number=int(str(entry["type_number"])),
        load=str(entry["load"]),
        family=Family(entry["family"]),
        security_by_default=_one_of(_ABILITY, entry, "security_by_default"),
        http=_one_of(_ABILITY, entry, "http"),
        tls_min=_one_of(_TLS, entry, "tls_min"),
        tls_max=_one_of(_TLS, entry, "tls_max"),
        sha512=_one_of(_ABILITY, entry, "sha512"),
        ec=_one_of(_ABILITY, entry, "ec"),
        rsa_4096=_one_of(_ABILITY, entry, "rsa_4096"),
    )


def _one_of(choices: Mapping[object, _V], entry: Mapping[str, object], key: str) -> _V:
    for choice, meaning in choices.items():
        if entry[key] is choice or (isinstance(choice, str) and entry[key] == choice):
            return meaning
    raise ValueError(f"{key} is {entry[key]!r}, not one of {', '.join(map(str, choices))}")


@cache
def all_models() -> Mapping[str, Model]:
    """The table that comes with the project, by model name."""
    return parse_models((files("configs") / _FILE).read_text("utf-8"), f"configs/{_FILE}")


def model(name: str) -> Model:
    """One model; ``CP-8865`` is read as ``8865``.

    Raises:
        OperatorError: no such model; the message lists those there are.
    """
    found = all_models().get(name.upper().removeprefix("CP-"))
    if found is None:
        raise OperatorError(f"phone model {name!r} is not known; known are {', '.join(sorted(all_models()))}")
    return found
