"""What a boot came to, for people, tests and ``--json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING

from phone_sim.menus import security_menu
from phone_sim.namedfiles import Kind
from phone_sim.trust import ListKind
from wire.phoneconfig import PhoneConfig
from wire.trustlist import Function

if TYPE_CHECKING:
    from base.trace import Json
    from phone_sim.boot import Attempt, Transport
    from phone_sim.clients.capf import CapfResult
    from phone_sim.memory import Config, PhoneMemory
    from phone_sim.menus import Entry
    from phone_sim.messages import StatusMessage, TrustListAlarm
    from phone_sim.models import Model
    from phone_sim.reasons import Reason
    from wire.certificates import Certificate
    from wire.ipphone import Menu
    from wire.trustlist import TrustList


SERVER = "server"
"""`DecisionReport.what` of an HTTPS server."""


class Outcome(Enum):
    """How a boot ended."""

    BOOTED = "booted"
    REFUSED = "refused"
    """Something it needed was refused, and there was nothing old to go on with."""
    NO_CONFIG = "no_config"
    """Servers answered, but none had a configuration for it, nor had flash."""
    UNREACHABLE = "unreachable"
    """No TFTP server answered."""


@dataclass(frozen=True, slots=True)
class FetchReport:
    """One attempt to fetch a file.

    Attributes:
        server: ``host:port``.
        failure: None when it arrived.
        detail: why it did not.
        size: bytes that arrived.
    """

    file: str
    transport: Transport
    server: str
    failure: Attempt | None
    detail: str
    size: int
    duration_ms: float

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "file": self.file,
            "transport": self.transport.value,
            "server": self.server,
            "outcome": self.failure.value if self.failure else "arrived",
            "detail": self.detail,
            "bytes": self.size,
            "duration_ms": self.duration_ms,
        }


@dataclass(frozen=True, slots=True)
class DecisionReport:
    """One trust decision.

    Attributes:
        what: ``CTL``, ``ITL``, ``configuration``, ``default configuration``, ``server``, or the kind of a file beside
            the configuration: ``ring list``.
        subject: the file's name, or the server's certificate.
        accepted: taken; otherwise the old was kept.
        reason: the rule that decided.
        detail: particulars; may be empty.
        server: ``host:port`` that it came from.
        transport: how it came; None for a server.
        tvs_server: ``host:port`` of the TVS that answered; empty when none was asked or the cache knew.
        duration_ms: from the request for it to the decision, TVS included.
    """

    what: str
    subject: str
    accepted: bool
    reason: Reason
    detail: str
    server: str
    transport: Transport | None
    tvs_server: str
    duration_ms: float

    @property
    def via(self) -> str:
        """What the trust was drawn from: ``CTL``, ``ITL``, ``TVS``, or nothing."""
        return self.reason.via

    def as_json(self) -> dict[str, Json]:
        """Plain values, with the reason's sentence in both languages."""
        return {
            "what": self.what,
            "subject": self.subject,
            "decision": "accepted" if self.accepted else "refused",
            "reason": self.reason.value,
            "text": {"en": self.reason.text("en"), "ja": self.reason.text("ja")},
            "detail": self.detail,
            "via": self.via,
            "server": self.server,
            "transport": self.transport.value if self.transport else None,
            "tvs_server": self.tvs_server,
            "duration_ms": self.duration_ms,
        }


@dataclass(frozen=True, slots=True)
class ListSummary:
    """An installed trust list, as the phone's security menu shows it.

    Attributes:
        kind: ``CTL`` or ``ITL``.
        records: (function, subject or host name) in file order; the name is empty for a blank record.
    """

    kind: str
    signer: str
    file_name: str
    timestamp: int
    size: int
    md5: str
    sha1: str
    records: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, kind: ListKind, trust_list: TrustList) -> ListSummary:
        """Summarises a list."""
        return cls(
            kind=kind.name,
            signer=trust_list.header.signer.name,
            file_name=trust_list.header.file_name,
            timestamp=trust_list.header.timestamp,
            size=len(trust_list.data),
            md5=trust_list.md5,
            sha1=trust_list.sha1,
            records=tuple((_function(record.function), record.subject) for record in trust_list.records),
        )

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        records: list[Json] = [{"function": function, "subject": subject} for function, subject in self.records]
        return {
            "kind": self.kind,
            "signer": self.signer,
            "file_name": self.file_name,
            "timestamp": self.timestamp,
            "size": self.size,
            "md5": self.md5,
            "sha1": self.sha1,
            "records": records,
        }


def _function(number: int) -> str:
    return Function(number).name if number in set(Function) else str(number)


@dataclass(frozen=True, slots=True)
class ConfigSummary:
    """The configuration that the phone goes on with.

    Attributes:
        kind: ``device`` or ``default``.
        call_managers: ``host`` in priority order.
        tvs_servers: ``host:port`` in priority order.
    """

    kind: str
    version_stamp: str
    load: str
    device_security_mode: int
    call_managers: tuple[str, ...]
    tvs_servers: tuple[str, ...]
    directory_url: str

    @classmethod
    def of(cls, config: Config) -> ConfigSummary:
        """Summarises a configuration."""
        device = config if isinstance(config, PhoneConfig) else None
        return cls(
            kind="device" if device else "default",
            version_stamp=device.version_stamp if device else "",
            load=device.load_information if device else "",
            device_security_mode=device.device_security_mode if device else 1,
            call_managers=tuple(node.host for node in config.call_managers),
            tvs_servers=tuple(f"{server.address}:{server.port}" for server in config.tvs_servers),
            directory_url=directory_url(config),
        )

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            **asdict(self),
            "call_managers": list(self.call_managers),
            "tvs_servers": list(self.tvs_servers),
        }


def directory_url(config: Config | None) -> str:
    """Where the directory key leads: the secure URL if there is one."""
    if not isinstance(config, PhoneConfig):
        return ""
    return config.urls.get("secureDirectoryURL", "") or config.urls.get("directoryURL", "")


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """A certificate of the phone.

    Attributes:
        kind: ``LSC`` or ``MIC``.
        key: ``RSA 2048``, ``EC 384``.
        not_after: ISO 8601, UTC.
        not_before: the same.
    """

    kind: str
    subject: str
    issuer: str
    key: str
    not_after: str
    not_before: str

    @classmethod
    def of(cls, kind: str, certificate: Certificate) -> CertificateSummary:
        """Summarises one."""
        key = f"{'RSA' if certificate.is_rsa else 'EC'} {certificate.public_key.key_size}"
        begins, ends = certificate.not_before.isoformat(), certificate.not_after.isoformat()
        return cls(kind, str(certificate.subject), str(certificate.issuer), key, ends, begins)


@dataclass(frozen=True, slots=True)
class FileSummary:
    """A file beside the configuration that the phone holds.

    Attributes:
        kind: ``ring list`` and so on, see `phone_sim.namedfiles.Kind`.
        sha256: of its content.
    """

    kind: str
    name: str
    size: int
    sha256: str


def file_summaries(memory: PhoneMemory) -> tuple[FileSummary, ...]:
    """All of them, in the order in which phones ask for them."""
    return tuple(
        FileSummary(kind.value, held.name, len(held.data), held.sha256)
        for kind in Kind
        if (held := memory.files.get(kind)) is not None
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The security and trust-list menus of the phone.

    Attributes:
        cluster_mode: ``mixed`` or ``non-secure``, read from the CTL (R-CTL-2).
        certificates: the phone's own, LSC and MIC; empty for none.
        security: the security menu, line by line; None where only the rest is wanted.
        files: those beside the configuration.
    """

    device: str
    model: str
    cluster_mode: str
    trust_lists: tuple[ListSummary, ...]
    config: ConfigSummary | None
    certificates: tuple[CertificateSummary, ...]
    status_messages: tuple[StatusMessage, ...]
    security: Entry | None = None
    files: tuple[FileSummary, ...] = ()

    @classmethod
    def of(cls, device: str, model: Model, memory: PhoneMemory) -> Settings:
        """Reads the menus out of the phone's memory."""
        return cls(
            device=device,
            model=model.name,
            cluster_mode=cluster_mode(memory.ctl),
            trust_lists=list_summaries(memory),
            config=ConfigSummary.of(memory.config) if memory.config else None,
            certificates=tuple(
                CertificateSummary.of(kind.value, identity.certificate) for kind, identity in memory.credentials.items()
            ),
            status_messages=memory.log.messages,
            security=security_menu(memory, model.family),
            files=file_summaries(memory),
        )

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "device": self.device,
            "model": self.model,
            "cluster_mode": self.cluster_mode,
            "trust_lists": [summary.as_json() for summary in self.trust_lists],
            "config": self.config.as_json() if self.config else None,
            "certificates": [asdict(certificate) for certificate in self.certificates],
            "security_menu": self.security.as_json() if self.security else None,
            "files": [asdict(file) for file in self.files],
            "status_messages": [asdict(message) for message in self.status_messages],
        }


def cluster_mode(ctl: TrustList | None) -> str:
    """Mixed if the CTL's CCM+TFTP records hold certificates; in a non-secure cluster they are empty."""
    records = ctl.with_function(Function.CCM_TFTP, Function.CCM) if ctl else ()
    return "mixed" if any(not record.is_blank for record in records) else "non-secure"


def list_summaries(memory: PhoneMemory) -> tuple[ListSummary, ...]:
    """The installed lists, CTL first."""
    installed = ((kind, memory.list_of(kind)) for kind in ListKind)
    return tuple(ListSummary.of(kind, trust_list) for kind, trust_list in installed if trust_list)


@dataclass(frozen=True, slots=True)
class BootReport:
    """A boot from power on to its end.

    Attributes:
        decisions: in the order in which they were made.
        fetches: every attempt, in order.
        status_messages: those of this boot.
        alarm: what the phone would report to UCM about its trust lists; None when it met none.
        config: what it goes on with; None when it has nothing.
        config_source: ``server`` if fetched in this boot, ``flash`` if the last good one, else ``none``.
        capf: what came of CAPF; None when the configuration did not ask for it.
        files: those beside the configuration that the phone now holds.
    """

    device: str
    model: str
    outcome: Outcome
    decisions: tuple[DecisionReport, ...]
    fetches: tuple[FetchReport, ...]
    status_messages: tuple[StatusMessage, ...]
    alarm: TrustListAlarm | None
    trust_lists: tuple[ListSummary, ...]
    config: ConfigSummary | None
    config_source: str
    duration_ms: float
    capf: CapfResult | None = None
    files: tuple[FileSummary, ...] = ()

    @property
    def refusals(self) -> tuple[DecisionReport, ...]:
        """Files that were refused, even if the phone lives on with the old ones or without."""
        return tuple(item for item in self.decisions if not item.accepted and item.what != SERVER)

    @property
    def exit_code(self) -> int:
        """0 booted, nothing refused; 1 something refused or no configuration; 4 no server answered."""
        if self.outcome is Outcome.UNREACHABLE:
            return 4
        return 0 if self.outcome is Outcome.BOOTED and not self.refusals else 1

    def decision(self, what: str) -> DecisionReport | None:
        """The last decision on something, e.g. ``ITL``."""
        return next((item for item in reversed(self.decisions) if item.what == what), None)

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "device": self.device,
            "model": self.model,
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "decisions": [item.as_json() for item in self.decisions],
            "refusals": [item.subject for item in self.refusals],
            "fetches": [item.as_json() for item in self.fetches],
            "status_messages": [asdict(message) for message in self.status_messages],
            "alarm": self.alarm.name if self.alarm else None,
            "trust_lists": [summary.as_json() for summary in self.trust_lists],
            "config": self.config.as_json() if self.config else None,
            "config_source": self.config_source,
            "capf": self.capf.as_json() if self.capf else None,
            "files": [asdict(file) for file in self.files],
            "duration_ms": self.duration_ms,
        }


@dataclass(frozen=True, slots=True)
class DirectoryReport:
    """A press of the directory key.

    Attributes:
        menu: what was shown; None when nothing was.
        decision: on the server; None over plain HTTP, or when it was not reached.
        failure: why there is no menu; empty when there is.
        reachable: the server answered.
    """

    url: str
    menu: Menu | None
    decision: DecisionReport | None
    failure: str
    reachable: bool
    duration_ms: float

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "url": self.url,
            "menu": asdict(self.menu) if self.menu else None,
            "decision": self.decision.as_json() if self.decision else None,
            "failure": self.failure,
            "reachable": self.reachable,
            "duration_ms": self.duration_ms,
        }
