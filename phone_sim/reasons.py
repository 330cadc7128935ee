"""Why the phone accepted or refused something: every reason there is, with a sentence in two languages."""

from __future__ import annotations

from enum import Enum
from typing import Literal

Language = Literal["en", "ja"]


class Reason(Enum):
    """The one rule that decided. The value is the code in reports and traces."""

    LEAP_OF_FAITH = "leap_of_faith"
    UNCHANGED = "unchanged"
    SIGNED_BY_CTL = "signed_by_ctl"
    SIGNED_BY_ITL = "signed_by_itl"
    SIGNER_VOUCHED_BY_TVS = "signer_vouched_by_tvs"
    EMPTY_ITL = "empty_itl"
    NO_TRUST_LIST = "no_trust_list"
    CAME_OVER_TRUSTED_HTTPS = "came_over_trusted_https"
    SERVER_IN_CTL = "server_in_ctl"
    SERVER_IN_ITL = "server_in_itl"
    SERVER_VOUCHED_BY_TVS = "server_vouched_by_tvs"

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    WRONG_FILE_NAME = "wrong_file_name"
    DIGEST_NOT_SUPPORTED = "digest_not_supported"
    KEY_TOO_LONG = "key_too_long"
    UNSIGNED = "unsigned"
    ENCRYPTED = "encrypted"
    NOT_DECRYPTED = "not_decrypted"
    SIGNER_NOT_IN_OWN_LIST = "signer_not_in_own_list"
    BAD_SIGNATURE = "bad_signature"
    SIGNER_LACKS_ROLE = "signer_lacks_role"
    TVS_NOT_IN_TRUST_LIST = "tvs_not_in_trust_list"
    TVS_NOT_CONFIGURED = "tvs_not_configured"
    TVS_CANNOT_VOUCH_FOR_TVS = "tvs_cannot_vouch_for_tvs"
    TVS_UNREACHABLE = "tvs_unreachable"
    TVS_DOES_NOT_KNOW = "tvs_does_not_know"
    TVS_ROLE_MISSING = "tvs_role_missing"
    TVS_SENT_ANOTHER_CERTIFICATE = "tvs_sent_another_certificate"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_EXPIRED = "certificate_expired"

    @property
    def accepts(self) -> bool:
        """True for a reason to accept, False for one to keep the old."""
        return self in _ACCEPTING

    @property
    def via(self) -> str:
        """What the trust was drawn from: ``CTL``, ``ITL``, ``TVS``, or nothing."""
        return _VIA.get(self, "")

    def text(self, language: Language = "en") -> str:
        """One sentence for a person."""
        return (_ENGLISH if language == "en" else _JAPANESE)[self]


_ACCEPTING = frozenset(
    {
        Reason.LEAP_OF_FAITH,
        Reason.UNCHANGED,
        Reason.SIGNED_BY_CTL,
        Reason.SIGNED_BY_ITL,
        Reason.SIGNER_VOUCHED_BY_TVS,
        Reason.EMPTY_ITL,
        Reason.NO_TRUST_LIST,
        Reason.CAME_OVER_TRUSTED_HTTPS,
        Reason.SERVER_IN_CTL,
        Reason.SERVER_IN_ITL,
        Reason.SERVER_VOUCHED_BY_TVS,
    }
)
_VIA = {
    Reason.SIGNED_BY_CTL: "CTL",
    Reason.SERVER_IN_CTL: "CTL",
    Reason.SIGNED_BY_ITL: "ITL",
    Reason.SERVER_IN_ITL: "ITL",
    Reason.SIGNER_VOUCHED_BY_TVS: "TVS",
    Reason.SERVER_VOUCHED_BY_TVS: "TVS",
    Reason.TVS_DOES_NOT_KNOW: "TVS",
    Reason.TVS_ROLE_MISSING: "TVS",
    Reason.TVS_SENT_ANOTHER_CERTIFICATE: "TVS",
}
_ENGLISH = {
    Reason.LEAP_OF_FAITH: "The phone held no trust list, so it trusted the first one blindly.",
    Reason.UNCHANGED: "The file is byte for byte the one that the phone already holds.",
    Reason.SIGNED_BY_CTL: "The phone's CTL lists the signer in the role it needs; the signature is valid.",
    Reason.SIGNED_BY_ITL: "The phone's ITL lists the signer in the role it needs; the signature is valid.",
    Reason.SIGNER_VOUCHED_BY_TVS: "TVS knows the signer in the role it needs; the signature is valid.",
    Reason.EMPTY_ITL: "The ITL is empty (prepared for rollback) and there is no CTL: anything is accepted.",
    Reason.NO_TRUST_LIST: "The phone holds no trust list and so takes unsigned files.",
    Reason.CAME_OVER_TRUSTED_HTTPS: "It came over HTTPS from a server whose certificate the phone trusts.",
    Reason.SERVER_IN_CTL: "The phone's CTL lists the server's certificate with the role it needs.",
    Reason.SERVER_IN_ITL: "The phone's ITL lists the server's certificate with the role it needs.",
    Reason.SERVER_VOUCHED_BY_TVS: "TVS knows the server's certificate in the role it needs.",
    Reason.UNREADABLE: "The bytes do not follow their format.",
    Reason.TOO_LARGE: "The file is larger than the 64 KiB that a phone loads.",
    Reason.WRONG_FILE_NAME: "The signed header names another file than the one asked for.",
    Reason.DIGEST_NOT_SUPPORTED: "The file is signed with a digest that this model does not know.",
    Reason.KEY_TOO_LONG: "The RSA key has more than 2048 bits, which this model does not know.",
    Reason.UNSIGNED: "The file is not signed, and a phone with a trust list takes signed files only.",
    Reason.ENCRYPTED: "The configuration is encrypted, and the phone has no key to decrypt it.",
    Reason.NOT_DECRYPTED: "The key is there, but the configuration does not decrypt to what its header says.",
    Reason.SIGNER_NOT_IN_OWN_LIST: "The list does not hold its own signer among its first two SAST records.",
    Reason.BAD_SIGNATURE: "The signature does not verify with the signer's certificate: changed or forged.",
    Reason.SIGNER_LACKS_ROLE: "The trust lists know the signer in another role only; there is no TVS to ask.",
    Reason.TVS_NOT_IN_TRUST_LIST: "Unknown to the phone, and its ITL lists no TVS to ask.",
    Reason.TVS_NOT_CONFIGURED: "Unknown to the phone, and its configuration names no TVS to ask.",
    Reason.TVS_CANNOT_VOUCH_FOR_TVS: "It is a TVS certificate, and those are never checked through TVS.",
    Reason.TVS_UNREACHABLE: "Unknown to the phone, and no TVS server answered.",
    Reason.TVS_DOES_NOT_KNOW: "Neither the phone nor TVS knows the certificate.",
    Reason.TVS_ROLE_MISSING: "TVS knows the certificate, but not in the role it needs here.",
    Reason.TVS_SENT_ANOTHER_CERTIFICATE: "TVS answered without the signer's certificate or with another one.",
    Reason.CERTIFICATE_NOT_YET_VALID: "The server's certificate is not valid yet by the phone's clock.",
    Reason.CERTIFICATE_EXPIRED: "The server's certificate has expired by the phone's clock.",
}
_JAPANESE = {
    Reason.LEAP_OF_FAITH: "電話機に信頼リストがなかったため、最初のリストを無条件に信頼しました。",
    Reason.UNCHANGED: "電話機が保持しているファイルと完全に同一です。",
    Reason.SIGNED_BY_CTL: "署名者は電話機の CTL に必要な役割で登録されており、署名も有効です。",
    Reason.SIGNED_BY_ITL: "署名者は電話機の ITL に必要な役割で登録されており、署名も有効です。",
    Reason.SIGNER_VOUCHED_BY_TVS: "TVS が署名者を必要な役割で認識しており、署名も有効です。",
    Reason.EMPTY_ITL: "ITL が空(ロールバック準備済み)で CTL もないため、すべて受け入れます。",
    Reason.NO_TRUST_LIST: "信頼リストがないため、署名のないファイルを受け入れます。",
    Reason.CAME_OVER_TRUSTED_HTTPS: "信頼できる証明書を持つサーバから HTTPS で受信しました。",
    Reason.SERVER_IN_CTL: "サーバ証明書は電話機の CTL に必要な役割で登録されています。",
    Reason.SERVER_IN_ITL: "サーバ証明書は電話機の ITL に必要な役割で登録されています。",
    Reason.SERVER_VOUCHED_BY_TVS: "TVS がサーバ証明書を必要な役割で認識しています。",
    Reason.UNREADABLE: "ファイルの形式が正しくありません。",
    Reason.TOO_LARGE: "電話機が読み込める 64 KiB を超えています。",
    Reason.WRONG_FILE_NAME: "署名付きヘッダーのファイル名が、要求したものと異なります。",
    Reason.DIGEST_NOT_SUPPORTED: "この機種が対応していないダイジェスト方式で署名されています。",
    Reason.KEY_TOO_LONG: "この機種が対応していない 2048 ビットを超える RSA 鍵です。",
    Reason.UNSIGNED: "署名がありません。信頼リストを持つ電話機は署名を必要とします。",
    Reason.ENCRYPTED: "設定ファイルは暗号化されており、電話機には復号する鍵がありません。",
    Reason.NOT_DECRYPTED: "鍵はありますが、復号した内容がヘッダーの記載と一致しません。",
    Reason.SIGNER_NOT_IN_OWN_LIST: "リスト自身の署名者が先頭二つの SAST レコードにありません。",
    Reason.BAD_SIGNATURE: "署名者の証明書で署名を検証できません。改ざんまたは偽造されています。",
    Reason.SIGNER_LACKS_ROLE: "署名者は登録済みですが必要な役割ではなく、問い合わせる TVS もありません。",
    Reason.TVS_NOT_IN_TRUST_LIST: "証明書が不明で、ITL に問い合わせ可能な TVS が登録されていません。",
    Reason.TVS_NOT_CONFIGURED: "証明書が不明で、設定ファイルに TVS サーバがありません。",
    Reason.TVS_CANNOT_VOUCH_FOR_TVS: "TVS 証明書であり、TVS 証明書は TVS では検証されません。",
    Reason.TVS_UNREACHABLE: "証明書が不明で、応答する TVS サーバがありませんでした。",
    Reason.TVS_DOES_NOT_KNOW: "証明書が不明で、TVS も認識していません。",
    Reason.TVS_ROLE_MISSING: "TVS は証明書を認識していますが、ここで必要な役割ではありません。",
    Reason.TVS_SENT_ANOTHER_CERTIFICATE: "TVS の応答に署名者の証明書がありません。",
    Reason.CERTIFICATE_NOT_YET_VALID: "電話機の時刻では、サーバ証明書はまだ有効期間前です。",
    Reason.CERTIFICATE_EXPIRED: "電話機の時刻では、サーバ証明書の有効期限が切れています。",
}
