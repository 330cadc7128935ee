"""Starts a node's services in order and stops them in reverse."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from services.service import Health, Listener, Service
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from base.trace import Trace

log = logging.getLogger("ucmsim.node")

GRACE_S = 2.0
"""How long a stopping service lets its clients finish."""


class Supervisor:
    """Keeps the services of one node.

    Args:
        services: in starting order; names are UCM's and unique.
    """

    def __init__(self, services: Sequence[Service], trace: Trace) -> None:
        self._services = tuple(services)
        self._trace = trace.bind(service="Service Manager")

    @property
    def services(self) -> tuple[Service, ...]:
        """All services, running or not."""
        return self._services

    def listeners(self) -> dict[str, tuple[Listener, ...]]:
        """Service name -> what it has bound."""
        return {service.name: service.listeners for service in self._services}

    def healthy(self) -> bool:
        """True when every service is up."""
        return all(service.health() is Health.STARTED for service in self._services)

    async def start_all(self) -> None:
        """Starts every service; when one cannot, those already up are stopped again and its error is raised."""
        try:
            for service in self._services:
                await self._start(service)
        except BaseException:
            await self.stop_all(0)
            raise

    async def stop_all(self, grace_s: float = GRACE_S) -> None:
        """Stops every service, last started first. Idempotent."""
        for service in reversed(self._services):
            await self._stop(service, grace_s)

    async def start(self, name: str) -> None:
        """Starts one service by UCM's name.

        Raises:
            Refusal: no such service here.
            OperatorError: it cannot start.
        """
        await self._start(self._find(name))

    async def stop(self, name: str) -> None:
        """Stops one service by UCM's name; its ports really close."""
        await self._stop(self._find(name), GRACE_S)

    async def restart(self, name: str) -> None:
        """Stops and starts one service, which makes it take up new certificates."""
        service = self._find(name)
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
        await service.start()
        for listener in service.listeners:
            self._trace.emit(
                "service_started",
                name=service.name,
                protocol=listener.protocol,
                address=f"{listener.host}:{listener.port}/{listener.transport}",
            )

    async def _stop(self, service: Service, grace_s: float) -> None:
        if service.health() is Health.STOPPED:
            return
        await service.stop(grace_s)
        self._trace.emit("service_stopped", name=service.name)
