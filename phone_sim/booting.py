"""One boot, carried out: the effects of `phone_sim.boot` become requests, decisions and writes to flash."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim import boot, trust
from phone_sim.boot import Attempt, Event, File, Part, State, Transport
from phone_sim.capf_side import CapfOutcome
from phone_sim.clients.capf import CapfResult
from phone_sim.fetching import Download, Downloads
from phone_sim.messages import ListOutcome, Status, trust_list_alarm, trust_list_status
from phone_sim.namedfiles import HeldFile, NamedFile, named_files, unreadable
from phone_sim.reasons import Reason
from phone_sim.report import (
    BootReport,
    ConfigSummary,
    DecisionReport,
    Outcome,
    file_summaries,
    list_summaries,
)
from phone_sim.trust import Accept, KeepOld, ListKind
from phone_sim.understanding import is_stub, understand
from wire.encryptedfile import EncryptedFile
from wire.phoneconfig import PhoneConfig

if TYPE_CHECKING:
    from base.clock import Clock
    from base.trace import Trace
    from phone_sim.enrolling import Enroller
    from phone_sim.judging import ServerJudge
    from phone_sim.memory import Config, PhoneMemory
    from phone_sim.messages import StatusMessage
    from phone_sim.models import Model
    from phone_sim.options import Timeouts
    from phone_sim.servers import TftpServer
    from phone_sim.trust import Answer, Verdict
    from phone_sim.tvs_desk import TvsDesk
    from wire.trustlist import TrustList

_OUTCOME = {
    State.BOOTED: Outcome.BOOTED,
    State.REFUSED: Outcome.REFUSED,
    State.NO_CONFIG: Outcome.NO_CONFIG,
    State.UNREACHABLE: Outcome.UNREACHABLE,
}
_KIND = {Part.CTL: ListKind.CTL, Part.ITL: ListKind.ITL}
_CONFIG_FILES = frozenset({File.CONFIG, File.PLAIN_CONFIG})
_SIGNED = ".sgn"
_HTTPS_CONFIG_SINCE = (1, 1)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What is put into flash if the table says so."""

    trust_list: TrustList | None = None
    config: Config | None = None
    plain: bytes = b""
    named: HeldFile | None = None


class BootRun:
    """Everything that one boot needs and finds out; `run` it once."""

    def __init__(
        self,
        mac: str,
        model: Model,
        servers: tuple[TftpServer, ...],
        memory: PhoneMemory,
        *,
        tvs: TvsDesk,
        judge: ServerJudge,
        enroller: Enroller,
        clock: Clock,
        trace: Trace,
        timeouts: Timeouts,
    ) -> None:
        self._mac, self._model = mac, model
        self._memory, self._tvs = memory, tvs
        self._enroller = enroller
        self._decisions: list[DecisionReport] = []
        record = self._decisions.append
        self._downloads = Downloads(servers, judge, record, clock=clock, trace=trace, timeouts=timeouts)
        self._trusted: Config | None = None
        self._named_left: deque[NamedFile] = deque()
        self._named: NamedFile | None = None
        self._capf: CapfResult | None = None
        self._clock, self._trace = clock, trace
        self._arrival: Download | None = None
        self._question: trust.AskTvs | None = None
        self._answer: Answer | None = None
        self._tvs_server = ""
        self._verdict: Verdict = KeepOld(Reason.UNREADABLE)
        self._accepted = _Accepted()
        self._lists = dict.fromkeys(ListKind, ListOutcome.ABSENT)
        self._lists_reported = False
        self._config_fetched = False
        self._messages: list[StatusMessage] = []

    async def run(self) -> BootReport:
        """From power on to an end state.

        Raises:
            FlashError: flash cannot be written.
        """
        begun = self._clock.monotonic()
        state, event = State.OFF, Event.POWER_ON
        self._trace.emit("power_on", model=self._model.name, servers=self._downloads.hosts)
        for message in self._memory.take_losses():
            self._messages.append(message)
            self._trace.emit("status_message", text=message.text, reason=message.reason)
        try:
            while state not in boot.ENDS:
                row = boot.advance(state, event, self._situation())
                self._trace.emit("state", was=state.name, event=event.name, now=row.next.name)
                state = row.next
                for effect in row.effects:
                    event = await self._carry_out(effect) or event
            self._finish(state)
        finally:
            self._memory.save_log()
        duration_ms = self._milliseconds_since(begun)
        report = self._report(_OUTCOME[state], duration_ms)
        self._trace.emit("boot_ended", outcome=report.outcome.value, duration_ms=duration_ms)
        return report

    def _situation(self) -> boot.Situation:
        held, itl = self._memory.held, self._memory.itl
        version = itl.header.signer_version if itl else None
        return boot.Situation(
            security_by_default=self._model.security_by_default.assumed,
            has_trust_list=not held.is_empty,
            in_rollback=held.in_rollback,
            https_config=self._model.https_config.assumed and version is not None and version >= _HTTPS_CONFIG_SINCE,
            has_config=self._memory.config is not None,
            http=self._model.http.assumed,
            another_server=self._downloads.another_server,
            capf_wanted=self._capf_wanted(),
            named_left=bool(self._named_left),
        )

    def _capf_wanted(self) -> bool:
        """A server that phones have no string for is not asked; a session is run once in a boot."""
        if self._capf is not None or not self._enroller.wanted_by(self._trusted):
            return False
        if self._enroller.waits_for_string(self._trusted):
            self._capf = CapfResult(CapfOutcome.STRING_NEEDED, "")
            return False
        return True

    async def _carry_out(self, effect: boot.Effect) -> Event | None:
        match effect:
            case boot.Fetch(file):
                return await self._fetch(file)
            case boot.FetchNamed(signed, again):
                return await self._fetch_named(signed=signed, again=again)
            case boot.UseNextServer():
                self._downloads.use_next_server()
            case boot.Judge(part):
                return self._decide(part)
            case boot.AskTvs():
                return await self._ask_tvs()
            case boot.Install(part):
                self._install(part)
            case boot.KeepOld(part):
                self._keep_old(part)
            case boot.RunCapf():
                return await self._run_capf()
        return None

    # --- fetching ---

    async def _fetch(self, file: File) -> Event:
        if file in _CONFIG_FILES:
            self._report_lists()
        return await self._climb(file, file.name_for(self._mac))

    async def _fetch_named(self, *, signed: bool, again: bool) -> Event:
        if not again:
            self._named = self._named_left.popleft()
        return await self._climb(None, f"{self._asked.name}{_SIGNED if signed else ''}")

    async def _climb(self, file: File | None, name: str) -> Event:
        found = await self._downloads.climb(name, boot.ladder(file, self._situation()))
        if isinstance(found, Download):
            self._arrival = found
            self._question, self._answer, self._tvs_server = None, None, ""
            if file is not None and file is not File.ENCRYPTED_CONFIG:  # its stub stays
                self._trusted = None
            return Event.ARRIVED
        event = boot.ladder_event(found)
        if Attempt.BROKEN in found:
            self._say(Status.TFTP_ERROR)
        elif event is Event.NOT_FOUND:
            self._say_not_found(file, name)
        elif file is None and not self._downloads.another_server:
            self._say(Status.TFTP_TIMEOUT)  # the boot ends here, but not for want of this file
        return event

    async def _run_capf(self) -> Event:
        assert isinstance(self._trusted, PhoneConfig)  # noqa: S101 - the table runs CAPF only when one wants it
        self._capf = await self._enroller.run(self._trusted, self._decisions.append)
        return Event.CERTIFICATE_CHANGED if self._capf.changed else Event.CERTIFICATE_KEPT

    # --- deciding ---

    def _decide(self, part: Part) -> Event:
        if part in _KIND:
            decision = self._judge_list(_KIND[part])
        else:
            decision = self._judge_named() if part is Part.NAMED else self._judge_config(part)
        if isinstance(decision, trust.AskTvs):
            self._question = decision
            return Event.TVS_NEEDED
        self._verdict = decision
        self._record(part, decision)
        if isinstance(decision, KeepOld):
            return Event.REFUSED
        return Event.ANNOUNCED if part is Part.CONFIG and is_stub(self._trusted) else Event.ACCEPTED

    def _judge_list(self, kind: ListKind) -> trust.Decision:
        arrival = self._arrived
        trust_list = self._memory.read_list(arrival.data)
        if isinstance(trust_list, KeepOld):
            return trust_list
        self._accepted = _Accepted(trust_list=trust_list)
        return trust.judge_list(kind, arrival.name, trust_list, self._memory.held, self._answer)

    def _judge_config(self, part: Part) -> trust.Decision:
        decision, body = self._judge_file()
        if not isinstance(decision, Accept):
            return decision
        understood = understand(part, body, self._memory, self._trusted)
        if isinstance(understood, KeepOld):
            return understood
        self._trusted = understood.config
        self._accepted = _Accepted(config=understood.config, plain=understood.plain)
        self._queue_named(understood.config)
        return understood.obstacle or decision

    def _judge_named(self) -> trust.Decision:
        decision, body = self._judge_file()
        if not isinstance(decision, Accept) or isinstance(body, EncryptedFile):
            return decision
        self._accepted = _Accepted(named=HeldFile(self._asked.name, body))
        return unreadable(self._asked.kind, body) or decision

    def _judge_file(self) -> tuple[trust.Decision, bytes | EncryptedFile]:
        """Decides on a file that is no trust list; with what is to be read of it if it is accepted."""
        arrival, held = self._arrived, self._memory.held
        signed = trust.read_signed(arrival.data) if arrival.name.endswith(_SIGNED) else KeepOld(Reason.UNSIGNED)
        if not isinstance(signed, KeepOld):
            body = signed if isinstance(signed, EncryptedFile) else signed.body
            return trust.judge_signed(arrival.name, signed, held, self._answer), body
        if signed.reason is Reason.UNSIGNED:
            trusted_https = arrival.transport is Transport.HTTPS
            return trust.judge_unsigned(held, over_trusted_https=trusted_https), arrival.data
        return signed, b""

    def _queue_named(self, config: Config) -> None:
        """What the configuration in hand names is asked for once it is accepted; a stub names nothing."""
        self._named_left.clear()
        if not isinstance(config, PhoneConfig) or is_stub(config):
            return
        for named in named_files(config, self._model):
            if named.is_usable:
                self._named_left.append(named)
            else:
                self._trace.emit("name_unusable", what=named.kind.value, file=named.name[:200])

    @property
    def _asked(self) -> NamedFile:
        assert self._named is not None  # noqa: S101 - the table judges named files only after it asked for one
        return self._named

    async def _ask_tvs(self) -> Event:
        assert self._question is not None  # noqa: S101 - the table asks TVS only after such a decision
        self._answer, self._tvs_server = await self._tvs.ask(self._question.question)
        return Event.TVS_DONE

    @property
    def _arrived(self) -> Download:
        assert self._arrival is not None  # noqa: S101 - the table judges only what arrived
        return self._arrival

    def _record(self, part: Part, verdict: Verdict) -> None:
        arrival = self._arrived
        decision = DecisionReport(
            what=self._asked.kind.value if part is Part.NAMED else part.value,
            subject=arrival.name,
            accepted=isinstance(verdict, Accept),
            reason=verdict.reason,
            detail=verdict.detail if isinstance(verdict, KeepOld) else "",
            server=arrival.server,
            transport=arrival.transport,
            tvs_server=self._tvs_server,
            duration_ms=self._milliseconds_since(arrival.asked_at),
        )
        self._decisions.append(decision)
        self._trace.emit(
            "decided",
            what=decision.what,
            file=decision.subject,
            accepted=decision.accepted,
            reason=decision.reason.value,
            detail=decision.detail,
            via=decision.via,
            duration_ms=decision.duration_ms,
        )

    # --- flash and screen ---

    def _install(self, part: Part) -> None:
        if part in _KIND:
            self._install_list(_KIND[part])
        elif part is Part.NAMED:
            if self._accepted.named is not None:
                self._memory.install_file(self._asked.kind, self._accepted.named)
        elif self._accepted.config is not None:
            self._memory.install_config(self._accepted.config, self._arrived.data, self._accepted.plain)
            self._memory.forget_files_except({named.kind for named in self._named_left})
            self._config_fetched = True
            self._say(Status.CONFIG_IN_USE, self._arrived.name.removesuffix(".sgn"))

    def _install_list(self, kind: ListKind) -> None:
        trust_list = self._accepted.trust_list
        if trust_list is None or self._verdict.reason is Reason.UNCHANGED:
            self._lists[kind] = ListOutcome.UNCHANGED
            return
        first = self._memory.list_of(kind) is None
        self._memory.install_list(kind, trust_list)
        self._tvs.flush()  # a trust-list update empties the phone's TVS cache
        self._lists[kind] = ListOutcome.INSTALLED if first else ListOutcome.UPDATED

    def _keep_old(self, part: Part) -> None:
        reason = self._verdict.reason
        if part in _KIND:
            self._lists[_KIND[part]] = ListOutcome.FAILED
        else:
            locale = part is Part.NAMED and self._asked.kind.is_locale
            self._say(Status.LOCALE_FAILED if locale else Status.CONFIG_REFUSED, self._arrived.name, reason)

    def _report_lists(self) -> None:
        """The message about both lists, once, when their download is over."""
        if self._lists_reported or not self._model.security_by_default.assumed:
            return
        self._lists_reported = True
        ctl, itl = self._lists[ListKind.CTL], self._lists[ListKind.ITL]
        status = trust_list_status(ctl, itl, held=not self._memory.held.is_empty)
        refusal = next((item.reason for item in reversed(self._decisions) if not item.accepted), None)
        if status is not None:
            self._say(status, reason=refusal if status is Status.TRUST_LIST_UPDATE_FAILED else None)

    def _say_not_found(self, file: File | None, name: str) -> None:
        if file is None:
            if self._asked.kind.is_locale:
                self._say(Status.LOCALE_FAILED)
        elif file is File.CTL:
            self._say(Status.CTL_NOT_FOUND)
        elif file in _CONFIG_FILES:
            self._say(Status.CONFIG_NOT_FOUND, name)

    def _say(self, status: Status, file: str = "", reason: Reason | None = None) -> None:
        code, text = (reason.value, reason.text()) if reason else ("", "")
        message = self._memory.say(status, file, reason=code, detail=text)
        self._messages.append(message)
        self._trace.emit("status_message", text=message.text, reason=code)

    def _finish(self, state: State) -> None:
        self._report_lists() if state is State.REFUSED else None
        if state is State.UNREACHABLE:
            unknown = all(item.failure is Attempt.UNKNOWN_HOST for item in self._downloads.reports)
            self._say(Status.UNKNOWN_HOST if unknown else Status.TFTP_TIMEOUT)

    def _report(self, outcome: Outcome, duration_ms: float) -> BootReport:
        memory = self._memory
        source = "server" if self._config_fetched else "flash"
        return BootReport(
            device=f"SEP{self._mac}",
            model=self._model.name,
            outcome=outcome,
            decisions=tuple(self._decisions),
            fetches=tuple(self._downloads.reports),
            status_messages=tuple(self._messages),
            alarm=trust_list_alarm(
                self._lists[ListKind.CTL],
                self._lists[ListKind.ITL],
                holds_ctl=memory.ctl is not None,
                holds_itl=memory.itl is not None,
            ),
            trust_lists=list_summaries(memory),
            config=ConfigSummary.of(memory.config) if memory.config else None,
            config_source=source if memory.config else "none",
            duration_ms=duration_ms,
            capf=self._capf,
            files=file_summaries(memory),
        )

    def _milliseconds_since(self, begun: float) -> float:
        return round((self._clock.monotonic() - begun) * 1000, 3)
