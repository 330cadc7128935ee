"""Judges HTTPS servers between the handshake and the first request, with TVS where the lists fall short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phone_sim.clients.http import Tls
from phone_sim.report import SERVER, DecisionReport
from phone_sim.trust import AskTvs, KeepOld, judge_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.clock import Clock
    from base.trace import Trace
    from phone_sim.memory import PhoneMemory
    from phone_sim.models import Model
    from phone_sim.trust import ServerPurpose, Verdict
    from phone_sim.tvs_desk import TvsDesk
    from wire.certificates import Certificate


class ServerJudge:
    """Makes the `Tls` of a connection: how to speak, and whom to trust for what."""

    def __init__(
        self,
        memory: PhoneMemory,
        model: Model,
        tvs: TvsDesk,
        *,
        clock: Clock,
        trace: Trace,
    ) -> None:
        self._memory, self._model, self._tvs = memory, model, tvs
        self._clock, self._trace = clock, trace

    def tls(self, purpose: ServerPurpose, server: str, record: Callable[[DecisionReport], None]) -> Tls:
        """For one connection.

        Args:
            purpose: what the server is asked for.
            server: ``host:port``, for the report.
            record: takes the decision.
        """
        context = self._model.tls_context(self._memory.identity)
        begun = self._clock.monotonic()

        async def judge(certificate: Certificate) -> Verdict:
            verdict, tvs_server = await self._judge(certificate, purpose)
            decision = DecisionReport(
                what=SERVER,
                subject=str(certificate.subject),
                accepted=verdict.reason.accepts,
                reason=verdict.reason,
                detail=verdict.detail if isinstance(verdict, KeepOld) else "",
                server=server,
                transport=None,
                tvs_server=tvs_server,
                duration_ms=round((self._clock.monotonic() - begun) * 1000, 3),
            )
            record(decision)
            self._trace.emit(
                "server_judged",
                server=server,
                certificate=decision.subject,
                purpose=purpose.name,
                accepted=decision.accepted,
                reason=decision.reason.value,
                detail=decision.detail,
                via=decision.via,
                duration_ms=decision.duration_ms,
            )
            return verdict

        return Tls(context, judge)

    async def _judge(self, certificate: Certificate, purpose: ServerPurpose) -> tuple[Verdict, str]:
        held, now = self._memory.held, self._clock.now()
        decision = judge_server(certificate, purpose, held, now)
        if not isinstance(decision, AskTvs):
            return decision, ""
        answer, tvs_server = await self._tvs.ask(decision.question)
        settled = judge_server(certificate, purpose, held, now, answer)
        assert not isinstance(settled, AskTvs)  # noqa: S101 - an answer always settles it
        return settled, tvs_server
