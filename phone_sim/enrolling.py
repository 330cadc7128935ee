"""CAPF as a configuration asks for it: which server, with what proof, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phone_sim.capf_side import CapfOutcome, PhoneSide
from phone_sim.clients.capf import CapfResult, run_session
from phone_sim.trust import ServerPurpose
from wire.phoneconfig import PhoneConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from phone_sim.clients.capf import CapfTimes
    from phone_sim.judging import ServerJudge
    from phone_sim.memory import Config, PhoneMemory
    from phone_sim.models import Model
    from phone_sim.report import DecisionReport

_BY_STRING = 1
_EC_SINCE = (1, 1)
"""Signer version of the ITL from which phones use EC keys."""


class Enroller:
    """Runs CAPF for one phone.

    Args:
        device: ``SEP<MAC>``.
        auth_string: what a person typed; None when nobody did.
    """

    def __init__(
        self,
        device: str,
        memory: PhoneMemory,
        model: Model,
        judge: ServerJudge,
        *,
        trace: Trace,
        times: CapfTimes,
        auth_string: str | None,
    ) -> None:
        self._device, self._memory, self._model, self._judge = device, memory, model, judge
        self._trace, self._times = trace.bind(service="CAPF client"), times
        self.auth_string = auth_string

    def wanted_by(self, config: Config | None) -> bool:
        """The configuration says that CAPF has something to do with the phone, and the model can have an LSC."""
        asked = isinstance(config, PhoneConfig) and bool(config.capf_auth_mode and config.capf_nodes)
        return asked and self._model.lsc.assumed

    def waits_for_string(self, config: Config | None) -> bool:
        """It does, but a person has to type the authentication string first."""
        by_string = isinstance(config, PhoneConfig) and config.capf_auth_mode == _BY_STRING
        return by_string and self.wanted_by(config) and self.auth_string is None

    async def run(self, config: PhoneConfig, record: Callable[[DecisionReport], None]) -> CapfResult:
        """One session with the first CAPF server that can be reached.

        Args:
            config: names the servers and the way to prove who the phone is.
            record: takes the decision on each server.

        Raises:
            FlashError: flash cannot be written.
        """
        result = CapfResult(CapfOutcome.UNREACHABLE, "", "the configuration names no CAPF server")
        for host, port in config.capf_nodes:
            side = PhoneSide(
                self._device,
                self._memory,
                mode=config.capf_auth_mode,
                auth_string=self.auth_string,
                ec_known=self._model.ec.assumed,
                ec_usable=self._model.ec.assumed and self._itl_allows_ec(),
                long_keys=self._model.rsa_4096.assumed,
            )
            tls = self._judge.tls(ServerPurpose.CAPF, f"{host}:{port}", record)
            result = await run_session(host, port, side, tls, trace=self._trace, times=self._times)
            self._trace.emit(
                "capf_ended",
                server=result.server,
                outcome=result.outcome.value,
                changed=result.changed,
                detail=result.detail,
            )
            if result.outcome is not CapfOutcome.UNREACHABLE:
                break
        return result

    def _itl_allows_ec(self) -> bool:
        version = self._memory.itl.header.signer_version if self._memory.itl else None
        return version is not None and version >= _EC_SINCE
