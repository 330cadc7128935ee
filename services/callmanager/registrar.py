"""Who may register, and what their phones reported: requests in, reactions out. No socket, no clock.

A REGISTER names its device in the Contact (``+u.sip!devicename.ccm.cisco.com``) or by the MAC address in its instance
identifier, and its line in the To. UCM grants 120 s at most; a phone that is silent longer is unregistered. What a
registration is refused for is in `services.callmanager.admission`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from services.callmanager import admission, answers
from services.callmanager.admission import MODEL, Refused
from services.callmanager.answers import Moment
from services.callmanager.registrations import (
    CurrentLists,
    LineBinding,
    Registration,
    RegistrationTable,
    Source,
    TrustListStatus,
)
from wire.ciscosip import ALARM_TYPE, decode_alarm, registers_all_lines, split_parts
from wire.errors import WireError
from wire.sip import Request, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cluster.snapshot import ClusterSnapshot
    from wire.ciscosip import TrustListAlarm
    from wire.sip import Address, Message, Response

GRANTED_S = 120
"""Seconds that UCM grants to a phone that asks for an hour; observed."""
_SERVICE_CONTROL = "x-cisco-service-control"
_RPORT = re.compile(r";\s*rport\s*(?=[;,]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a message leads to.

    Attributes:
        answers: go back the same way, in order.
        begun: a registration that just began, of a phone that takes orders.
        restart: it has no configuration of its own yet and has to get one.
        unknown: a device that has to be made before the same request is taken again.
        model: type number that this device gave.
    """

    answers: tuple[Message, ...] = ()
    begun: Registration | None = None
    restart: bool = False
    unknown: str = ""
    model: str = ""


@dataclass
class Registrar:
    """The registrations of one node.

    Attributes:
        node: its name.
        host: address that phones know it by.
        view: gives the present snapshot.
        new_tag: gives a number below 2^31 that is not guessed easily.
        on_change: told of what happened to a registration.
        granted_s: the most that is granted.
        registrations: those that are.
        alarms: what phones reported of their trust lists, by device.
    """

    node: str
    host: str
    view: Callable[[], ClusterSnapshot]
    new_tag: Callable[[], int]
    on_change: Callable[[str, Registration], None] = lambda _what, _registration: None
    granted_s: int = GRANTED_S
    registrations: RegistrationTable = field(default_factory=RegistrationTable)
    alarms: dict[str, TrustListAlarm] = field(default_factory=dict)

    def receive(self, message: Request, source: Source, now: datetime, *, port: int) -> Reaction:
        """Takes a request.

        Args:
            message: from a phone.
            source: where it came from.
            now: the cluster's time.
            port: on which it was received, for the Contact of answers.
        """
        moment = Moment(now, self.new_tag())
        request = _with_source(message, source)
        try:
            return self._react(request, source, moment, port)
        except Refused as refused:
            return Reaction((self.refuse(request, moment, refused),))
        except WireError as error:
            return Reaction((self.refuse(request, moment, Refused(400, "Bad Request", str(error))),))

    def refuse(self, request: Request, moment: Moment, refused: Refused) -> Response:
        """The answer to a request that is refused."""
        return answers.refused(request, moment, refused.status, refused.reason, host=self.node, why=refused.why)

    def _react(self, request: Request, source: Source, moment: Moment, port: int) -> Reaction:
        if request.method != "ACK":  # which nobody answers
            admission.check_readable(request)
        match request.method:
            case "REGISTER":
                return self._register(request, source, moment)
            case "REFER":
                return Reaction((self._refer(request, source, moment, port),))
            case "OPTIONS" | "NOTIFY" | "SUBSCRIBE":
                return Reaction((answers.ok(request, moment),))
            case "ACK":
                return Reaction()
            case "CANCEL":
                raise Refused(481, "Call/Transaction Does Not Exist", "there is nothing to cancel")
            case method:
                raise Refused(501, "Not Implemented", f"{method}: this simulator has no call control")

    def expire(self, now: datetime) -> None:
        """Ends the lines that were not renewed, and registrations with their last line."""
        for item in self.registrations:
            overdue = frozenset(binding.number for binding in item.bindings if binding.expires_at <= now)
            if overdue:
                self._drop(item, overdue, "expired")

    def disconnected(self, key: str) -> None:
        """A connection is gone: its phones are no longer registered."""
        for item in self.registrations.of_connection(key):
            self._end(item, "connection closed")

    def list_statuses(self, device: str, current: CurrentLists) -> tuple[TrustListStatus, TrustListStatus]:
        """How the CTL and the ITL that a phone reported compare with what the cluster serves."""
        alarm = self.alarms.get(device)
        if alarm is None:
            return TrustListStatus.UNKNOWN, TrustListStatus.UNKNOWN
        return TrustListStatus.of(alarm.ctl_sha1, current.ctl), TrustListStatus.of(alarm.itl_sha1, current.itl)

    # ------------------------------------------------------------------ REGISTER

    def _register(self, request: Request, source: Source, moment: Moment) -> Reaction:
        contact_text = request.require("Contact")
        if contact_text == "*":
            return self._unregister_all(request, source, moment)
        contact = parse_address(contact_text)
        name = admission.device_name(contact)
        seconds = admission.expires(request, contact)
        device = self.view().devices.get(name)
        if device is None:
            return self._unknown(name, contact, request, moment, seconds)
        all_lines = registers_all_lines(split_parts(request.get("Content-Type") or "", request.body))
        lines = admission.wanted_lines(request, device, all_lines=all_lines)
        admission.check_security(device, source, self.view(), moment.now)
        held = self.registrations.get(name)
        admission.check_other_client(held, source, contact.uri, moment.now)
        trying = answers.trying(request, moment)
        if seconds == 0:
            if held is not None:
                self._drop(held, frozenset(lines), "unregistered by the phone")
            return Reaction((trying, answers.unregistered(request, moment, server=self._server())))
        granted = min(seconds, self.granted_s)
        call_id, until = request.require("Call-ID"), moment.now + timedelta(seconds=granted)
        bindings = tuple(LineBinding(line, contact.uri, call_id, until) for line in lines)
        registration = Registration(name, bindings, source, contact.parameter(MODEL) or "", moment.now)
        new = self._put(registration, held)
        answer = answers.registered(
            request, moment, server=self._server(), expires_s=granted, contact=_bare(contact_text), new=new
        )
        greeted = new and _SERVICE_CONTROL in (request.get("Supported") or "").lower()
        return Reaction(
            (trying, answer),
            begun=registration if greeted else None,
            restart=parse_address(request.require("To")).user.upper() == name,
        )

    def _put(self, fresh: Registration, held: Registration | None) -> bool:
        """Whether it is a new one: the phone was not registered, or it started anew."""
        if held is None:
            self.registrations.put(fresh)
            self.on_change("registered", fresh)
            return True
        new = fresh.call_id not in {binding.call_id for binding in held.bindings}
        merged = replace(fresh, bindings=held.with_lines(fresh.bindings).bindings, since=held.since)
        self.registrations.put(merged)
        same = merged.lines == held.lines and merged.source.key == held.source.key
        self.on_change("renewed" if same and not new else "moved", merged)
        return new

    def _unknown(self, name: str, contact: Address, request: Request, moment: Moment, seconds: int) -> Reaction:
        refused = admission.unknown_device(name, self.view())
        if refused is None and seconds == 0:
            refused = Refused(404, "Not Found", f"{name} is no device of this cluster")
        if refused is None and parse_address(request.require("To")).user.upper() != name:
            refused = Refused(404, "Not Found", f"{name} is no device of this cluster, and did not give its own name")
        if refused is not None:
            raise refused
        return Reaction((answers.trying(request, moment),), unknown=name, model=contact.parameter(MODEL) or "")

    def _unregister_all(self, request: Request, source: Source, moment: Moment) -> Reaction:
        """``Contact: *``, which has to come with ``Expires: 0`` (RFC 3261, 10.2.2)."""
        if admission.expires(request, None) != 0:
            raise Refused(400, "Bad Request", "Contact * without Expires 0")
        held = self.registrations.of_call(request.require("Call-ID"))
        device = self.view().devices.get(held.device) if held else None
        if held is not None:
            if device is not None:
                admission.check_security(device, source, self.view(), moment.now)
            admission.check_other_client(held, source, "", moment.now)
            self._end(held, "unregistered by the phone")
        trying = answers.trying(request, moment)
        return Reaction((trying, answers.unregistered(request, moment, server=self._server())))

    def _drop(self, registration: Registration, numbers: frozenset[str], why: str) -> None:
        left = registration.without(numbers)
        if left is None:
            self._end(registration, why)
        elif left != registration:
            self.registrations.put(left)
            self.on_change("moved", left)

    def _end(self, registration: Registration, why: str) -> None:
        self.registrations.remove(registration.device)
        self.alarms.pop(registration.device, None)  # UCM deletes what it knows of the ITL with the registration
        self.on_change(why, registration)

    # ------------------------------------------------------------------ REFER

    def _refer(self, request: Request, source: Source, moment: Moment, port: int) -> Response:
        kind = (request.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind == ALARM_TYPE:
            self._note_alarm(decode_alarm(request.body), source, moment.now)
        parameter = f";transport={source.transport.lower()}" if source.transport != "UDP" else ""
        return answers.accepted(request, moment, contact=f"<sip:{self.host}:{port}{parameter}>")

    def _note_alarm(self, alarm: TrustListAlarm, source: Source, now: datetime) -> None:
        """Of devices of the cluster alone, which bounds how many there are."""
        device = self.view().devices.get(alarm.device)
        if device is None:
            return
        admission.check_security(device, source, self.view(), now)
        self.alarms[alarm.device] = replace(alarm, ipv4=alarm.ipv4 or source.address)
        registration = self.registrations.get(alarm.device)
        if registration is not None:
            self.on_change("reported its trust lists", registration)

    def _server(self) -> str:
        return f"Cisco-CUCM{self.view().definition.release}"


def _bare(contact: str) -> str:
    """The Contact without an ``expires`` of its own: the granted time is in the header field."""
    return re.sub(r";\s*expires\s*=\s*\d+", "", contact, flags=re.IGNORECASE)


def _with_source(request: Request, source: Source) -> Request:
    """For a client that asks for it with ``rport``: where its request really came from (RFC 3581)."""
    for index, (name, value) in enumerate(request.headers):
        if name.lower() in {"via", "v"}:
            if not _RPORT.search(value.partition(",")[0]):
                break
            filled = _RPORT.sub(f";received={source.address};rport={source.port}", value, count=1)
            return replace(request, headers=(*request.headers[:index], (name, filled), *request.headers[index + 1 :]))
    return request
