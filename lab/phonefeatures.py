"""The features of the Unified CM Phone Feature List, each with the facts of the model table behind it (R-RPT-1).

UCM's own words are Security By Default, Authenticated Contact Search, and 3072 and 4096 bit RSA; a list of all its
features is not published. The words for the rest are this project's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.phonemodels import Ability, TlsVersion
from lab.story.text import Text
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from base.phonemodels import ModelTable, PhoneModel


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature.

    Attributes:
        name: its name in the report.
        head: at most four characters, for a column.
        facts: attributes of a model that tell.
        about: what it means.
        version: the version of TLS that is asked about; None when the only fact is an ability.
    """

    name: str
    head: str
    facts: tuple[str, ...]
    about: Text
    version: TlsVersion | None = None

    def of(self, model: PhoneModel) -> Ability:
        """Whether a model has it."""
        if self.version is not None:
            return model.speaks(self.version)
        ability = getattr(model, self.facts[0])
        assert isinstance(ability, Ability)  # noqa: S101 - the table below names abilities only
        return ability

    def sources(self, model: PhoneModel) -> tuple[str, ...]:
        """Keys of those who say so; none where it is unknown."""
        if self.of(model) is Ability.UNKNOWN:
            return ()
        return tuple(dict.fromkeys(key for fact in self.facts for key in model.sources.get(fact, ())))


_TLS = ("tls_min", "tls_known", "tls_max")

FEATURES = (
    Feature(
        "Security By Default",
        "SBD",
        ("security_by_default",),
        Text("fetches CTL and ITL, wants signed files", "CTL/ITL を取得し署名付きファイルを要求"),
    ),
    Feature(
        "Authenticated Contact Search",
        "ACS",
        ("contact_search",),
        Text("authenticates itself for searches", "連絡先検索時に認証を行う"),
    ),
    Feature(
        "3072/4096 RSA",
        "RSA",
        ("rsa_4096",),
        Text("uses RSA keys of more than 2048 bits", "2048 ビットを超える RSA 鍵"),
    ),
    Feature("Elliptic Curve Keys", "EC", ("ec",), Text("uses EC keys and certificates", "楕円曲線の鍵と証明書")),
    Feature("SHA-256 Signatures", "256", ("sha256",), Text("takes files signed so", "SHA-256 署名のファイル")),
    Feature("SHA-512 Signatures", "512", ("sha512",), Text("takes files signed so", "SHA-512 署名のファイル")),
    Feature("HTTP Download", "6970", ("http",), Text("asks HTTP 6970 before TFTP", "TFTP より先に HTTP 6970")),
    Feature(
        "HTTPS Download",
        "6971",
        ("https_config",),
        Text("asks HTTPS 6971 if the ITL says so", "ITL の指示により HTTPS 6971"),
    ),
    Feature("Encrypted Configuration", "ENC", ("encrypted_config",), Text("reads it", "暗号化された設定ファイル")),
    Feature("Locally Significant Certificate", "LSC", ("lsc",), Text("gets it from CAPF", "CAPF から取得")),
    Feature("Secure Boot", "BOOT", ("secure_boot",), Text("starts signed firmware only", "署名付きのみ起動")),
    Feature("Image Signing", "SIGN", ("image_signing",), Text("its firmware is signed", "ファームウェアに署名")),
    Feature("TLS 1.0", "1.0", _TLS, Text("its clients speak it", "クライアントが対応"), TlsVersion.V1_0),
    Feature("TLS 1.2", "1.2", _TLS, Text("its clients speak it", "クライアントが対応"), TlsVersion.V1_2),
    Feature("TLS 1.3", "1.3", _TLS, Text("its clients speak it", "クライアントが対応"), TlsVersion.V1_3),
)


def find_feature(text: str) -> Feature:
    """A feature by its name, its column, the name of its fact, or a beginning that only one has; in any case.

    Raises:
        OperatorError: there is none; the message lists those there are.
    """
    wanted = _letters(text)
    exact = [item for item in FEATURES if wanted in set(map(_letters, _names(item)))]
    begun = [item for item in FEATURES if wanted and any(_letters(name).startswith(wanted) for name in _names(item))]
    for found in (exact, begun):
        if len(found) == 1:
            return found[0]
    problem = f"could be {', '.join(item.name for item in begun)}" if begun else "is not in the list"
    raise OperatorError(f"feature {text!r} {problem}; features are {', '.join(item.name for item in FEATURES)}")


def find_product(table: ModelTable, text: str) -> PhoneModel:
    """A product by UCM's name of it or the model's, see `ModelTable.find`.

    Raises:
        OperatorError: there is none; the message lists those there are.
    """
    found = table.find(text)
    if found is None:
        raise OperatorError(f"product {text!r} is not in the list; products are {', '.join(table.models)}")
    return found


def by_ability(feature: Feature, models: Iterable[PhoneModel]) -> dict[Ability, list[PhoneModel]]:
    """Who has a feature, who has not, and of whom nobody says."""
    groups: dict[Ability, list[PhoneModel]] = {ability: [] for ability in Ability}
    for model in models:
        groups[feature.of(model)].append(model)
    return groups


def _names(feature: Feature) -> tuple[str, ...]:
    own = feature.facts if feature.version is None else ()
    return (feature.name, feature.head, *own)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
