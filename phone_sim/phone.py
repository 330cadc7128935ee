"""A simulated Cisco IP phone: power it on, press its keys, look at its menus.

It knows its MAC, its model and a list of TFTP servers, which DHCP may tell it. All else came over a socket or was in
its flash.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from base.clock import Clock, SystemClock
from base.trace import Trace
from phone_sim.booting import BootRun
from phone_sim.browsing import Browser
from phone_sim.capf_side import CapfOutcome
from phone_sim.clients.capf import CapfResult
from phone_sim.clients.errors import FetchError
from phone_sim.contacts import search_contacts
from phone_sim.credentials import Credential
from phone_sim.enrolling import Enroller
from phone_sim.judging import ServerJudge
from phone_sim.memory import PhoneMemory
from phone_sim.messages import Status
from phone_sim.options import Timeouts
from phone_sim.registrant import registrable, registrant
from phone_sim.registration import Registration
from phone_sim.report import DecisionReport, DirectoryReport, Settings, directory_url
from phone_sim.servers import GivenServers
from phone_sim.trust import ListKind, ServerPurpose
from phone_sim.tvs_desk import TvsDesk
from wire.errors import OperatorError
from wire.ipphone import Menu
from wire.phoneconfig import PhoneConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.identity import Identity
    from phone_sim.contacts import ContactReport
    from phone_sim.flash import Flash
    from phone_sim.models import Model
    from phone_sim.registration import RegistrationStatus
    from phone_sim.report import BootReport
    from phone_sim.servers import ServerSource, TftpServer

_MAC = re.compile(r"[0-9A-F]{12}")


def normal_mac(text: str) -> str:
    """A MAC address as phones write it: twelve upper-case hex digits.

    Raises:
        OperatorError: it is none.
    """
    mac = re.sub(r"[-:.]", "", text).upper().removeprefix("SEP")
    if not _MAC.fullmatch(mac):
        raise OperatorError(f"{text!r} is no MAC address; twelve hex digits are needed, such as 001122334455")
    return mac


class Phone:
    """One phone.

    Args:
        mac: MAC address in any usual notation.
        model: its model, see `phone_sim.models.model`.
        tftp: TFTP servers, first choice first, at least one; or who tells them at each boot.
        flash: its durable memory.
        clock: its idea of time.
        trace: takes every step; ``where`` becomes ``SEP<MAC>``.
        timeouts: bounds of its clients.
        auth_string: the authentication string for CAPF, if a person has typed one.

    Attributes:
        browser: opens services and directories.

    Raises:
        OperatorError: the MAC is none, or there is no TFTP server.
    """

    def __init__(
        self,
        mac: str,
        model: Model,
        tftp: Sequence[TftpServer] | ServerSource,
        flash: Flash,
        *,
        clock: Clock | None = None,
        trace: Trace | None = None,
        timeouts: Timeouts | None = None,
        auth_string: str | None = None,
    ) -> None:
        if isinstance(tftp, Sequence) and not tftp:
            raise OperatorError("a phone needs at least one TFTP server")
        self.mac = normal_mac(mac)
        self.model = model
        self._source: ServerSource = GivenServers(tuple(tftp)) if isinstance(tftp, Sequence) else tftp
        self._tftp: tuple[TftpServer, ...] = ()
        self._clock = clock or SystemClock()
        self._trace = (trace or Trace()).bind(where=self.name)
        self._timeouts = timeouts or Timeouts()
        self._memory = PhoneMemory(flash, model, self._clock, self.mac)
        self._tvs = TvsDesk(
            self._memory,
            model,
            model.device_name(self.mac),
            clock=self._clock,
            trace=self._trace,
            timeouts=self._timeouts,
        )
        self._judge = ServerJudge(
            self._memory,
            model,
            self._tvs,
            clock=self._clock,
            trace=self._trace.bind(service="Trust"),
        )
        self._enroller = Enroller(
            self.name,
            self._memory,
            model,
            self._judge,
            trace=self._trace,
            times=self._timeouts.capf,
            auth_string=auth_string,
        )
        self.browser = Browser(
            self.name, self._memory, self._judge, clock=self._clock, trace=self._trace, timeouts=self._timeouts
        )
        self._boots = 0
        self._one_at_a_time = asyncio.Lock()

    @property
    def name(self) -> str:
        """``SEP<MAC>``, the name of the device in its cluster."""
        return f"SEP{self.mac}"

    @property
    def tftp_servers(self) -> tuple[str, ...]:
        """Hosts of the servers that the last boot used, first choice first; empty before the first."""
        return tuple(server.host for server in self._tftp)

    @property
    def settings(self) -> Settings:
        """The security and trust-list menus and the status messages, as they stand."""
        return Settings.of(self.name, self.model, self._memory)

    async def boot(self) -> BootReport:
        """Power on, or a reset: everything up to the configuration.

        Raises:
            DhcpError: the TFTP servers cannot be found out.
            FlashError: flash cannot be written.
        """
        async with self._one_at_a_time:
            self._boots += 1
            self._tftp = await self._source.servers()
            run = BootRun(
                self.mac,
                self.model,
                self._tftp,
                self._memory,
                tvs=self._tvs,
                judge=self._judge,
                enroller=self._enroller,
                clock=self._clock,
                trace=self._trace.bind(service="Boot", session=f"boot-{self._boots}"),
                timeouts=self._timeouts,
            )
            return await run.run()

    def registration(
        self, report: BootReport, last: str, on_status: Callable[[RegistrationStatus], None]
    ) -> Registration | None:
        """A registration with the configuration that the boot ended with; None when there is nothing to register.

        Args:
            report: of that boot.
            last: why the phone restarted, see `phone_sim.sipmessages`.
            on_status: told of each change.
        """
        config = registrable(self._memory.config, self.mac)
        if config is None:
            return None
        decisions: list[DecisionReport] = []
        return Registration(
            registrant(self.mac, self.model, report, last),
            config,
            lambda server: self._judge.tls(ServerPurpose.CALL_CONTROL, server, decisions.append),
            clock=self._clock,
            trace=self._trace,
            on_status=on_status,
            connect_s=self._timeouts.http.connect_s,
        )

    async def open_directory(self, url: str | None = None) -> DirectoryReport:
        """The directory key: opens the menu at `url`, or at the configuration's directory URL.

        Raises:
            OperatorError: there is no URL to open, or it is not one.
            FlashError: flash cannot be written.
        """
        target = url or directory_url(self._memory.config)
        if not target:
            raise OperatorError(f"{self.name} has no directory URL; boot it first or give one")
        report = await self.browser.open(target)
        menu = report.page if isinstance(report.page, Menu) else None
        failure = report.failure or ("" if menu is not None else "this is no menu")
        return DirectoryReport(target, menu, report.decision, failure, report.reachable, report.duration_ms)

    async def search_contacts(self, name: str, login: tuple[str, str] | None = None) -> ContactReport:
        """People by the contact search of the configuration; see `phone_sim.contacts`.

        Raises:
            OperatorError: the configuration has no URL for it.
            FlashError: flash cannot be written.
        """
        config = self._memory.config
        urls = config.urls if isinstance(config, PhoneConfig) else {}
        return await search_contacts(self.browser, urls.get("secureUDSUsersAccessURL", ""), name, login)

    async def authorizes(self, user: str, password: str) -> bool:
        """Whether a user may push content to the phone: it asks the configuration's authentication URL.

        Raises:
            FlashError: flash cannot be written.
        """
        config = self._memory.config
        urls = config.urls if isinstance(config, PhoneConfig) else {}
        url = urls.get("secureAuthenticationURL", "") or urls.get("authenticationURL", "")
        if not url:
            return False
        query = urlencode({"UserID": user, "Password": password, "devicename": self.name})
        try:
            answer = await self.browser.ask(f"{url}{'&' if '?' in url else '?'}{query}")
        except (FetchError, OperatorError) as error:
            self._trace.emit("authentication_failed", reason=str(error))
            return False
        return answer.status == HTTPStatus.OK and answer.body.strip() == b"AUTHORIZED"

    @property
    def web_access(self) -> bool:
        """Whether the configuration lets it serve its own web pages; one that does not say so does."""
        config = self._memory.config
        return not isinstance(config, PhoneConfig) or config.web_access is not False

    async def update_lsc(self, auth_string: str | None = None) -> CapfResult:
        """The "Update" key of the LSC menu: a CAPF session as the configuration in use asks for it.

        Args:
            auth_string: what the person types first; what was typed before when None.

        Raises:
            OperatorError: the configuration asks for no session.
            FlashError: flash cannot be written.
        """
        config = self._memory.config
        if auth_string is not None:
            self._enroller.auth_string = auth_string
        if not self._enroller.wanted_by(config):
            raise OperatorError(f"the configuration of {self.name} asks for no CAPF session")
        assert isinstance(config, PhoneConfig)  # noqa: S101 - seen to by wanted_by
        if self._enroller.waits_for_string(config):
            return CapfResult(CapfOutcome.STRING_NEEDED, "")
        async with self._one_at_a_time:
            return await self._enroller.run(config, lambda _decision: None)

    @property
    def identity(self) -> Identity | None:
        """What it shows to TLS servers that ask: its LSC, else its MIC."""
        return self._memory.identity

    def install_mic(self, mic: Identity) -> None:
        """What the manufacturer does: puts a MIC with its key into flash.

        Raises:
            FlashError: flash cannot be written.
        """
        self._memory.install_credential(Credential.MIC, mic)

    def erase_lsc(self) -> None:
        """Deletes the LSC and its key by hand.

        Raises:
            FlashError: flash cannot be written.
        """
        self._memory.say(Status.ERASING_LSC)
        self._memory.erase_credential(Credential.LSC)
        self._memory.save_log()
        self._trace.emit("lsc_erased")

    def erase_trust_lists(self, *kinds: ListKind) -> None:
        """Deletes CTL and ITL by hand, or one of them, as from the settings menu (R-PHN-4). The configuration stays.

        Args:
            kinds: which; both when none is named.

        Raises:
            FlashError: flash cannot be written.
        """
        erased = kinds or tuple(ListKind)
        self._memory.erase_lists(erased)
        self._memory.save_log()
        self._tvs.flush()
        self._trace.emit("trust_lists_erased", lists=[kind.name for kind in erased])

    def reset_to_factory(self) -> None:
        """Deletes everything that the phone learned: only its MIC and what it is remain (R-PHN-4).

        What real phones keep besides is not known; that the configuration, the messages and the authentication string
        that somebody typed go as well is this project's choice.

        Raises:
            FlashError: flash cannot be written.
        """
        self._tvs.flush()
        self._memory.reset_to_factory()
        self._enroller.auth_string = None
        self._memory.save_log()
        self._trace.emit("factory_reset")
