"""The phone's security menu: security mode, LSC and MIC, and the Trust List submenu (R-PHN-2).

The lines that the 8800's guide names are ``Security Mode``, ``LSC``, ``Trust List`` with ``CTL File``, ``ITL File``
and ``Signed Configuration``, and in a list ``CTL Signature``, ``Unified CM / TFTP Server``, ``CAPF Server`` and
``TVS``. The rest is this project's: the MIC, whoever else a list holds, what stands below a line, the values of
``Security Mode``, the way to the menu on a 7800, and the Japanese words. A real phone shows one checksum, MD5 or SHA-1
by its model; this one shows both. ``SRST Router`` and ``802.1X Authentication``
are missing: the simulated phone has neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from phone_sim.credentials import Credential
from phone_sim.messages import Status
from phone_sim.models import Family
from phone_sim.trust import ListKind
from wire.phoneconfig import PhoneConfig
from wire.trustlist import Function

if TYPE_CHECKING:
    from base.trace import Json
    from phone_sim.memory import PhoneMemory
    from phone_sim.reasons import Language
    from wire.certificates import Certificate
    from wire.trustlist import TrustList, TrustRecord


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words on the screen, in each language."""

    en: str
    ja: str

    @classmethod
    def plain(cls, text: str) -> Phrase:
        """What is the same in every language: names, numbers, checksums."""
        return cls(text, text)

    def of(self, language: Language) -> str:
        """The words in one language."""
        return self.en if language == "en" else self.ja


_NOTHING = Phrase.plain("")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a menu, and the submenu behind it.

    Attributes:
        key: names the line for programs; several records of a list may have the same.
        value: what stands beside it; empty for a mere heading, and for a blank record.
    """

    key: str
    label: Phrase
    value: Phrase = _NOTHING
    entries: tuple[Entry, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Plain values: labels in both languages, values in English."""
        return {
            "key": self.key,
            "label": {"en": self.label.en, "ja": self.label.ja},
            "value": self.value.en,
            "entries": [entry.as_json() for entry in self.entries],
        }


_PATHS = {
    Family.P7800: Phrase(
        "Settings > Admin settings > Security setup", "設定 > 管理者設定 > セキュリティのセットアップ"
    ),
    Family.P7900: Phrase("Settings > Security Configuration", "設定 > セキュリティ設定"),
    Family.P8800: Phrase(
        "Applications > Admin settings > Security setup", "アプリケーション > 管理者設定 > セキュリティのセットアップ"
    ),
}
_PATHS[Family.DX] = _PATHS[Family.P8800]  # ours: no guide of theirs was at hand
_INSTALLED, _NOT_INSTALLED = Phrase("Installed", "インストール済み"), Phrase("Not Installed", "未インストール")
_MODES = {
    1: Phrase("Non Secure", "非セキュア"),
    2: Phrase("Authenticated", "認証済み"),
    3: Phrase("Encrypted", "暗号化"),
}
_LIST_LABELS = {
    ListKind.CTL: Phrase("CTL File", "CTL ファイル"),
    ListKind.ITL: Phrase("ITL File", "ITL ファイル"),
}
_UNIFIED_CM = ("unified_cm_tftp_server", Phrase("Unified CM / TFTP Server", "Unified CM / TFTP サーバ"))
_OTHER_FUNCTION = ("other", Phrase("Other", "その他"))
_FUNCTIONS: dict[int, tuple[str, Phrase]] = {
    Function.CCM: _UNIFIED_CM,
    Function.CCM_TFTP: _UNIFIED_CM,
    Function.TFTP: _UNIFIED_CM,
    Function.CAPF: ("capf_server", Phrase("CAPF Server", "CAPF サーバ")),
    Function.TVS: ("tvs", Phrase.plain("TVS")),
    Function.APP_SERVER: ("application_server", Phrase("Application Server", "アプリケーションサーバ")),
    Function.SAST: (
        "security_token",
        Phrase("System Administrator Security Token", "管理者セキュリティトークン (SAST)"),
    ),
}
"""In the order of the menu."""
_ORDER = (*dict.fromkeys(_FUNCTIONS.values()), _OTHER_FUNCTION)


def security_menu(memory: PhoneMemory, family: Family) -> Entry:
    """The whole menu as it stands; its value is empty, its label the way to it."""
    mode = memory.config.device_security_mode if isinstance(memory.config, PhoneConfig) else 1
    return Entry(
        "security_setup",
        _PATHS[family],
        entries=(
            Entry("security_mode", Phrase("Security Mode", "セキュリティモード"), _MODES[mode]),
            *(_credential(memory, credential) for credential in Credential),
            _trust_list_menu(memory, family),
        ),
    )


def _credential(memory: PhoneMemory, credential: Credential) -> Entry:
    key, label = credential.value.lower(), Phrase.plain(credential.value)
    identity = memory.credentials.get(credential)
    if identity is None:
        return Entry(key, label, _NOT_INSTALLED)
    certificate = identity.certificate
    kind = "RSA" if certificate.is_rsa else "EC"
    entries = (
        Entry("subject", Phrase("Subject", "サブジェクト"), Phrase.plain(str(certificate.subject))),
        Entry("issuer", Phrase("Issuer", "発行者"), Phrase.plain(str(certificate.issuer))),
        Entry("key", Phrase("Key", "鍵"), Phrase.plain(f"{kind} {certificate.public_key.key_size}")),
        *_validity(certificate),
    )
    return Entry(key, label, _INSTALLED, entries)


def _validity(certificate: Certificate) -> tuple[Entry, Entry]:
    return (
        Entry("valid_from", Phrase("Valid From", "有効期間の開始"), _moment(certificate.not_before)),
        Entry("valid_to", Phrase("Valid To", "有効期間の終了"), _moment(certificate.not_after)),
    )


def _moment(moment: datetime) -> Phrase:
    return Phrase.plain(f"{moment:%Y-%m-%d %H:%M:%S} UTC")


def _trust_list_menu(memory: PhoneMemory, family: Family) -> Entry:
    none = Phrase(Status.NO_TRUST_LIST.text(family), "信頼リストなし") if memory.held.is_empty else _NOTHING
    lists = tuple(_list(kind, memory.list_of(kind)) for kind in ListKind)
    return Entry("trust_list", Phrase("Trust List", "信頼リスト"), none, (*lists, _signed_configuration(memory)))


def _list(kind: ListKind, trust_list: TrustList | None) -> Entry:
    key, label = f"{kind.name.lower()}_file", _LIST_LABELS[kind]
    if trust_list is None:
        return Entry(key, label, _NOT_INSTALLED)
    made = datetime.fromtimestamp(trust_list.header.timestamp, UTC)
    signature = Phrase(f"{kind.name} Signature", f"{kind.name} 署名")
    return Entry(
        key,
        label,
        _INSTALLED,
        (
            *(
                Entry(
                    f"signature_{name}",
                    Phrase(f"{signature.en} ({shown})", f"{signature.ja} ({shown})"),
                    Phrase.plain(checksum),
                )
                for name, shown, checksum in (("sha1", "SHA-1", trust_list.sha1), ("md5", "MD5", trust_list.md5))
            ),
            Entry("signer", Phrase("Signed By", "署名者"), Phrase.plain(trust_list.header.signer.name)),
            Entry("created", Phrase("Created", "作成日時"), _moment(made)),
            Entry(
                "size",
                Phrase("Size", "サイズ"),
                Phrase(f"{len(trust_list.data)} bytes", f"{len(trust_list.data)} バイト"),
            ),
            *_records(trust_list),
        ),
    )


def _records(trust_list: TrustList) -> tuple[Entry, ...]:
    """One line a record, in the order of the menu and within it in that of the file."""
    named = [(_FUNCTIONS.get(record.function, _OTHER_FUNCTION), record) for record in trust_list.records]
    return tuple(_record(line, record) for line in _ORDER for of_line, record in named if of_line == line)


def _record(line: tuple[str, Phrase], record: TrustRecord) -> Entry:
    """A record without a certificate is an empty line, as an ITL for rollback shows them (R-RBK-1)."""
    known = record.function in set(Function)
    role = Function(record.function).name if known else str(record.function)
    entries = [Entry("role", Phrase("Role", "役割"), Phrase.plain(role))]
    if record.x509 is not None:
        serial = Phrase.plain(f"{record.x509.serial:X}")
        entries += [Entry("serial_number", Phrase("Serial Number", "シリアル番号"), serial), *_validity(record.x509)]
    return Entry(*line, Phrase.plain(record.subject), tuple(entries))


def _signed_configuration(memory: PhoneMemory) -> Entry:
    key, label = "signed_configuration", Phrase("Signed Configuration", "署名付き設定ファイル")
    signed = memory.signed_config
    if signed is None:
        return Entry(key, label, _NOT_INSTALLED)
    entries = (
        Entry("file_name", Phrase("File", "ファイル"), Phrase.plain(signed.header.file_name)),
        Entry("signer", Phrase("Signed By", "署名者"), Phrase.plain(signed.header.signer.name)),
    )
    return Entry(key, label, _INSTALLED, entries)
