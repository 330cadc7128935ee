"""Starts a node's services in order, stops them in reverse, and switches single ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.service import Health, Listener, Service
from services.stateonly import StateOnlyService
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from base.trace import Trace

    Hook = Callable[[], Awaitable[object]]
    Changed = Callable[[str, Health, str], None]

GRACE_S = 2.0
"""How long a stopping service lets its clients finish."""


class Supervisor:
    """Keeps the services of one node.

    Args:
        services: in starting order; names are UCM's and unique.
        before_start: UCM's name -> what has to be done before each start of that service; when it fails, so does the
            start.
        changed: told each new state of a service, with the reason when it could not start. It may not raise.
    """

    def __init__(
        self,
        services: Sequence[Service],
        trace: Trace,
        *,
        before_start: Mapping[str, Hook] | None = None,
        changed: Changed = lambda _name, _state, _reason: None,
    ) -> None:
        self._services = tuple(services)
        self._trace = trace.bind(service="Service Manager")
        self._before_start = before_start or {}
        self._changed = changed
        self._locks = {service.name: asyncio.Lock() for service in services}
        self._up = False

    @property
    def services(self) -> tuple[Service, ...]:
        """All services, running or not."""
        return self._services

    def listeners(self) -> dict[str, tuple[Listener, ...]]:
        """Service name -> what it has bound."""
        return {service.name: service.listeners for service in self._services}

    def health(self, name: str) -> Health:
        """State of one service.

        Raises:
            Refusal: no such service here.
        """
        return self._find(name).health()

    async def start_all(self, names: Collection[str] | None = None) -> None:
        """Starts services; when one cannot, those already up are stopped again and its error is raised.

        Args:
            names: UCM's names of those to start; all when None.
        """
        try:
            for service in self._services:
                if names is None or service.name in names:
                    await self._start(service)
        except BaseException:
            await self.stop_all(0)
            raise
        self._up = True

    async def stop_all(self, grace_s: float = GRACE_S) -> None:
        """Stops every service, last started first. Idempotent."""
        self._up = False
        for service in reversed(self._services):
            await self._stop(service, grace_s)
            self._tell(service, Health.STOPPED)

    async def start(self, name: str) -> None:
        """Starts one service by UCM's name.

        Raises:
            Refusal: no such service here.
            OperatorError: it cannot start.
        """
        service = self._find(name)
        async with self._locks[service.name]:
            await self._start(service)

    async def stop(self, name: str) -> None:
        """Stops one service by UCM's name; its ports really close."""
        service = self._find(name)
        async with self._locks[service.name]:
            await self._stop(service, GRACE_S)
            self._tell(service, Health.STOPPED)

    async def restart(self, name: str) -> None:
        """Stops and starts one service, which makes it take up new certificates. A stopped one is started."""
        service = self._find(name)
        async with self._locks[service.name]:
            await self._stop(service, GRACE_S)
            await self._start(service)

    def _find(self, name: str) -> Service:
        for service in self._services:
            if service.name.lower() == name.lower():
                return service
        known = ", ".join(service.name for service in self._services)
        raise Refusal(404, f"there is no service {name!r} on this node; services: {known}")

    async def _start(self, service: Service) -> None:
        if service.health() is Health.STARTED:
            return
        self._tell(service, Health.STARTING)
        try:
            if service.name in self._before_start:
                await self._before_start[service.name]()
            await service.start()
        except BaseException as error:
            self._tell(service, Health.STOPPED, str(error) or type(error).__name__)
            raise
        self._tell(service, Health.STARTED)

    async def _stop(self, service: Service, grace_s: float) -> None:
        """Stops it and says nothing of that yet: on its way to a new start it is never seen stopped."""
        if service.health() is Health.STOPPED:
            return
        self._tell(service, Health.STOPPING)
        await service.stop(grace_s)
        if self._is_told(service):
            self._trace.emit("service_stopped", name=service.name)

    def _tell(self, service: Service, state: Health, reason: str = "") -> None:
        self._changed(service.name, state, reason)
        if not self._is_told(service):
            return
        if state is Health.STARTED:
            self._tell_started(service)
        elif reason:
            self._trace.emit("service_failed", name=service.name, reason=reason)
        elif state is not Health.STOPPED:
            self._trace.emit(f"service_{state.value.lower()}", name=service.name)

    def _tell_started(self, service: Service) -> None:
        for listener in service.listeners:
            address = f"{listener.host}:{listener.port}/{listener.transport}"
            self._trace.emit("service_started", name=service.name, protocol=listener.protocol, address=address)
        if not service.listeners:
            self._trace.emit("service_started", name=service.name)

    def _is_told(self, service: Service) -> bool:
        """False for what is of no interest in a trace: at a node's start and end, services that do nothing."""
        return self._up or not isinstance(service, StateOnlyService)
