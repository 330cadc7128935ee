"""SIP trunks as a server: whose request it is, and what it is answered. Requests in, answers out; no socket, no clock.

A request belongs to the trunk whose destination it comes from and whose incoming port it came to; over TLS, the
certificate has to have one of the trunk's subject names and to count by CallManager-trust. A port that phones use, too,
is shared: REGISTER and REFER are phones' there, and so is whatever comes with a phone's certificate or from no trunk's
destination. There is no call control.

Incoming port and X.509 subject name are settings of UCM's; what exactly is compared, codes and words of refusals are
ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.x509 import DNSName, SubjectAlternativeName

from cluster.ciphers import NULL_SUITE
from cluster.consistency import SECURED_SIP_PORT, SIP_PORT
from cluster.management.chain import extension, signed_by
from services.callmanager import answers
from services.callmanager.admission import Refused, check_readable
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cluster.siptrunk import SipTrunk
    from cluster.snapshot import ClusterSnapshot
    from services.callmanager.answers import Moment
    from services.callmanager.registrations import Source
    from wire.certificates import Certificate
    from wire.sip import Request, Response

_PHONES_OWN = frozenset({"REGISTER", "REFER", "NOTIFY", "SUBSCRIBE"})


def judge_far_end(
    certificate: Certificate | None, trunk: SipTrunk, trusted: Sequence[Certificate], now: datetime
) -> str:
    """Why the certificate of a trunk's other end does not count; empty when it does.

    Args:
        certificate: what it showed.
        trunk: whose other end it is.
        trusted: what CallManager-trust holds.
        now: the cluster's time.
    """
    if certificate is None:
        return "it showed no certificate"
    try:
        names = _names(certificate)
    except Refusal as refusal:
        return str(refusal)
    if names.isdisjoint(name.lower() for name in trunk.subject_names):
        return f"{certificate.subject} has none of the subject names {', '.join(trunk.subject_names)}"
    if not certificate.not_before <= now <= certificate.not_after:
        return f"{certificate.subject} is outside its validity"
    if certificate not in trusted and not _is_signed_by_one_of(trusted, certificate):
        return f"neither {certificate.subject} nor its issuer is in CallManager-trust"
    return ""


def _names(certificate: Certificate) -> set[str]:
    alternative = extension(certificate, SubjectAlternativeName)
    names = alternative.get_values_for_type(DNSName) if alternative is not None else ()
    return {name.lower() for name in (certificate.subject.common_name, *names) if name}


def _is_signed_by_one_of(authorities: Sequence[Certificate], certificate: Certificate) -> bool:
    return any(item.subject == certificate.issuer and signed_by(certificate, item) for item in authorities)


class TrunkDesk:
    """The trunks of one node.

    Args:
        node: its name.
        trunks: those that the node was started with.
        view: gives the present snapshot.
    """

    def __init__(self, node: str, trunks: Sequence[SipTrunk], view: Callable[[], ClusterSnapshot]) -> None:
        self._node, self._trunks, self._view = node, tuple(trunks), view

    def answer(self, request: Request, source: Source, moment: Moment) -> tuple[str, tuple[Response, ...]] | None:
        """Takes a request.

        Returns:
            The trunk's name, empty when it is none's, and what is answered; None for a request that phones' rules are
            for.
        """
        trunk = self._trunk_of(source)
        if not source.trunk_port and (request.method in _PHONES_OWN or trunk is None or self._is_a_phone(source)):
            return None
        name = trunk.name if trunk is not None else ""
        try:
            return name, self._answer(request, trunk, source, moment)
        except Refused as refused:
            answer = answers.refused(request, moment, refused.status, refused.reason, host=self._node, why=refused.why)
            return name, (answer,)

    def _trunk_of(self, source: Source) -> SipTrunk | None:
        encrypted = source.transport == "TLS"
        port = source.trunk_port or (SECURED_SIP_PORT if encrypted else SIP_PORT)
        return next(
            (
                trunk
                for trunk in self._trunks
                if (trunk.destination, trunk.listens_on, trunk.encrypted) == (source.address, port, encrypted)
            ),
            None,
        )

    def _is_a_phone(self, source: Source) -> bool:
        shown = source.certificate
        return shown is not None and _is_signed_by_one_of(self._view().phone_authorities, shown)

    def _answer(self, request: Request, trunk: SipTrunk | None, source: Source, moment: Moment) -> tuple[Response, ...]:
        if request.method == "ACK":
            return ()
        if trunk is None:
            why = f"no SIP trunk of this node leads to {source.address}"
            raise Refused(503, "Service Unavailable", why)
        check_readable(request)
        if trunk.encrypted:
            self._check(trunk, source, moment.now)
        if request.method == "OPTIONS":
            return (answers.ok(request, moment),)
        if request.method == "CANCEL":
            raise Refused(481, "Call/Transaction Does Not Exist", "there is nothing to cancel")
        raise Refused(501, "Not Implemented", f"{request.method}: this simulator has no call control")

    def _check(self, trunk: SipTrunk, source: Source, now: datetime) -> None:
        why = judge_far_end(source.certificate, trunk, self._view().trunk_authorities, now)
        if source.cipher == NULL_SUITE:
            why = f"{NULL_SUITE} does not encrypt"
        if why:
            raise Refused(403, "Forbidden", f"SIP trunk {trunk.name}: {why}")
