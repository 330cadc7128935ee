"""What the screen of a phone that stays up says, in every language: registration, status messages, keys.

The phone's own words are English, as in its firmware; in Japanese they stand first and their meaning behind them, since
the words of Cisco's Japanese locale are not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.story.text import Text

if TYPE_CHECKING:
    from lab.story.text import Language

KEYS = Text(
    "Keys (then Enter): d directories, v services, 1 2 3 select, . close, s settings, m status messages, "
    "e erase trust lists (ec CTL, ei ITL), el erase LSC, factory for a factory reset, r reset, q unplug",
    "キー(続けて Enter): d ディレクトリ、v サービス、1 2 3 選択、. 閉じる、s 設定、m ステータスメッセージ、"
    "e 信頼リスト消去 (ec CTL、ei ITL)、el LSC 消去、factory 工場出荷時に戻す、r リセット、q 電源断",
)
WEB = Text("Web page: {url}", "Web ページ: {url}")
BOOTED = Text("boot {number}: {outcome}", "起動 {number} 回目: {outcome}")
NO_NUMBER = Text("no number", "番号なし")

_REGISTRATION = {
    "Registered": "登録済み",
    "Registering": "登録中",
    "Unregistered": "登録解除",
    "Registration Rejected": "登録拒否",
    "Registration failed": "登録失敗",
}
_MEANING = {
    "ctl and itl installed": "CTL と ITL をインストールしました",
    "ctl installed": "CTL をインストールしました",
    "itl installed": "ITL をインストールしました",
    "trust list updated": "信頼リストを更新しました",
    "trust list update failed": "信頼リストの更新に失敗しました",
    "no trust list installed": "信頼リストがありません",
    "erasing ctl and itl files": "CTL と ITL を消去しています",
    "erasing ctl file": "CTL を消去しています",
    "erasing itl file": "ITL を消去しています",
    "erasing lsc": "LSC を消去しています",
    "factory reset": "工場出荷時の状態に戻しました",
    "error updating locale": "ロケールを更新できません",
    "host not found": "ホストが見つかりません(サーバを信頼できません)",
    "tftp timeout": "TFTP サーバが応答しません",
    "tftp error": "TFTP サーバがファイルを送れません",
    "dns unknown host": "サーバの名前が見つかりません",
    "file not found <ctlfile.tlv>": "CTL はサーバにありません",
}
_BEGINNINGS = {
    "could not load ": "フラッシュから読み込めません",
    "file not found ": "サーバにファイルがありません",
    "invalid file ": "ファイルの署名を確認できません",
}


def registration_text(text: str, language: Language) -> str:
    """The state of the registration; what a server said of it stays as it is."""
    if language == "en":
        return text
    for known, japanese in _REGISTRATION.items():
        if text == known or text.startswith((f"{known}:", f"{known} ")):
            return f"{japanese} [{text}]" if text != known else japanese
    return text


def message_text(text: str, language: Language) -> str:
    """A status message, in Japanese with its meaning."""
    if language == "en":
        return text
    folded = text.lower()
    begun = (meaning for beginning, meaning in _BEGINNINGS.items() if folded.startswith(beginning))
    meaning = _MEANING.get(folded) or next(begun, None)
    return f"{text} – {meaning}" if meaning else text
