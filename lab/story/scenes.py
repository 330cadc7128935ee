"""The scenes of the demonstration, in order: what happens, what the phone should decide, what a trainer says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.story.text import Text
from phone_sim.namedfiles import KINDS
from phone_sim.reasons import Reason
from phone_sim.report import SERVER
from services.tvs.daemon import TvsDaemon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lab.story.stage import Stage
    from phone_sim.messages import StatusMessage
    from phone_sim.report import BootReport, DecisionReport, DirectoryReport

_CONFIG, _ITL = "configuration", "ITL"


@dataclass(frozen=True, slots=True)
class Expected:
    """A decision that a scene should bring.

    Attributes:
        what: as `phone_sim.report.DecisionReport.what`.
        reason: the rule that should decide; it says whether to accept.
    """

    what: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Played:
    """What a scene brought.

    Attributes:
        decisions: those that the phone made, in order; without accepted files beside the configuration, of which
            there is nothing to tell.
        status_messages: what its screen said.
        remarks: facts beside the decisions that should hold: sentence -> whether it does.
        duration_ms: of the phone's part.
    """

    decisions: tuple[DecisionReport, ...]
    status_messages: tuple[StatusMessage, ...]
    remarks: tuple[tuple[Text, bool], ...]
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    Attributes:
        name: for ``--json`` and tests.
        title: heading.
        happens: what is done, before the decisions.
        means: what to learn from it, and how to mend it in the field.
        expected: decisions in order.
        play: does it.
    """

    name: str
    title: Text
    happens: Text
    means: Text
    expected: tuple[Expected, ...]
    play: Callable[[Stage], Awaitable[Played]]

    def as_expected(self, played: Played) -> bool:
        """True when the decisions are exactly the expected ones and every remark holds."""
        decided = tuple(Expected(item.what, item.reason) for item in played.decisions)
        return decided == self.expected and all(holds for _, holds in played.remarks)


def _boot(report: BootReport, *remarks: tuple[Text, bool]) -> Played:
    told = tuple(item for item in report.decisions if item.what not in KINDS or not item.accepted)
    return Played(told, report.status_messages, remarks, report.duration_ms)


def _directory(report: DirectoryReport, *remarks: tuple[Text, bool]) -> Played:
    decisions = (report.decision,) if report.decision else ()
    return Played(decisions, (), remarks, report.duration_ms)


_KEPT = Text("The old file is still in flash.", "以前のファイルはフラッシュに残っています。")
_MENU = Text("The directory menu is on the screen.", "ディレクトリメニューが画面に表示されました。")


async def _first_boot(stage: Stage) -> Played:
    return _boot(await stage.phone_at(stage.publisher).boot())


async def _second_boot(stage: Stage) -> Played:
    return _boot(await stage.phone_at(stage.publisher).boot())


async def _other_node(stage: Stage) -> Played:
    return _boot(await stage.phone_at(stage.subscriber).boot())


async def _directory_key(stage: Stage) -> Played:
    report = await stage.phone_at(stage.publisher).open_directory()
    return _directory(report, (_MENU, report.menu is not None))


async def _impostor(stage: Stage) -> Played:
    nothing_sent = Text("The impostor was sent no request at all.", "なりすましサーバには要求が一切送られていません。")
    async with stage.impostor() as impostor:
        report = await stage.phone_at(stage.publisher).open_directory(impostor.url)
        return _directory(report, (nothing_sent, not impostor.requests and report.menu is None))


async def _tampered_configuration(stage: Stage) -> Played:
    phone = stage.phone_at(stage.publisher)
    before = phone.settings.config
    name = f"{phone.name}.cnf.xml.sgn"
    true = await stage.true_file(name)
    forged = true.replace(b"<processNodeName>", b"<processNodeName>evil.", 1)
    async with stage.lying_server({name: forged}) as liar:
        report = await stage.phone(stage.through(liar)).boot()
    return _boot(report, (_KEPT, forged != true and stage.phone_at(stage.publisher).settings.config == before))


async def _stranger_itl(stage: Stage) -> Played:
    phone = stage.phone_at(stage.publisher)
    before = phone.settings.trust_lists
    name = f"ITL{phone.name}.tlv"
    async with stage.lying_server({name: stage.stranger.itl()}) as liar:
        report = await stage.phone(stage.through(liar)).boot()
    return _boot(report, (_KEPT, stage.phone_at(stage.publisher).settings.trust_lists == before))


async def _first_tvs_down(stage: Stage) -> Played:
    second = Text("The second TVS server gave the answer.", "2 番目の TVS サーバが応答しました。")
    supervisor = stage.publisher.supervisor
    address = stage.server(stage.publisher).host
    first = {f"{address}:{listener.port}" for listener in supervisor.listeners()[TvsDaemon.name]}
    await supervisor.stop(TvsDaemon.name)
    try:
        report = await stage.phone_at(stage.publisher).open_directory(stage.directory_url(stage.subscriber))
    finally:
        await supervisor.start(TvsDaemon.name)
    answered_by = report.decision.tvs_server if report.decision else ""
    by_second = answered_by != "" and answered_by not in first
    return _directory(report, (_MENU, report.menu is not None), (second, by_second))


SCENES: tuple[Scene, ...] = (
    Scene(
        "first-boot",
        Text("First boot: blind trust", "初回起動: 無条件の信頼"),
        Text(
            "A phone fresh out of the box knows a TFTP address and nothing else. It asks for its trust lists, then for "
            "its configuration.",
            "箱から出したばかりの電話機が知っているのは TFTP サーバのアドレスだけです。信頼リスト、次に設定ファイルを要求します。",
        ),
        Text(
            "The first ITL is taken on faith, once. From here on nothing unsigned is taken: the configuration's signer "
            "is already looked up in that ITL.",
            "最初の ITL は一度だけ無条件に受け入れられます。以後、署名のないものは受け入れません。"
            "設定ファイルの署名者は、すでにこの ITL で確認されています。",
        ),
        (Expected(_ITL, Reason.LEAP_OF_FAITH), Expected(_CONFIG, Reason.SIGNED_BY_ITL)),
        _first_boot,
    ),
    Scene(
        "second-boot",
        Text("Second boot: verified", "2 回目の起動: 検証"),
        Text("The same phone is reset.", "同じ電話機をリセットします。"),
        Text(
            "The ITL has the same bytes as long as its content is the same, so its checksum on phone and cluster can be "
            "compared by eye.",
            "内容が変わらない限り ITL は 1 バイトも変わりません。電話機とクラスタのチェックサムを目で比較できます。",
        ),
        (Expected(_ITL, Reason.UNCHANGED), Expected(_CONFIG, Reason.SIGNED_BY_ITL)),
        _second_boot,
    ),
    Scene(
        "other-node",
        Text(
            "Another TFTP server: the new ITL is verified by the old one",
            "別の TFTP サーバ: 新しい ITL を古い ITL で検証",
        ),
        Text(
            "The phone is pointed at the subscriber, which serves an ITL of its own with its own CallManager certificate.",
            "電話機をサブスクライバに向けます。サブスクライバは自身の CallManager 証明書を含む独自の ITL を配布します。",
        ),
        Text(
            "ITLRecovery signs the ITL of every node from release 12 on, and the phone knows it: no question to TVS is "
            "needed.",
            "リリース 12 以降は ITLRecovery が全ノードの ITL に署名します。電話機はこれを知っているため TVS への問い合わせは不要です。",
        ),
        (Expected(_ITL, Reason.SIGNED_BY_ITL), Expected(_CONFIG, Reason.SIGNED_BY_ITL)),
        _other_node,
    ),
    Scene(
        "directory",
        Text(
            "Directory over HTTPS: a certificate that the phone does not know",
            "HTTPS ディレクトリ: 電話機の知らない証明書",
        ),
        Text(
            "The directory key opens a page on Tomcat. Its certificate is in no trust list, so the phone asks TVS.",
            "ディレクトリキーで Tomcat のページを開きます。その証明書は信頼リストにないため、電話機は TVS に問い合わせます。",
        ),
        Text(
            "TVS keeps trust lists small: the phone needs to know TVS, and TVS knows the rest. Users see "
            "'Host Not Found' when this fails.",
            "TVS のおかげで信頼リストは小さく保てます。電話機は TVS を知っていれば十分です。失敗すると 'Host Not Found' と表示されます。",
        ),
        (Expected(SERVER, Reason.SERVER_VOUCHED_BY_TVS),),
        _directory_key,
    ),
    Scene(
        "impostor",
        Text("An impostor offers the directory", "なりすましサーバ"),
        Text(
            "A web server with a certificate of its own pretends to be the directory.",
            "独自の証明書を持つ Web サーバがディレクトリになりすまします。",
        ),
        Text(
            "TVS does not know it, and the phone hangs up before it sends a byte. A real server that meets this fate is "
            "missing in tomcat-trust.",
            "TVS がこの証明書を知らないため、電話機は 1 バイトも送らずに切断します。"
            "正規のサーバで起きた場合は tomcat-trust に証明書がありません。",
        ),
        (Expected(SERVER, Reason.TVS_DOES_NOT_KNOW),),
        _impostor,
    ),
    Scene(
        "tampered-configuration",
        Text("A configuration changed on the way", "改ざんされた設定ファイル"),
        Text(
            "Somebody between phone and cluster changes the name of the CallManager inside the signed configuration.",
            "電話機とクラスタの間で、署名付き設定ファイル内の CallManager 名が書き換えられます。",
        ),
        Text(
            "The signature does not hold any more. The phone keeps its last good configuration and goes on with it; in "
            "the field this shows as changes that never arrive.",
            "署名が一致しなくなります。電話機は最後の正しい設定で動作を続けます。現場では「変更が反映されない」症状になります。",
        ),
        (Expected(_ITL, Reason.SIGNED_BY_ITL), Expected(_CONFIG, Reason.BAD_SIGNATURE)),
        _tampered_configuration,
    ),
    Scene(
        "stranger-itl",
        Text("An ITL signed by a stranger", "見知らぬ署名者の ITL"),
        Text(
            "The phone is offered a well-formed ITL of another cluster, as after a move to other servers.",
            "別クラスタへの移行時のように、形式は正しい他クラスタの ITL が提示されます。",
        ),
        Text(
            "Neither the ITL in flash nor TVS knows its signer: the old ITL stays. Before a planned move, import the new "
            "cluster's certificates into the old one, or delete the ITL on the phone.",
            "フラッシュの ITL も TVS も署名者を知らないため、古い ITL が残ります。計画的な移行では新クラスタの証明書を旧クラスタに"
            "インポートするか、電話機の ITL を削除します。",
        ),
        (Expected(_ITL, Reason.TVS_DOES_NOT_KNOW), Expected(_CONFIG, Reason.SIGNED_BY_ITL)),
        _stranger_itl,
    ),
    Scene(
        "first-tvs-down",
        Text("The first TVS server is down", "1 台目の TVS サーバが停止"),
        Text(
            "TVS on the publisher is stopped, then the phone opens the directory of the subscriber, whose certificate it "
            "has not met yet.",
            "パブリッシャの TVS を停止し、電話機はまだ見たことのない証明書を持つサブスクライバのディレクトリを開きます。",
        ),
        Text(
            "The configuration lists TVS servers in order of the CallManager group; the phone asks the next one. With none "
            "left, unknown certificates are not trusted.",
            "設定ファイルには CallManager グループの順に TVS サーバが並び、電話機は次のサーバに問い合わせます。"
            "すべて応答しない場合、未知の証明書は信頼されません。",
        ),
        (Expected(SERVER, Reason.SERVER_VOUCHED_BY_TVS),),
        _first_tvs_down,
    ),
)
"""All of them, each going on where the last one ended."""
