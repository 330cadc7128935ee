"""Puts the phone's open questions to TVS: which servers, known by which certificates, remembered how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phone_sim.clients.tvs import TvsClient, TvsUnreachable
from phone_sim.flash import Item
from phone_sim.trust import Answer, TvsSaid, TvsSilent, WhoSigned
from phone_sim.tvs_memory import TvsMemory

if TYPE_CHECKING:
    from base.clock import Clock
    from base.trace import Trace
    from phone_sim.memory import PhoneMemory
    from phone_sim.models import Model
    from phone_sim.options import Timeouts
    from phone_sim.trust import IsTrusted


class TvsDesk:
    """Asks the TVS servers of the last good configuration, in its order (R-TVS-5).

    During a migration that is still the old cluster's list. The servers are known by the TVS certificates of
    the ITL that is installed at the moment of the question.
    """

    def __init__(
        self,
        memory: PhoneMemory,
        model: Model,
        device_name: str,
        *,
        clock: Clock,
        trace: Trace,
        timeouts: Timeouts,
    ) -> None:
        self._memory, self._model, self._device_name = memory, model, device_name
        self._clock, self._timeouts = clock, timeouts
        self._trace = trace.bind(service="TVS client")
        self._remembered = TvsMemory(memory.flash, clock)
        if self._remembered.loss:
            memory.lost(Item.TVS_CACHE, self._remembered.loss)

    async def ask(self, question: WhoSigned | IsTrusted) -> tuple[Answer, str]:
        """The answer, and the ``host:port`` that gave it: empty when memory did or nobody.

        Raises:
            FlashError: the answer cannot be remembered, or an old one not forgotten.
        """
        recalled = self._remembered.recall(question)
        if recalled is not None:
            self._trace.emit("tvs_answer_remembered", roles=list(recalled.roles))
            return recalled, ""
        config = self._memory.config
        client = TvsClient(
            [(server.address, server.port) for server in config.tvs_servers] if config else [],
            self._memory.held.tvs_certificates,
            self._device_name,
            clock=self._clock,
            trace=self._trace,
            connect_timeout_s=self._timeouts.tvs_connect_s,
            context=self._model.tls_context(self._memory.identity),
        )
        try:
            if isinstance(question, WhoSigned):
                answer = await client.query(question.subject, question.issuer, question.serial)
            else:
                answer = await client.verify(question.certificate)
        except TvsUnreachable as error:
            return TvsSilent(str(error)), ""
        said = TvsSaid(answer.trusted, answer.roles, answer.certificate)
        self._remembered.remember(question, said, answer.ttl_s)
        return said, answer.server

    def flush(self) -> None:
        """Forgets all answers.

        Raises:
            FlashError: flash cannot be written.
        """
        self._remembered.forget_all()
