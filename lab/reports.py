"""A phone's reports for people: what was fetched, what was decided and why, what its screen says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text as Styled

from lab.console import one_line, printable
from lab.story.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from lab.story.text import Language
    from phone_sim.clients.capf import CapfResult
    from phone_sim.menus import Entry
    from phone_sim.messages import StatusMessage
    from phone_sim.report import BootReport, DecisionReport, DirectoryReport, FileSummary, Settings

_ACCEPTED, _REFUSED = Text("accepted", "受入"), Text("refused", "拒否")
_ASKED = Text("TVS {server} was asked", "TVS {server} に問い合わせ")
_OUTCOME = {
    "booted": Text("booted", "起動完了"),
    "refused": Text("refused what it needed", "必要なファイルを拒否"),
    "no_config": Text("no configuration anywhere", "設定ファイルなし"),
    "unreachable": Text("no server answered", "応答するサーバなし"),
}
_CAPF_OUTCOME = {
    "updated": Text("carried out", "完了"),
    "nothing_to_do": Text("nothing to do", "保留中の操作なし"),
    "refused": Text("the server refused", "サーバが拒否"),
    "unknown_device": Text("the server does not know the device", "サーバに未登録の電話機"),
    "retry_later": Text("the server has no time now", "後で再試行"),
    "string_needed": Text("waits for the authentication string", "認証文字列の入力待ち"),
    "server_not_trusted": Text("the server is not trusted", "サーバを信頼できない"),
    "unreachable": Text("the server does not answer", "サーバが応答しない"),
    "broken": Text("broken off", "中断"),
}
_CAPF_GOOD = frozenset({"updated", "nothing_to_do"})


_NUMBERS = (Text("Bytes", "バイト"), Text("ms", "ms"))
_FETCHED = (Text("File", "ファイル"), Text("Over", "経路"), Text("Outcome", "結果"), *_NUMBERS)
_SERVERS = Text("From {servers}:", "{servers} から:")
_ATTEMPTS = {
    "arrived": Text("arrived", "受信"),
    "not found": Text("not found", "ファイルなし"),
    "answered, but not with the file": Text("answered, but not with the file", "応答したがファイルではない"),
    "no answer": Text("no answer", "応答なし"),
    "server's certificate refused": Text("server's certificate refused", "サーバ証明書を拒否"),
    "no such host": Text("no such host", "ホスト名が不明"),
}
_SOURCES = {
    "server": Text("configuration from server", "設定ファイルはサーバから"),
    "flash": Text("configuration from flash", "設定ファイルはフラッシュから"),
    "none": Text("no configuration", "設定ファイルなし"),
}
_BLANK = Text("(blank)", "(空)")
_CLUSTER_MODE = Text("Cluster security mode", "クラスタのセキュリティモード")
_CLUSTER_MODES = {"mixed": Text("mixed", "混合"), "non-secure": Text("non-secure", "非セキュア")}
_CONFIGURATION = Text("Configuration ({kind}), version {version}", "設定ファイル ({kind})、バージョン {version}")
_NO_CONFIGURATION = Text("No configuration", "設定ファイルなし")
_DIRECTORY = Text("Directory", "ディレクトリ")
_FILES = Text("Files beside the configuration", "設定ファイル以外に保持しているファイル")
_BYTES = Text("{size} bytes", "{size} バイト")
_KINDS = {
    "user locale": Text("user locale", "ユーザ ロケール"),
    "network locale": Text("network locale", "ネットワーク ロケール"),
    "application dial rules": Text("application dial rules", "アプリケーション ダイヤル ルール"),
    "soft keys": Text("soft keys", "ソフトキー"),
    "dial template": Text("dial template", "ダイヤル テンプレート"),
    "ring list": Text("ring list", "呼出音リスト"),
}
_MESSAGES = Text("Status messages", "ステータスメッセージ")


def decision_table(decisions: Sequence[DecisionReport], language: Language) -> Table:
    """One decision in two lines: the verdict with its code, then the reason in a sentence."""
    table = Table.grid(padding=(0, 2))
    for decision in decisions:
        verdict = (_ACCEPTED if decision.accepted else _REFUSED).of(language)
        line = Styled.assemble(
            (f"{printable(decision.subject)}  ", "bold"),
            (verdict, "green" if decision.accepted else "red"),
            f"  {decision.reason.value}  {decision.duration_ms:.0f} ms",
        )
        if decision.tvs_server:
            line.append(f"  ({_ASKED.of(language, server=decision.tvs_server)})", style="dim")
        table.add_row(mark(good=decision.accepted), line)
        detail = f" ({decision.detail})" if decision.detail else ""
        table.add_row("", Styled(decision.reason.text(language) + printable(detail), style="dim"))
    return table


def mark(*, good: bool) -> Styled:
    """A tick or a cross."""
    return Styled("✔", style="green") if good else Styled("✘", style="red")


def print_boot(console: Console, report: BootReport, language: Language) -> None:
    """A boot from power on to its end."""
    console.print(f"{report.device} ({report.model})", style="bold")
    servers = dict.fromkeys(item.server.rpartition(":")[0] for item in report.fetches)
    console.print(_SERVERS.of(language, servers=", ".join(map(one_line, servers))))
    fetched = Table(show_header=True, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in _FETCHED:
        fetched.add_column(heading.of(language), justify="right" if heading in _NUMBERS else "left", no_wrap=True)
    for item in report.fetches:
        outcome = _ATTEMPTS[item.failure.value if item.failure else "arrived"].of(language)
        over = item.transport.value + (f" {item.server}" if len(servers) > 1 else "")
        row = (item.file, over, outcome, str(item.size or ""), f"{item.duration_ms:.1f}")
        fetched.add_row(*row, style="" if item.failure is None else "dim")
    console.print(fetched)
    console.print(decision_table(report.decisions, language))
    if report.capf is not None:
        _print_capf(console, report.capf, language)
    _print_files(console, report.files, language)
    _print_messages(console, report.status_messages, language)
    source = _SOURCES[report.config_source].of(language)
    console.print(
        f"{_OUTCOME[report.outcome.value].of(language)}: {source}, {report.duration_ms:.0f} ms",
        style="bold green" if report.exit_code == 0 else "bold red",
    )


def outcome_text(outcome: str, language: Language) -> str:
    """How a boot ended, in words."""
    return _OUTCOME[outcome].of(language)


def _print_capf(console: Console, capf: CapfResult, language: Language) -> None:
    outcome = _CAPF_OUTCOME[capf.outcome.value].of(language)
    server = f" {capf.server}" if capf.server else ""
    detail = f" ({printable(capf.detail)})" if capf.detail else ""
    console.print(Styled.assemble(mark(good=capf.outcome.value in _CAPF_GOOD), f"  CAPF{server}: {outcome}{detail}"))


def print_directory(console: Console, report: DirectoryReport, language: Language) -> None:
    """A press of the directory key."""
    console.print(report.url, style="bold")
    if report.decision is not None:
        console.print(decision_table([report.decision], language))
    if report.menu is None:
        console.print(f"Host Not Found: {report.failure}", style="red")
        return
    console.print(f"{report.menu.title}: {report.menu.prompt}")
    for number, item in enumerate(report.menu.items, 1):
        console.print(f"  {number}  {item.name}  {item.url}")


def print_settings(console: Console, settings: Settings, language: Language = "en") -> None:
    """The security menu, the configuration, and the status messages."""
    console.print(f"{settings.device} ({settings.model})", style="bold")
    mode = _CLUSTER_MODES[settings.cluster_mode].of(language)
    console.print(f"{_CLUSTER_MODE.of(language)}: {mode}")
    if settings.security is not None:
        console.print(settings.security.label.of(language), style="bold")
        for entry in settings.security.entries:
            _print_entry(console, entry, language, 1)
    config = settings.config
    if config is None:
        console.print(_NO_CONFIGURATION.of(language))
    else:
        heading = _CONFIGURATION.of(language, kind=config.kind, version=config.version_stamp or "-")
        console.print(one_line(heading), style="bold")
        for name, value in (
            ("Unified CM", ", ".join(config.call_managers)),
            ("TVS", ", ".join(config.tvs_servers)),
            (_DIRECTORY.of(language), config.directory_url),
        ):
            console.print(f"  {name}: {one_line(value) or '-'}")
    _print_files(console, settings.files, language)
    _print_messages(console, settings.status_messages, language)


def _print_entry(console: Console, entry: Entry, language: Language, depth: int) -> None:
    """A line of a menu, and what is below it further in: in one line where that has nothing below itself."""
    indent = "  " * depth
    below = entry.entries
    leaves_only = bool(below) and not any(item.entries for item in below)
    console.print(f"{indent}{_line(entry, language, blank=_BLANK.of(language) if leaves_only else '')}", soft_wrap=True)
    if leaves_only:
        line = ", ".join(_line(item, language) for item in below)
        console.print(f"{indent}  {line}", style="dim", soft_wrap=True)
        return
    for item in below:
        _print_entry(console, item, language, depth + 1)


def _line(entry: Entry, language: Language, blank: str = "") -> str:
    value = one_line(entry.value.of(language)) or blank
    return f"{entry.label.of(language)}: {value}" if value else entry.label.of(language)


def _print_files(console: Console, files: Sequence[FileSummary], language: Language = "en") -> None:
    if not files:
        return
    console.print(_FILES.of(language), style="bold")
    for file in files:
        size = _BYTES.of(language, size=str(file.size))
        console.print(f"  {_KINDS[file.kind].of(language)}: {one_line(file.name)}, {size}", soft_wrap=True)


def _print_messages(console: Console, messages: Sequence[StatusMessage], language: Language) -> None:
    if not messages:
        return
    console.print(_MESSAGES.of(language), style="bold")
    for message in messages:
        reason = f"  ({message.reason}: {message.detail})" if message.reason else ""
        console.print(f"  {message.time[11:19]}  {message.text}{reason}")
